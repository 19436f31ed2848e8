#!/usr/bin/env python3
"""The published search as anybody would write it: scikit-learn, imbalanced-learn, XGBoost, Optuna.

One outer fold of the nested cross-validation of Verdu-Diaz et al. 2025 on the simulated cohort:
every trial fits, in each inner fold, a pipeline of standardization, KNN imputation, SMOTE-NC and
XGBoost, and nothing is kept between trials. It is the yardstick of ``diagnosis_search.py`` and
shares with our own search only the cohort, its features and the search space.

OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 plain_search.py JOURNAL [--fold 0]

The journal (Optuna's) takes up an interrupted search; JOURNAL.fold-N.json gets the result.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
import yaml
from imblearn.over_sampling import SMOTENC
from imblearn.pipeline import Pipeline
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from scipy.special import softmax
from sklearn.impute import KNNImputer
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from xgboost import XGBClassifier

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from pipelines.diagnosis.simulation.simulate import simulate_cohort  # noqa: E402
from pipelines.harmonization.harmonize import (  # noqa: E402
    HarmonizationOptions,
    fit_harmonization,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

OUTER_FOLDS, INNER_FOLDS = 10, 5
PERCENTILE = 90
SEED = 0


@dataclass(frozen=True)
class Features:
    """The harmonized cohort: features (NaN where missing; sex last), labels, patients."""

    x: Floats
    y: Ints
    patient: npt.NDArray[Any]


@dataclass(frozen=True)
class FoldRun:
    """What came of one searched outer fold."""

    fold: int
    trials: int
    cpu_s: float
    balanced_accuracy: float


def main() -> int:
    """Search one fold and write its result."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("journal", type=Path)
    options.add_argument("--fold", type=int, default=0, help="outer fold, from 0")
    options.add_argument("--trials", type=int, default=60)
    options.add_argument("--random-trials", type=int, default=30)
    given = options.parse_args()
    require_one_thread()
    result = search_fold(
        load_features(), given.fold, given.journal, given.trials, given.random_trials
    )
    print(json.dumps(result.__dict__))
    return 0


def require_one_thread() -> None:
    """Stop if libraries may use several threads: waiting ones would be counted as CPU time."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        if os.environ.get(name) != "1":
            sys.exit(f"set {name}=1 in the environment: CPU time is compared on one thread")


def load_features(samples: int = 2961, seed: int = SEED) -> Features:
    """Simulate the cohort and harmonize it the published way."""
    native = simulate_cohort(samples, seed).native
    x = fit_harmonization(native, HarmonizationOptions(method="paper")).transform(native)
    classes = native.samples["diagnosis"].to_numpy(dtype=str)
    y = np.unique(classes, return_inverse=True)[1].astype(np.int64)
    return Features(x, y, native.samples["patient"].to_numpy())


def outer_splits(data: Features) -> list[tuple[Ints, Ints]]:
    """Return the outer folds: training and test rows."""
    folds = StratifiedGroupKFold(OUTER_FOLDS, shuffle=True, random_state=SEED)
    return list(folds.split(data.x, data.y, data.patient))


def search_fold(
    data: Features, fold: int, journal: Path, trials: int = 60, random_trials: int = 30
) -> FoldRun:
    """Search hyper-parameters in one outer fold, build the ensemble and test it."""
    train, test = outer_splits(data)[fold]
    space = read_search_space()
    study = open_study(journal, fold)
    done = len(completed(study))
    # A generator started with the same seed again would repeat the trials already made.
    study.sampler = optuna.samplers.TPESampler(n_startup_trials=random_trials, seed=SEED + done)
    if done < trials:
        study.optimize(_objective(data, train, space), n_trials=trials - done)

    finished = completed(study)
    cpu = sum(trial.user_attrs["cpu_s"] for trial in finished)
    start = time.process_time()
    least = np.percentile([trial.value for trial in finished], PERCENTILE)
    best = [trial for trial in finished if trial.value >= least]
    margins = np.mean([fit_margins(data, train, test, trial.params) for trial in best], axis=0)
    cpu += time.process_time() - start
    predicted = softmax(margins, axis=1).argmax(axis=1)
    score = balanced_accuracy_score(data.y[test], predicted)
    result = FoldRun(fold, len(finished), cpu, float(score))
    journal.with_name(f"{journal.name}.fold-{fold}.json").write_text(json.dumps(result.__dict__))
    return result


def open_study(journal: Path, fold: int) -> optuna.Study:
    """Return the search of a fold, as far as the journal records it."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(journal))),
        study_name=f"fold-{fold}",
        direction="maximize",
        load_if_exists=True,
    )


