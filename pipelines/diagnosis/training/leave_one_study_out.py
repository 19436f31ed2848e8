"""Test every study on an ensemble trained without it.

Random folds mix the studies, so a model may profit from knowing a study's habits (its scale, its
missing muscles). A study left out as a whole shows what remains for a new centre. The
hyper-parameters were chosen with all studies, which favours the result a little.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Float32, Index
from pipelines.diagnosis.cohort import Cohort
from pipelines.diagnosis.ensemble.average import MemberParameters
from pipelines.diagnosis.protocol import Protocol
from pipelines.diagnosis.training.members import train_ensemble
from pipelines.errors import DataError
from pipelines.harmonization.harmonize import HarmonizationOptions

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StudyTask:
    """One study to leave out of a cohort, and how to train without it; picklable."""

    study: str
    cohort: Cohort
    members: Sequence[MemberParameters]
    options: HarmonizationOptions
    protocol: Protocol


@dataclass(frozen=True)
class StudyResult:
    """Predictions for those rows of a study whose diagnosis the others have, or why there are none.

    Margins and probabilities are (n_study, K), of an ensemble that saw no sample of the study.
    """

    study: str
    rows: Index
    margins: Float32
    probabilities: Float32
    skipped: str = ""


@dataclass(frozen=True)
class LeaveOneStudyOut:
    """Predictions for every sample that could be tested by an ensemble without its study.

    Attributes
    ----------
    cohort : Cohort
        The n samples tested and the K classes.
    fold : int array (n,)
        Number of their study in `studies`.
    margins, probabilities : float32 array (n, K)
        Of the ensemble without the study.
    studies : tuple of str
        Studies tested.
    skipped : dict of str to str
        Studies that could not be tested, and why.
    """

    cohort: Cohort
    fold: Index
    margins: Float32
    probabilities: Float32
    studies: tuple[str, ...]
    skipped: dict[str, str]


def leave_one_study_out(
    cohort: Cohort,
    options: HarmonizationOptions,
    protocol: Protocol,
    members: Sequence[MemberParameters],
    *,
    map_tasks: Callable[
        [Callable[[StudyTask], StudyResult], Iterable[StudyTask]], Iterator[StudyResult]
    ]
    | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LeaveOneStudyOut:
    """Test every study on an ensemble trained on the others.

    Parameters
    ----------
    cohort : Cohort
        Samples and their classes; the column ``study`` names the study.
    options : HarmonizationOptions
        How scores are made comparable.
    protocol : Protocol
        The protocol; nothing is searched.
    members : sequence of MemberParameters
        Fixed hyper-parameters, e.g. ``NestedResult.best_members``.
    map_tasks : callable, optional
        As in :func:`pipelines.diagnosis.training.nested.run_nested`; one task is one study.
    progress : callable, optional
        Called with the studies done and their total.

    Raises
    ------
    DataError
        If there is one study only or none could be tested.
    """
    studies = sorted(cohort.native.samples["study"].unique())
    if len(studies) < 2:
        raise DataError(
            f"All samples come from the study {studies[0]}: none can be left out.",
            "Add other studies with --study NAME=PATH.",
        )
    tasks = (StudyTask(name, cohort, members, options, protocol) for name in studies)
    results = []
    for result in (map_tasks or map)(_predict_study, tasks):
        results.append(result)
        if progress:
            progress(len(results), len(studies))
    return _pooled(cohort, sorted(results, key=lambda r: r.study))


def _predict_study(task: StudyTask) -> StudyResult:
    """Train without a study and its patients, and predict its samples.

    A patient of several studies is tested in the first of them only.
    """
    cohort = task.cohort
    studies = cohort.native.samples["study"].to_numpy(dtype=object)
    own = studies == task.study
    others = ~own & ~np.isin(cohort.patients, cohort.patients[own])
    tested_before = np.isin(cohort.patients, cohort.patients[studies < task.study])
    shared = np.isin(cohort.y, cohort.y[others])
    train, rows = np.flatnonzero(others), np.flatnonzero(own & shared & ~tested_before)
    nothing = np.empty((0, len(cohort.classes)), np.float32)
    if not rows.size:
        reason = "no other study has its diagnoses"
    elif len(np.unique(cohort.y[train])) < 2:
        reason = "the other studies have one diagnosis only"
    else:
        try:
            ensemble = train_ensemble(
                cohort,
                train,
                task.members,
                task.options,
                task.protocol,
            )
            margins = ensemble.predict(cohort.native.subset(rows))
        except DataError as error:
            # For instance a scale that only this study used, whose thresholds nothing tells.
            reason = error.message.rstrip(".")
        else:
            return StudyResult(
                task.study, rows, margins.mean(axis=0), ensemble.probabilities(margins)
            )
    logger.warning("study %s can't be left out: %s", task.study, reason)
    return StudyResult(task.study, np.empty(0, np.intp), nothing, nothing, reason)


def _pooled(cohort: Cohort, results: Sequence[StudyResult]) -> LeaveOneStudyOut:
    """Put the studies together."""
    tested = [r for r in results if not r.skipped]
    skipped = {r.study: r.skipped for r in results if r.skipped}
    if not tested:
        reasons = "; ".join(f"{study}: {reason}" for study, reason in skipped.items())
        raise DataError(f"No study could be tested without its own samples ({reasons}).")
    rows = np.concatenate([r.rows for r in tested])
    return LeaveOneStudyOut(
        cohort=cohort.subset(rows),
        fold=np.repeat(np.arange(len(tested)), [len(r.rows) for r in tested]),
        margins=np.concatenate([r.margins for r in tested]),
        probabilities=np.concatenate([r.probabilities for r in tested]),
        studies=tuple(r.study for r in tested),
        skipped=skipped,
    )
