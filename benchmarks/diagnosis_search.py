#!/usr/bin/env python3
"""Our hyper-parameter search beside the plain one: CPU time and balanced accuracy.

Simulated cohort of 2961 samples with the published numbers of 20 diseases; its accuracy is by
construction and says nothing about patients. CPU seconds, one thread, the same outer folds.

OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 diagnosis_search.py [--folds 0] [--profiles paper fast
weights] [--trials 60 --random-trials 30] [--plain-journal JOURNAL] [--same-trials | --fixed]

Whole folds are searched, one after the other; the plain side is taken from the journal of
``plain_search.py``, made with as many trials. The searches draw other trials, and trials differ
tenfold in cost: ``--same-trials`` has ``paper`` score the trials of the journal instead, which
compares the work and leaves out the luck of the draw. ``--fixed`` trains one set of
hyper-parameters in all ten folds, which shows in minutes whether cached preparation and fewer bins
cost accuracy.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import balanced_accuracy_score

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks import plain_search as plain  # noqa: E402
from pipelines.diagnosis.cohort import Cohort, training_cohort  # noqa: E402
from pipelines.diagnosis.ensemble.average import MemberParameters, combined_probabilities  # noqa: E402
from pipelines.diagnosis.protocol import Protocol, load_profile  # noqa: E402
from pipelines.diagnosis.simulation.simulate import simulate_cohort  # noqa: E402
from pipelines.diagnosis.training.folds import Split, grouped_folds  # noqa: E402
from pipelines.diagnosis.training.members import train_ensemble  # noqa: E402
from pipelines.diagnosis.training.nested import FoldTask, inner_folds, run_fold  # noqa: E402
from pipelines.diagnosis.training.search import score_inner_fold  # noqa: E402
from pipelines.harmonization.harmonize import HarmonizationOptions  # noqa: E402

Floats = npt.NDArray[np.floating[Any]]

# Share of the plain version's CPU time that a profile may need with XGBoost itself in the search.
MOST_CPU = {"paper": 1 / 1.6, "fast": 1 / 3.5, "weights": 1 / 8}
# Wall time of the whole search with `weights` on two cores (minutes).
WEIGHTS_MINUTES, CORES = 30.0, 2
HARMONIZATION = HarmonizationOptions(method="paper")
# In the middle of the search space, where the searches of both sides end up.
FIXED = {
    "eta": 0.1,
    "max_depth": 4,
    "min_child_weight": 1.0,
    "subsample": 0.8,
    "colsample_bytree": 0.5,
    "lambda": 1.0,
    "gamma": 0.0,
    "rounds": 150,
    "augmentation_factor": 1.0,
    "smote_k": 5,
    "knn_k": 5,
}


@dataclass(frozen=True)
class Measured:
    """CPU time (s) and balanced accuracy of each fold of one version, and what is unfinished."""

    name: str
    cpu_s: tuple[float, ...]
    accuracy: tuple[float, ...]
    note: str = ""

    @property
    def mean(self) -> float:
        """Mean balanced accuracy over the folds."""
        return float(np.mean(self.accuracy)) if self.accuracy else float("nan")

    @property
    def standard_error(self) -> float:
        """Standard error of that mean, from the spread over the folds."""
        if len(self.accuracy) < 2:
            return float("nan")
        return float(np.std(self.accuracy, ddof=1) / np.sqrt(len(self.accuracy)))


def main() -> int:
    """Print the comparison; 1 if an aim is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folds", type=int, nargs="+", default=[0], help="outer folds, from 0")
    parser.add_argument("--profiles", nargs="+", default=list(MOST_CPU), choices=list(MOST_CPU))
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--random-trials", type=int, default=30)
    parser.add_argument("--plain-journal", type=Path, help="journal of plain_search.py")
    parser.add_argument("--same-trials", action="store_true", help="the journal's, for paper")
    parser.add_argument("--fixed", action="store_true", help="fixed hyper-parameters, ten folds")
    given = parser.parse_args()
    if given.same_trials and not given.plain_journal:
        parser.error("--same-trials needs --plain-journal")
    plain.require_one_thread()
    native = simulate_cohort().native
    cohort = training_cohort(native, native.samples["diagnosis"].tolist(), minimum_samples=30)
    print(f"simulated cohort: {len(cohort.y)} samples, {len(cohort.classes)} diagnoses")
    if given.fixed:
        return compare_fixed(cohort, given.profiles)
    reference = read_plain(given.plain_journal, given.folds) if given.plain_journal else None
    if given.same_trials and reference:
        score = partial(score_trials, cohort, given.plain_journal)
        print_header()
        print_row(reference)
        return print_row(measure("paper", score, given.folds), reference, MOST_CPU["paper"])
    protocols = [
        load_profile(
            name,
            comparators=False,
            seed=plain.SEED,
            trials=given.trials,
            random_trials=given.random_trials,
        )
        for name in given.profiles
    ]
    return compare_searches(cohort, given.folds, protocols, reference)


