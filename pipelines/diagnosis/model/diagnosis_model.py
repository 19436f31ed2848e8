"""A trained diagnosis model: the ensemble, what tells how far to trust it, and its history."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd

from pipelines.arrays import Float32, Float64
from pipelines.diagnosis.cohort import Cohort
from pipelines.diagnosis.ensemble.average import Ensemble
from pipelines.diagnosis.evaluation.subgroups import subgroup_levels
from pipelines.diagnosis.training.nested import NestedResult
from pipelines.diagnosis.trust.conformal import ConformalSets, fit_conformal
from pipelines.diagnosis.trust.near_normal import NearNormal, fit_near_normal
from pipelines.diagnosis.trust.novelty import Novelty, fit_novelty
from pipelines.diagnosis.trust.temperature import fit_temperature
from pipelines.errors import DataError
from pipelines.harmonization.harmonize import Harmonization
from pipelines.harmonization.scores.native import NativeScores

logger = logging.getLogger(__name__)

Origin = Literal["simulated", "real"]


_Fitted = TypeVar("_Fitted")

# Libraries whose versions can change what a model answers.
_LIBRARIES = ("numpy", "pandas", "scikit-learn", "scipy", "xgboost-cpu")


@dataclass(frozen=True)
class DiagnosisModel:
    """Everything needed to apply a model and to say what it is.

    Attributes
    ----------
    name : str
        For people, and the name of its folder.
    ensemble : Ensemble
        K classes, with its temperature.
    origin : {'simulated', 'real'}
        What the training patients are.
    near_normal : NearNormal
        Flag of scans with little fat.
    conformal : ConformalSets or None
        None if there were too few patients to calibrate sets.
    novelty : Novelty or None
        None if there were too few patients to know what is usual.
    muscle_reference : float32 array (r, m)
        Muscles of the training patients on the 0-100 axis, one sample each, NaN where missing:
        tells which missing muscle would help.
    training : DataFrame
        The cohort by diagnosis, study, scale, sides, sex and age band, see
        :func:`training_summary`.
    long_names : mapping of str to str
        Full names of classes, where known.
    headline : mapping
        Headline figures of the evaluation.
    tables : mapping of str to DataFrame
        Tables of the evaluation and of the leakage audit, by name.
    protocol : mapping
        How it was trained.
    licence : str
        Terms of the model.
    created : str
        ISO date.
    versions : mapping of str to str
        Versions of the libraries it was made with.
    """

    name: str
    ensemble: Ensemble
    origin: Origin
    near_normal: NearNormal
    conformal: ConformalSets | None
    novelty: Novelty | None
    muscle_reference: Float32
    training: pd.DataFrame
    long_names: Mapping[str, str] = field(default_factory=dict)
    headline: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    licence: str = "not stated"
    created: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def calibrated(self) -> bool:
        """Whether a temperature makes its probabilities honest; only averaged margins have one."""
        return self.ensemble.combine == "margins"

    @property
    def classes(self) -> tuple[str, ...]:
        """Diagnoses the model knows."""
        return self.ensemble.classes

    def long_name(self, diagnosis: str) -> str:
        """Return the full name of a class, or its short one."""
        return self.long_names.get(diagnosis, diagnosis)


def build_model(
    name: str,
    ensemble: Ensemble,
    nested: NestedResult,
    *,
    origin: Origin,
    created: str,
    headline: Mapping[str, Any] | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
    long_names: Mapping[str, str] | None = None,
    licence: str = "not stated",
) -> DiagnosisModel:
    """Add calibration and flags to an ensemble, all from out-of-fold predictions.

    Parameters
    ----------
    name : str
        Name of the model.
    ensemble : Ensemble
        Refitted on all samples.
    nested : NestedResult
        The search that found its members, on the same samples.
    origin : {'simulated', 'real'}
        What the patients are.
    created : str
        ISO date.
    headline, tables : optional
        Of :class:`pipelines.diagnosis.evaluation.evaluate.Evaluation`; the leakage audit may stand
        among the tables as ``audit``.
    long_names : mapping of str to str, optional
        Full names of classes.
    licence : str
        Terms of the model.

    Notes
    -----
    Where a cohort is too small for conformal sets or the novelty flag, the model goes without, and
    says so. A temperature is fitted for averaged margins only.
    """
    cohort, patients = nested.cohort, nested.cohort.patients
    fitted = ensemble
    if ensemble.combine == "margins":
        temperature = fit_temperature(nested.margins, cohort.y).value
        fitted = replace(ensemble, temperature=temperature)
    prepared = complete_features(ensemble, ensemble.harmonization.transform(cohort.native))
    percent = muscle_percent(ensemble.harmonization, cohort.native)
    mean, highest = involvement(percent)
    names = np.array(cohort.classes, dtype=object)[cohort.y]
    _, first = np.unique(patients.astype(str), return_index=True)
    return DiagnosisModel(
        name=name,
        ensemble=fitted,
        origin=origin,
        near_normal=fit_near_normal(mean, highest, names, patients),
        conformal=_unless_too_few(
            lambda: fit_conformal(nested.margins, cohort.y, cohort.classes, patients)
        ),
        novelty=_unless_too_few(
            lambda: fit_novelty(prepared, cohort.y, cohort.classes, patient=patients)
        ),
        muscle_reference=percent[np.sort(first)].astype(np.float32),
        training=training_summary(cohort),
        long_names={k: v for k, v in (long_names or {}).items() if k in cohort.classes},
        headline=headline or {},
        tables=tables or {},
        protocol=nested.protocol.as_dict(),
        licence=licence,
        created=created,
        versions={library: version(library) for library in _LIBRARIES},
    )


def complete_features(ensemble: Ensemble, features: Float64) -> Float32:
    """Return features (n, p) scaled and imputed, as the novelty flag takes them.

    Members may impute from different numbers of neighbours; the flag follows the first member.
    """
    neighbours = ensemble.members[0].neighbours
    return ensemble.preparation.transform(features, [neighbours])[neighbours]


def muscle_percent(harmonization: Harmonization, native: NativeScores) -> Float64:
    """Return the model's muscles on the 0-100 axis, sides averaged, (n, m); NaN where missing."""
    percent, _ = harmonization.percent(native.select(harmonization.muscles))
    return percent


