"""What an audit found, judged against limits and put into words."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pipelines.harmonization.audit.probes import Auc
from pipelines.harmonization.audit.stages import Stage
from pipelines.package_data import package_rows

FindingLevel = Literal["pass", "warn", "info", "skipped"]


@dataclass(frozen=True)
class Finding:
    """One measurement; its fields are the columns of the audit table.

    Attributes
    ----------
    target : str
        ``scale``, ``study``, ``missing:<muscle>``, ``diagnosis`` or ``diagnosis:<name>``.
    stage : str
        Step after which it was measured.
    within : str
        ``all`` samples, or ``disease``: samples of the same disease only.
    attacker : str
        ``trees`` or ``lattice``.
    auc, lower, upper : float
        Area under the ROC curve with its 95 % interval; NaN if it was not measured.
    n : int
        Samples.
    level : {'pass', 'warn', 'info', 'skipped'}
        ``info`` for what is not judged: the model does not see it, or the difference may be one of
        diseases and was also measured within disease.
    text : str
        In words, with the remedy if there is a leak.
    """

    target: str
    stage: str
    within: str
    attacker: str
    auc: float
    lower: float
    upper: float
    n: int
    level: FindingLevel
    text: str


@dataclass(frozen=True)
class Limit:
    """One row of ``audit_limits.tsv``: from which area on a leak is warned of, and what helps."""

    value: float
    remedy: str


@cache
def limits() -> Mapping[tuple[str, str], Limit]:
    """Return the limit of every target and attacker."""
    return {
        (row["target"], row["attacker"]): Limit(float(row["limit"]), row["remedy"])
        for row in package_rows(__package__, "audit_limits.tsv")
    }


def judge(
    target: str, stage: Stage, within: str, attacker: str, auc: Auc | None, *, judged: bool
) -> Finding:
    """Compare a measurement with its limit."""
    kind, _, name = target.partition(":")
    if auc is None:
        where = " within any disease" if within == "disease" else ""
        return skip(
            target, stage, within, attacker, f"there are no two of a kind to compare{where}"
        )
    limit = limits()[kind, attacker]
    leaks = auc.value > limit.value
    what = f"the {kind} {name}".rstrip()
    if kind == "missing":
        what = f"whether {name} was scored"
    elif name:
        # Of many diagnoses, some with few samples, one or another passes the limit by chance.
        leaks = leaks and auc.lower > _GUESS
    text = (
        f"{_ATTACKERS[attacker]} {'tells' if leaks else 'hardly tells'} {what} from "
        f"{_STAGES[stage]}{' within a disease' if within == 'disease' else ''} "
        f"(AUC {auc.value:.2f}, limit {limit.value:.2f})."
    )
    level: FindingLevel = "info" if not judged else "warn" if leaks else "pass"
    if level == "warn":
        text = f"{text} {limit.remedy}"
    return Finding(
        target, stage.value, within, attacker, auc.value, auc.lower, auc.upper, auc.n, level, text
    )


def skip(target: str, stage: Stage, within: str, attacker: str, reason: str) -> Finding:
    """Report that something could not be measured, and why."""
    nan = float("nan")
    text = f"Not measured: {reason.rstrip('.')}."
    return Finding(target, stage.value, within, attacker, nan, nan, nan, 0, "skipped", text)


# Area under the curve of somebody who knows nothing.
_GUESS = 0.5

_ATTACKERS: Mapping[str, str] = {
    "trees": "A tree ensemble",
    "lattice": "The number and the spacing of a patient's values",
}
_STAGES: Mapping[Stage, str] = {
    Stage.MISSINGNESS: "what is missing alone",
    Stage.SCALED: "scores scaled to 0-100",
    Stage.RELATIVE: "relative scores",
    Stage.DITHERED: "dithered scores",
    Stage.RANKED: "ranks",
    Stage.IMPUTED: "imputed features",
}