def compare_searches(
    cohort: Cohort, folds: Sequence[int], protocols: Sequence[Protocol], reference: Measured | None
) -> int:
    """Search whole folds with every profile and print them beside the plain version."""
    trials = f"{protocols[0].trials} trials, {protocols[0].random_trials} of them random"
    print(f"whole searched outer folds ({trials}): {' '.join(map(str, folds))}")
    print_header()
    if reference and sum(reference.cpu_s) > 0:
        print_row(reference)
    missed = 0
    for protocol in protocols:
        name = protocol.name
        ours = measure(name, partial(search_fold, cohort, protocol), folds)
        missed += print_row(ours, reference, MOST_CPU[name])
        if name == "weights" and len(folds) == plain.OUTER_FOLDS:
            minutes = sum(ours.cpu_s) / CORES / 60
            met = minutes <= WEIGHTS_MINUTES
            missed += not met
            print(f"  whole search on {CORES} cores at least {minutes:.0f} min: {verdict(met)}")
    print(f"aims missed: {missed}")
    return int(missed > 0)


def compare_fixed(cohort: Cohort, profiles: Sequence[str]) -> int:
    """Train one set of hyper-parameters in all folds, plainly and as the profiles do."""
    print(f"fixed hyper-parameters, one fit in each of {plain.OUTER_FOLDS} outer folds: {FIXED}")
    print_header()
    folds = range(plain.OUTER_FOLDS)
    data = plain.load_features()
    splits = plain.outer_splits(data)

    def fit_plainly(fold: int) -> float:
        train, test = splits[fold]
        margins = plain.fit_margins(data, train, test, FIXED)
        return float(balanced_accuracy_score(data.y[test], margins.argmax(axis=1)))

    reference = measure("plain", fit_plainly, folds)
    print_row(reference)
    missed = 0
    for name in profiles:
        ours = measure(name, partial(fit_fixed, cohort, name), folds)
        missed += print_row(ours, reference)
    print(f"aims missed: {missed}")
    return int(missed > 0)


def measure(name: str, run: Callable[[int], float], folds: Sequence[int]) -> Measured:
    """Run folds and return their CPU times and balanced accuracies."""
    seconds, accuracies = [], []
    for fold in folds:
        start = time.process_time()
        accuracies.append(run(fold))
        seconds.append(time.process_time() - start)
    return Measured(name, tuple(seconds), tuple(accuracies))


def search_fold(cohort: Cohort, protocol: Protocol, fold: int) -> float:
    """Search one outer fold as the app does and return the ensemble's balanced accuracy."""
    result = run_fold(
        FoldTask(fold, cohort, outer_split(cohort, fold, protocol), HARMONIZATION, protocol)
    )
    probabilities = combined_probabilities(result.member_margins, protocol.combine)
    return balanced_accuracy(cohort, result.rows, probabilities)


def score_trials(cohort: Cohort, journal: Path, fold: int) -> float:
    """Score the plain trials of one outer fold, and return the accuracy of the best as ensemble."""
    protocol = load_profile("paper", comparators=False, seed=plain.SEED)
    split = outer_split(cohort, fold, protocol)
    inner = inner_folds(FoldTask(fold, cohort, split, HARMONIZATION, protocol))
    members = []
    for number, trial in enumerate(plain.completed(plain.open_study(journal, fold))):
        scores = [
            score_inner_fold(part, trial.params, len(cohort.classes), protocol)[0] for part in inner
        ]
        members.append(MemberParameters(fold, number, float(np.mean(scores)), trial.params))
    least = np.percentile([member.score for member in members], protocol.percentile)
    best = [member for member in members if member.score >= least]
    ensemble = train_ensemble(cohort, split.train, best, HARMONIZATION, protocol)
    margins = ensemble.predict(cohort.native.subset(split.test))
    return balanced_accuracy(cohort, split.test, margins.mean(axis=0))


