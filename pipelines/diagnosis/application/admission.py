"""Which samples a diagnosis model can answer for."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Bool, Float64, Index
from pipelines.diagnosis.model.diagnosis_model import DiagnosisModel
from pipelines.errors import ModelError
from pipelines.harmonization.scores.native import NativeScores
from pipelines.harmonization.scores.scales import scales

# Share of the model's muscles below which an answer would be imputation only: a thigh scan has a
# third of them, a calf scan a quarter.
MINIMUM_COVERAGE = 0.2
# A scan counts as partial with less than this share of the muscles that training patients have.
_PARTIAL_SHARE = 0.8


@dataclass(frozen=True)
class Admission:
    """The samples with exactly the muscles of the model, and which of them are answered.

    `coverage` (n,) is the share of these muscles that is scored, 0-1; `usual` is how many of them
    the training patients have, in the median; `reasons` say why a sample is not answered and are
    empty if it is.
    """

    scored: NativeScores
    coverage: Float64
    reasons: tuple[str, ...]
    usual: float

    @property
    def partial(self) -> Bool:
        """Which samples have clearly fewer muscles than the training patients, (n,)."""
        least = _PARTIAL_SHARE * self.usual / len(self.scored.muscles)
        return np.asarray(self.coverage < least)

    @property
    def rows(self) -> Index:
        """Positions of the samples that nothing speaks against."""
        return np.flatnonzero([not reason for reason in self.reasons])

    @property
    def answered(self) -> NativeScores:
        """The samples that nothing speaks against."""
        return self.scored.subset(self.rows)


def admit(model: DiagnosisModel, native: NativeScores, least: float) -> Admission:
    """Decide which samples have at least so large a share (0-1) of the model's muscles scored."""
    _check_muscles(model, native.muscles)
    scored = native.select(model.ensemble.harmonization.muscles)
    coverage = (~np.isnan(scored.values)).any(axis=2).mean(axis=1)
    usual = float(np.median((~np.isnan(model.muscle_reference)).sum(axis=1)))
    return Admission(scored, coverage, tuple(_refusals(model, scored, coverage, least)), usual)


def _check_muscles(model: DiagnosisModel, muscles: Sequence[str]) -> None:
    """Refuse a table without a column for a muscle; the message has similar names."""
    needed = model.ensemble.harmonization.muscles
    lacking = [name for name in needed if name not in muscles]
    if not lacking:
        return
    others = [name for name in muscles if name not in needed]
    similar = {name: difflib.get_close_matches(name, others, 1) for name in lacking}
    meant = [f"{found[0]} for {name}" for name, found in similar.items() if found]
    what = (
        f"none of the {len(needed)} muscles of model {model.name}"
        if len(lacking) == len(needed)
        else f"no column for {len(lacking)} of the {len(needed)} muscles of model {model.name}"
    )
    raise ModelError(
        f"The scores have {what}: {', '.join(lacking)}."
        + (f" Columns the model does not know: {', '.join(others)}." if others else ""),
        (f"Perhaps they are under other names: {'; '.join(meant)}. " if meant else "")
        + "Map names with --muscle-map; a muscle that was not scored needs its column, filled "
        "with n/a.",
    )


def _refusals(
    model: DiagnosisModel, scored: NativeScores, coverage: Float64, least: float
) -> list[str]:
    """Say for each sample why it cannot be answered; empty if it can."""
    harmonization = model.ensemble.harmonization
    edges = harmonization.thresholds
    reasons = []
    for share, scale in zip(coverage, scored.samples["scale"], strict=True):
        reason = ""
        known = scales().get(scale)
        if known is None:
            reason = f"scale {scale} is unknown"
        elif harmonization.options.method == "dither" and known.grades and scale not in edges:
            reason = f"the model was trained without scale {scale} and knows no thresholds of it"
        elif share == 0:
            reason = "no muscle of the model is scored"
        elif share < least:
            total = len(scored.muscles)
            reason = (
                f"only {round(share * total)} of {total} muscles of the model are scored; "
                f"at least {int(np.ceil(least * total))} are needed"
            )
        reasons.append(reason)
    return reasons