def involvement(percent: Float64) -> tuple[Float64, Float64]:
    """Return mean and maximum over the scored muscles of each row; NaN where there are none."""
    present = ~np.isnan(percent)
    count = present.sum(axis=1)
    total = np.where(present, percent, 0).sum(axis=1)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    highest = np.where(count > 0, np.where(present, percent, -np.inf).max(axis=1), np.nan)
    return mean, highest


def training_summary(cohort: Cohort) -> pd.DataFrame:
    """Count samples and patients of a cohort by what is known of them.

    Returns
    -------
    DataFrame
        ``group`` (all, diagnosis, sex, scale, study, sides, age_band), ``value``, ``samples``,
        ``patients``.
    """
    samples = cohort.native.samples
    groups: dict[str, pd.Series[Any]] = {
        "all": pd.Series("all", index=samples.index),
        "diagnosis": pd.Series(np.array(cohort.classes)[cohort.y], index=samples.index),
        **subgroup_levels(samples),
    }
    parts = []
    for group, values in groups.items():
        table = pd.DataFrame({"value": values.astype(str), "patient": cohort.patients})
        counts = table.groupby("value", sort=True)["patient"].agg(
            samples="size", patients="nunique"
        )
        parts.append(counts.reset_index().assign(group=group))
    columns = ["group", "value", "samples", "patients"]
    return pd.concat(parts, ignore_index=True)[columns]


def _unless_too_few(fit: Callable[[], _Fitted]) -> _Fitted | None:
    """Fit, or say that the cohort does not allow it."""
    try:
        return fit()
    except DataError as error:
        logger.warning("The model goes without: %s", error.message)
        return None