def fit_fixed(cohort: Cohort, profile: str, fold: int) -> float:
    """Train the fixed hyper-parameters on one outer fold and return the balanced accuracy."""
    protocol = load_profile(profile, seed=plain.SEED)
    split = outer_split(cohort, fold, protocol)
    member = MemberParameters(fold, 0, 0.0, FIXED)
    ensemble = train_ensemble(cohort, split.train, [member], HARMONIZATION, protocol)
    margins = ensemble.predict(cohort.native.subset(split.test))
    return balanced_accuracy(cohort, split.test, margins.mean(axis=0))


def outer_split(cohort: Cohort, fold: int, protocol: Protocol) -> Split:
    """Return an outer fold."""
    splits = grouped_folds(
        cohort.y, cohort.patients, cohort.classes, protocol.outer_folds, protocol.seed
    )
    return splits[fold]


def balanced_accuracy(cohort: Cohort, rows: npt.NDArray[np.intp], scores: Floats) -> float:
    """Return the mean recall of the classes when the highest score decides."""
    return float(balanced_accuracy_score(cohort.y[rows], scores.argmax(axis=1)))


def read_plain(journal: Path, folds: Sequence[int]) -> Measured:
    """Return what ``plain_search.py`` measured; of an unfinished fold the CPU time so far."""
    seconds, accuracies, notes = [], [], []
    for fold in folds:
        result = journal.with_name(f"{journal.name}.fold-{fold}.json")
        if result.exists():
            content = json.loads(result.read_text(encoding="utf-8"))
            seconds.append(content["cpu_s"])
            accuracies.append(content["balanced_accuracy"])
            continue
        trials = plain.completed(plain.open_study(journal, fold))
        seconds.append(sum(trial.user_attrs["cpu_s"] for trial in trials))
        notes.append(f"fold {fold} unfinished, {len(trials)} trials: ratios are lower bounds")
    return Measured("plain", tuple(seconds), tuple(accuracies), "; ".join(notes))


def print_header() -> None:
    """Print the names of the columns."""
    print(
        f"{'version':10}{'CPU s/fold':>12}{'plain / ours':>14}{'aim':>7}{'':8}"
        f"{'bal. accuracy':>14}{'SE':>8}{'difference':>12}  within 1 SE of plain"
    )


def print_row(ours: Measured, reference: Measured | None = None, most: float | None = None) -> int:
    """Print one version and return how many aims it misses."""
    ratio = aim = cpu_verdict = difference = accuracy_verdict = ""
    missed = 0
    if reference and sum(reference.cpu_s) > 0:
        share = sum(ours.cpu_s) / sum(reference.cpu_s)
        ratio = f"{1 / share:.1f}"
        if most:
            aim, cpu_verdict = f"{1 / most:.0f}", verdict(share <= most)
            missed += share > most
        if len(reference.accuracy) == len(ours.accuracy):
            gain = ours.mean - reference.mean
            difference = f"{gain:+.4f}"
            if len(ours.accuracy) == plain.OUTER_FOLDS:
                met = gain >= -reference.standard_error
                accuracy_verdict, missed = verdict(met), missed + (not met)
            else:
                accuracy_verdict = "needs all ten folds"
    print(
        f"{ours.name:10}{np.mean(ours.cpu_s):12.1f}{ratio:>14}{aim:>7} {cpu_verdict:7}"
        f"{ours.mean:14.4f}{ours.standard_error:8.4f}{difference:>12}"
        f"  {accuracy_verdict}{ours.note}",
        flush=True,
    )
    return missed


def verdict(met: bool) -> str:
    """Say whether an aim is met."""
    return "met" if met else "missed"


if __name__ == "__main__":
    sys.exit(main())
