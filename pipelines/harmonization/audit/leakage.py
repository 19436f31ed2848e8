"""Measure what the features tell that they should not: scale, study, and what was not scored.

Myo-Guide's data come from studies that scored different muscles on different scales, and a disease
often comes from few studies. A classifier can then tell diseases by the habits of their readers.
Subtracting a patient's mean hides the scale from a look at one muscle, but not from somebody who
looks at the steps between a patient's scores; filling gaps hides them from view, but not from a
classifier. The audit measures each of these after each step.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.arrays import Bool, Float64, Int64
from pipelines.errors import DataError
from pipelines.harmonization.audit.findings import Finding, judge, skip
from pipelines.harmonization.audit.probes import class_auc, lattice, mask_probe, tree_probe
from pipelines.harmonization.audit.stages import Stage, StageFeatures, hide_gaps, iterate_stages
from pipelines.harmonization.harmonize import HarmonizationOptions
from pipelines.harmonization.scores.native import NativeScores

AUDIT_COLUMNS = tuple(field.name for field in fields(Finding))
MIN_CLASS = 10
"""Samples that a scale or study needs (in a disease) to be compared."""


@dataclass(frozen=True)
class _Cohort:
    """Classes of the samples as numbers (-1: unknown, or too few samples), and their patients."""

    scale: Int64
    study: Int64
    disease: Int64
    patients: Int64
    seed: int
    diseases: tuple[str, ...]  # names of the numbers in `disease`


def leakage_audit(
    native: NativeScores,
    options: HarmonizationOptions | None = None,
    labels: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Audit a cohort.

    Parameters
    ----------
    native : NativeScores
        n samples.
    options : HarmonizationOptions, optional
        How the model's features are made; the defaults if not given.
    labels : array_like of str, shape (n,), optional
        Diagnoses; those of the samples if not given.
    groups : array_like of str, shape (n,), optional
        Patients; those of the samples if not given.
    seed : int
        Seed of the probes.

    Returns
    -------
    DataFrame
        One row per :class:`.Finding`, columns ``AUDIT_COLUMNS``. What the pattern of missing
        muscles tells is given for all diagnoses on average, and for each. An area of 0.5 is no
        leak and 1 a complete one. Areas over all samples count what diseases differ in; those
        within disease are the doing of scale or study alone.

    Raises
    ------
    DataError
        If there are fewer than ``MIN_CLASS`` samples, or the options cannot be fitted to them.
    """
    options = options or HarmonizationOptions()
    if len(native.samples) < MIN_CLASS:
        raise DataError(
            f"{len(native.samples)} samples are too few for a leakage audit.",
            f"It needs at least {MIN_CLASS}.",
        )
    cohort = _cohort(native, labels, groups, seed)
    stages = list(iterate_stages(native, options))
    findings = [finding for stage in stages for finding in _stage_findings(stage, cohort)]
    own, imputed = (stage for stage in stages if stage.judged)
    findings.extend(_missingness_findings(own, cohort))
    findings.extend(_gap_findings(own, imputed, cohort))
    return pd.DataFrame(findings, columns=list(AUDIT_COLUMNS))


def _cohort(
    native: NativeScores,
    labels: npt.ArrayLike | None,
    groups: npt.ArrayLike | None,
    seed: int,
) -> _Cohort:
    samples = native.samples
    diagnoses = samples["diagnosis"] if labels is None else pd.Series(np.asarray(labels))
    patients = samples["patient"] if groups is None else pd.Series(np.asarray(groups))
    return _Cohort(
        _codes(samples["scale"]),
        _codes(samples["study"]),
        _codes(diagnoses),
        pd.factorize(patients.to_numpy(dtype=object))[0].astype(np.int64),
        seed,
        _frequent_names(diagnoses),
    )


def _take(cohort: _Cohort, rows: Bool) -> _Cohort:
    return _Cohort(
        cohort.scale[rows],
        cohort.study[rows],
        cohort.disease[rows],
        cohort.patients[rows],
        cohort.seed,
        cohort.diseases,
    )


def _codes(column: "pd.Series[str]") -> Int64:
    """Give numbers to values that occur often enough, and -1 to the others."""
    codes = pd.factorize(column.to_numpy(dtype=object))[0].astype(np.int64)
    if not (codes >= 0).any():
        return codes
    frequent = np.bincount(codes[codes >= 0]) >= MIN_CLASS
    renumbered = np.where(frequent, np.cumsum(frequent) - 1, -1)
    return np.where(codes >= 0, renumbered[codes], -1)


def _frequent_names(column: "pd.Series[str]") -> tuple[str, ...]:
    """Return the values that have a number, in its order."""
    codes, names = pd.factorize(column.to_numpy(dtype=object))
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    return tuple(str(name) for name, n in zip(names, counts, strict=True) if n >= MIN_CLASS)


