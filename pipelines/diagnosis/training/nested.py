"""Nested cross-validation of the ensemble (paper, sections 2.5 and 2.6)."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.arrays import Float32, Index
from pipelines.diagnosis.cohort import Cohort
from pipelines.diagnosis.ensemble.average import MemberParameters, combined_probabilities
from pipelines.diagnosis.explanation.out_of_fold import FoldExplanation, explain_fold
from pipelines.diagnosis.protocol import Protocol
from pipelines.diagnosis.training.checkpoint import (
    FoldResult,
    check_journal,
    load_fold,
    search_folder,
    store_fold,
)
from pipelines.diagnosis.training.comparators import comparator_probabilities
from pipelines.diagnosis.training.fold_data import PreparedFold
from pipelines.diagnosis.training.folds import Split, grouped_folds
from pipelines.diagnosis.training.members import train_ensemble
from pipelines.diagnosis.training.search import members_of, search
from pipelines.harmonization.harmonize import HarmonizationOptions


@dataclass(frozen=True)
class FoldTask:
    """What one outer fold needs; picklable if `progress`, called after every trial, is."""

    fold: int
    cohort: Cohort
    split: Split
    options: HarmonizationOptions
    protocol: Protocol
    checkpoint: Path | None = None
    progress: Callable[[], None] | None = None
    explain: bool = False


# Runs the folds: given the function and its tasks, yields the results in any order.
MapTasks = Callable[[Callable[[FoldTask], FoldResult], Iterable[FoldTask]], Iterator[FoldResult]]


@dataclass(frozen=True)
class NestedResult:
    """Honest predictions for every sample, and the members that the search found.

    Attributes
    ----------
    cohort : Cohort
        The n samples and their K classes.
    fold : int array (n,)
        Outer fold in which each was tested.
    margins : float32 array (n, K)
        Mean margins of the members of that fold, which never saw the sample.
    probabilities : float32 array (n, K)
        Of the ensemble.
    member_margins : tuple of float32 array (M, n_fold, K)
        Margins of the members of each fold, samples in the order of their rows.
    comparators : dict of str to float32 array (n, K)
        Probabilities of the comparators.
    trials : DataFrame
        All trials of all folds, see :func:`pipelines.diagnosis.training.search.search`.
    members : tuple of MemberParameters
        Hyper-parameters of the members of all folds.
    options : HarmonizationOptions
        How scores were made comparable.
    protocol : Protocol
        How it was done.
    seconds : float
        CPU time of all folds.
    explanations : tuple of FoldExplanation
        SHAP values of every sample by the ensemble that never saw it; empty if not wanted.
    """

    cohort: Cohort
    fold: Index
    margins: Float32
    probabilities: Float32
    member_margins: tuple[Float32, ...]
    comparators: dict[str, Float32]
    trials: pd.DataFrame
    members: tuple[MemberParameters, ...]
    options: HarmonizationOptions
    protocol: Protocol
    seconds: float
    explanations: tuple[FoldExplanation, ...] = ()

    def best_members(self, count: int) -> list[MemberParameters]:
        """Return the members with the highest inner scores; earlier folds first if equal."""
        return sorted(self.members, key=lambda m: (-m.score, m.fold, m.trial))[:count]


def run_nested(
    cohort: Cohort,
    options: HarmonizationOptions,
    protocol: Protocol,
    *,
    explain: bool = False,
    checkpoint: Path | None = None,
    map_tasks: MapTasks | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NestedResult:
    """Search, train and evaluate the ensemble in nested cross-validation.

    The result depends on data, options and protocol (with its seed) only: neither on the number
    of processes nor on interruptions.

    Parameters
    ----------
    cohort : Cohort
        Samples and their classes.
    options : HarmonizationOptions
        How scores are made comparable; what is fitted, is fitted inside each fold. The coverage
        that muscles need is at least that of the protocol.
    protocol : Protocol
        The protocol.
    explain : bool
        Explain every sample by the ensemble of its fold.
    checkpoint : Path, optional
        Folder for the records of searches. A search that was killed goes on from there.
    map_tasks : callable, optional
        Runs the outer folds, for instance in several processes: given a function and an iterable
        of picklable tasks, it returns an iterator over results in any order.
    progress : callable, optional
        Called with the trials done and their total: after every trial if the folds run here,
        after every fold with `map_tasks`.

    Raises
    ------
    DataError
        If the cohort can't be split into these folds, all trials of a fold failed, or what an
        earlier run left in `checkpoint` is damaged.
    """
    options = protocol.harmonization(options)
    splits = grouped_folds(
        cohort.y, cohort.patients, cohort.classes, protocol.outer_folds, protocol.seed
    )
    folder = checkpoint and search_folder(checkpoint, cohort, options, protocol)
    counter = _Counter(len(splits) * protocol.trials, progress)
    per_trial = None if map_tasks else counter.advance
    tasks = (
        FoldTask(i, cohort, split, options, protocol, folder, per_trial, explain)
        for i, split in enumerate(splits)
    )
    results = []
    for result in (map_tasks or map)(run_fold, tasks):
        results.append(result)
        if map_tasks:
            counter.advance(protocol.trials)
    return _pooled(cohort, sorted(results, key=lambda r: r.fold), options, protocol)


class _Counter:
    """Counts trials and tells how many are done."""

    def __init__(self, total: int, report: Callable[[int, int], None] | None) -> None:
        self._done = 0
        self._total = total
        self._report = report

    def advance(self, count: int = 1) -> None:
        """Count trials."""
        self._done += count
        if self._report:
            self._report(self._done, self._total)


def _pooled(
    cohort: Cohort,
    results: Sequence[FoldResult],
    options: HarmonizationOptions,
    protocol: Protocol,
) -> NestedResult:
    """Put the test rows of all folds together."""
    shape = (len(cohort.y), len(cohort.classes))
    fold = np.full(len(cohort.y), -1, np.intp)
    margins, probabilities = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    comparators = {name: np.full(shape, np.nan, np.float32) for name in results[0].comparators}
    for result in results:
        fold[result.rows] = result.fold
        margins[result.rows] = result.member_margins.mean(axis=0)
        probabilities[result.rows] = combined_probabilities(result.member_margins, protocol.combine)
        for name, values in result.comparators.items():
            comparators[name][result.rows] = values
    return NestedResult(
        cohort=cohort,
        fold=fold,
        margins=margins,
        probabilities=probabilities,
        member_margins=tuple(r.member_margins for r in results),
        comparators=comparators,
        trials=pd.concat([r.trials for r in results], ignore_index=True),
        members=tuple(m for r in results for m in r.members),
        options=options,
        protocol=protocol,
        seconds=sum(r.seconds for r in results),
        explanations=tuple(r.explanation for r in results if r.explanation),
    )


def run_fold(task: FoldTask) -> FoldResult:
    """Search, train and predict one outer fold, or read its result if it was done before."""
    start = time.process_time()
    cohort, protocol, test = task.cohort, task.protocol, task.split.test
    stored = task.checkpoint and task.checkpoint / f"fold-{task.fold:02d}.npz"
    if stored and stored.exists():
        result = load_fold(stored, task.fold, test, len(cohort.classes))
        if result.explanation or not task.explain:
            if task.progress:
                for _ in range(protocol.trials):
                    task.progress()
            return result
    journal = task.checkpoint and task.checkpoint / f"fold-{task.fold:02d}.journal"
    if journal:
        check_journal(journal)
    trials = search(
        inner_folds(task),
        len(cohort.classes),
        protocol,
        fold=task.fold,
        journal=journal,
        progress=task.progress,
    )
    ensemble = train_ensemble(cohort, task.split.train, members_of(trials), task.options, protocol)
    result = FoldResult(
        task.fold,
        test,
        ensemble.predict(cohort.native.subset(test)),
        _comparators(task),
        trials,
        # Now, while the members are there: keeping them would take as much space as the model.
        explanation=explain_fold(ensemble, cohort.native, test) if task.explain else None,
        seconds=time.process_time() - start,
    )
    if stored:
        store_fold(result, stored)
    return result


def inner_folds(task: FoldTask) -> list[PreparedFold]:
    """Prepare the inner folds; no test row of the outer fold reaches them."""
    protocol = task.protocol
    cohort = task.cohort.subset(task.split.train)
    splits = grouped_folds(
        cohort.y, cohort.patients, cohort.classes, protocol.inner_folds, protocol.seed
    )
    return [PreparedFold(cohort, split, task.options, protocol) for split in splits]


def _comparators(task: FoldTask) -> dict[str, Float32]:
    """Train and apply the comparators, if the protocol wants them."""
    if not task.protocol.comparators:
        return {}
    return comparator_probabilities(task.cohort, task.split, task.options, task.protocol)