def completed(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that were finished."""
    return study.get_trials(states=[optuna.trial.TrialState.COMPLETE])


def read_search_space() -> dict[str, dict[str, Any]]:
    """Return the range of every hyper-parameter, the ones our own search draws from."""
    text = (REPOSITORY / "pipelines/diagnosis/search_space.yaml").read_text(encoding="utf-8")
    table = yaml.safe_load(text)
    return {**table["booster"], "rounds": table["rounds"], **table["preparation"]}


def make_pipeline(params: dict[str, Any], seed: int = SEED) -> Pipeline:
    """Return the pipeline of one combination of hyper-parameters."""
    booster = dict(params)
    factor = booster.pop("augmentation_factor")
    return Pipeline(
        [
            ("scale", StandardScaler()),
            ("impute", KNNImputer(n_neighbors=booster.pop("knn_k"))),
            ("sex", FunctionTransformer(_round_sex)),
            (
                "oversample",
                SMOTENC(
                    categorical_features=[-1],
                    k_neighbors=booster.pop("smote_k"),
                    sampling_strategy=lambda y: _class_sizes(y, factor),
                    random_state=seed,
                ),
            ),
            (
                "classify",
                XGBClassifier(
                    n_estimators=booster.pop("rounds"),
                    tree_method="hist",
                    n_jobs=1,
                    random_state=seed,
                    **booster,
                ),
            ),
        ]
    )


def _objective(
    data: Features, train: Ints, space: dict[str, dict[str, Any]]
) -> Callable[[optuna.Trial], float]:
    """Return the score of a trial: the mean balanced accuracy of the inner folds."""
    x, y, patient = data.x[train], data.y[train], data.patient[train]
    inner = StratifiedGroupKFold(INNER_FOLDS, shuffle=True, random_state=SEED)

    def objective(trial: optuna.Trial) -> float:
        start = time.process_time()
        params = {name: _suggest(trial, name, span) for name, span in space.items()}
        scores = []
        for fit, check in inner.split(x, y, patient):
            model = make_pipeline(params).fit(x[fit], y[fit])
            scores.append(balanced_accuracy_score(y[check], model.predict(x[check])))
        trial.set_user_attr("cpu_s", time.process_time() - start)
        trial.set_user_attr("scores", scores)
        return float(np.mean(scores))

    return objective


def fit_margins(data: Features, train: Ints, test: Ints, params: dict[str, Any]) -> Floats:
    """Fit a combination on the training rows and return raw margins of the test rows."""
    model = make_pipeline(params).fit(data.x[train], data.y[train])
    margins: Floats = model.predict(data.x[test], output_margin=True)
    return margins


def _suggest(trial: optuna.Trial, name: str, span: dict[str, Any]) -> float:
    if span.get("integer"):
        return trial.suggest_int(name, span["low"], span["high"])
    return trial.suggest_float(name, span["low"], span["high"], log=span.get("log", False))


def _round_sex(x: Floats) -> Floats:
    """Give imputed sexes one of the two values: standardized, one lies below 0 and one above."""
    x = x.copy()
    known = np.unique(x[:, -1])
    x[:, -1] = np.where(x[:, -1] > 0, known[-1], known[0])
    return x


def _class_sizes(y: Ints, factor: float) -> dict[int, int]:
    """Let every class, the largest too, grow to `factor` times the largest one."""
    counts = np.bincount(y)
    return {label: int(factor * counts.max()) for label in range(len(counts))}


if __name__ == "__main__":
    sys.exit(main())