def _stage_findings(stage: StageFeatures, cohort: _Cohort) -> Iterator[Finding]:
    """Measure how well scale and study are told from the features after one step."""
    if stage.problem:
        yield skip("scale", stage.stage, "all", "trees", stage.problem)
        return
    shown = stage.values
    if stage.stage is not Stage.IMPUTED:
        shown = hide_gaps(stage.values, cohort.disease, cohort.seed)
        numbers = lattice(stage.thinned)
        thinned = _take(cohort, stage.enough)
        yield from _target_findings("scale", "lattice", numbers, stage, thinned)
    for target in ("scale", "study"):
        yield from _target_findings(target, "trees", shown, stage, cohort)


def _target_findings(
    target: str,
    attacker: str,
    features: Float64,
    stage: StageFeatures,
    cohort: _Cohort,
) -> Iterator[Finding]:
    """Attack one target, over all samples and within disease."""
    classes: Int64 = getattr(cohort, target)
    disease, patients, seed = cohort.disease, cohort.patients, cohort.seed
    within = overall = None
    rows, weights = _comparable(classes, disease)
    if len(rows):
        told = np.column_stack([features[rows], disease[rows]])
        scores = tree_probe(told, classes[rows], patients[rows], seed, weights)
        within = class_auc(classes[rows], scores, patients[rows], seed, disease[rows])
    rows = np.flatnonzero(classes >= 0)
    if len(np.unique(classes[rows])) > 1:
        scores = tree_probe(features[rows], classes[rows], patients[rows], seed)
        overall = class_auc(classes[rows], scores, patients[rows], seed)
    judged = stage.judged
    yield judge(target, stage.stage, "disease", attacker, within, judged=judged)
    # Diseases differ too, so this counts only where there is no better measure.
    yield judge(target, stage.stage, "all", attacker, overall, judged=judged and within is None)


def _comparable(classes: Int64, disease: Int64) -> tuple[Int64, Float64]:
    """Choose the samples whose disease has two classes or more, each with enough samples.

    The weights make the classes of a disease equally frequent, so that knowing the disease does not
    help to tell the class.
    """
    known = np.flatnonzero((classes >= 0) & (disease >= 0))
    cells = pd.DataFrame({"disease": disease[known], "class": classes[known]})
    size = cells.groupby(["disease", "class"])["class"].transform("size").to_numpy()
    cells, known, size = cells[size >= MIN_CLASS], known[size >= MIN_CLASS], size[size >= MIN_CLASS]
    several = (cells.groupby("disease")["class"].transform("nunique") > 1).to_numpy(dtype=bool)
    return known[several], 1.0 / size[several]


def _missingness_findings(own: StageFeatures, cohort: _Cohort) -> Iterator[Finding]:
    """Measure what the pattern of missing values alone tells."""
    missing = np.isnan(own.values)
    pattern = replace(own, stage=Stage.MISSINGNESS, values=missing.astype(np.float64))
    for target in ("scale", "study"):
        yield from _target_findings(target, "trees", pattern.values, pattern, cohort)
    rows = np.flatnonzero(cohort.disease >= 0)
    if len(np.unique(cohort.disease[rows])) < 2:
        yield judge("diagnosis", Stage.MISSINGNESS, "all", "trees", None, judged=True)
        return
    classes, patients = cohort.disease[rows], cohort.patients[rows]
    scores = tree_probe(pattern.values[rows], classes, patients, cohort.seed)
    auc = class_auc(classes, scores, patients, cohort.seed)
    yield judge("diagnosis", Stage.MISSINGNESS, "all", "trees", auc, judged=True)
    # The average hides a diagnosis whose studies scored other muscles than all the rest.
    for number, name in enumerate(cohort.diseases):
        told = (classes == number).astype(np.int64)
        two = np.column_stack([1 - scores[:, number], scores[:, number]])
        auc = class_auc(told, two, patients, cohort.seed)
        yield judge(f"diagnosis:{name}", Stage.MISSINGNESS, "all", "trees", auc, judged=True)


def _gap_findings(own: StageFeatures, imputed: StageFeatures, cohort: _Cohort) -> Iterator[Finding]:
    """Measure whether imputed features still tell which muscles had not been scored."""
    missing = np.isnan(own.values[:, : len(own.muscles)])
    often = np.minimum(missing.sum(axis=0), (~missing).sum(axis=0)) >= MIN_CLASS
    if not often.any():
        yield skip(
            "missing", Stage.IMPUTED, "all", "trees", "no muscle is missing in some samples only"
        )
        return
    chances = mask_probe(imputed.values, missing[:, often], cohort.patients, cohort.seed)
    for column, muscle in enumerate(np.flatnonzero(often)):
        truth = missing[:, muscle].astype(np.int64)
        scores = np.column_stack([1 - chances[:, column], chances[:, column]])
        auc = class_auc(truth, scores, cohort.patients, cohort.seed)
        yield judge(
            f"missing:{own.muscles[muscle]}", Stage.IMPUTED, "all", "trees", auc, judged=True
        )
