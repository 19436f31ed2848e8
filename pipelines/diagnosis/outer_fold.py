"""One outer fold: search on its training part, train the members, predict its test part."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.diagnosis.checkpoint import load_arrays, store_arrays
from pipelines.diagnosis.cohort import Cohort
from pipelines.diagnosis.comparators import comparator_probabilities
from pipelines.diagnosis.ensemble import MemberParameters
from pipelines.diagnosis.folds import Split, grouped_folds
from pipelines.diagnosis.member_training import train_ensemble
from pipelines.diagnosis.prepared_fold import PreparedFold
from pipelines.diagnosis.protocol import Protocol
from pipelines.diagnosis.search import members_of, search
from pipelines.harmonization.harmonize import HarmonizationOptions

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FoldTask:
    """What one outer fold needs; picklable if `progress` is.

    Attributes
    ----------
    fold : int
        Its number.
    cohort : Cohort
        All samples.
    split : Split
        Rows of the cohort to train on and to predict.
    options : HarmonizationOptions
        How scores are made comparable.
    protocol : Protocol
        The protocol.
    checkpoint : Path or None
        Folder that records the search, so that it can be resumed.
    progress : callable or None
        Called after every trial.
    """

    fold: int
    cohort: Cohort
    split: Split
    options: HarmonizationOptions
    protocol: Protocol
    checkpoint: Path | None = None
    progress: Callable[[], None] | None = None


@dataclass(frozen=True)
class FoldResult:
    """What one outer fold found.

    Attributes
    ----------
    fold : int
        Its number.
    rows : int array (n_test,)
        Its test rows.
    member_margins : float32 array (M, n_test, K)
        Margins of the members, which never saw these rows.
    comparators : dict of str to float32 array (n_test, K)
        Probabilities of the comparators.
    trials : DataFrame
        See :func:`pipelines.diagnosis.search.search`.
    seconds : float
        CPU time, of the last run only where it was resumed.
    """

    fold: int
    rows: npt.NDArray[np.intp]
    member_margins: FloatArray
    comparators: dict[str, FloatArray]
    trials: pd.DataFrame
    seconds: float

    @property
    def members(self) -> list[MemberParameters]:
        """Hyper-parameters of the members."""
        return members_of(self.trials)


def run_fold(task: FoldTask) -> FoldResult:
    """Search, train and predict one outer fold, or read its result if it was done before."""
    start = time.process_time()
    cohort, protocol = task.cohort, task.protocol
    stored = task.checkpoint and task.checkpoint / f"fold-{task.fold:02d}.npz"
    if stored and stored.exists():
        if task.progress:
            for _ in range(protocol.trials):
                task.progress()
        return _load(task.fold, stored)
    trials = search(
        _inner_folds(task),
        len(cohort.classes),
        protocol,
        fold=task.fold,
        journal=task.checkpoint and task.checkpoint / f"fold-{task.fold:02d}.journal",
        progress=task.progress,
    )
    ensemble = train_ensemble(cohort, task.split.train, members_of(trials), task.options, protocol)
    result = FoldResult(
        task.fold,
        task.split.test,
        ensemble.predict(cohort.native.subset(task.split.test)),
        _comparators(task),
        trials,
        time.process_time() - start,
    )
    if stored:
        _store(result, stored)
    return result


def _inner_folds(task: FoldTask) -> list[PreparedFold]:
    """Prepare the inner folds; no test row of the outer fold reaches them."""
    protocol = task.protocol
    cohort = task.cohort.subset(task.split.train)
    splits = grouped_folds(
        cohort.y, cohort.patients, cohort.classes, protocol.inner_folds, protocol.seed
    )
    return [PreparedFold(cohort, split, task.options, protocol) for split in splits]


def _comparators(task: FoldTask) -> dict[str, FloatArray]:
    """Train and apply the comparators, if the protocol wants them."""
    if not task.protocol.comparators:
        return {}
    return comparator_probabilities(task.cohort, task.split, task.options, task.protocol)


def _store(result: FoldResult, path: Path) -> None:
    """Write the result of a fold."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "rows": result.rows,
        "member_margins": result.member_margins,
        **{f"comparator_{name}": p for name, p in result.comparators.items()},
    }
    about = {"trials": result.trials.to_dict("list"), "seconds": result.seconds}
    store_arrays(path, arrays, about)


def _load(fold: int, path: Path) -> FoldResult:
    """Read the result of a fold."""
    arrays, about = load_arrays(path)
    rows, margins = arrays.pop("rows"), arrays.pop("member_margins")
    comparators = {name.removeprefix("comparator_"): p for name, p in arrays.items()}
    trials = pd.DataFrame(about["trials"])
    return FoldResult(fold, rows, margins, comparators, trials, about["seconds"])
