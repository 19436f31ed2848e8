#!/usr/bin/env python3
"""Time of applying an ensemble with SHAP values, and of its interactions, beside XGBoost's own.

A few boosters of depth 2, 4 and 6 are trained on the simulated cohort and repeated until the
ensemble has as many members as a deployed one; repeated members cost as much as different ones.
Times are wall time, CPU time in brackets; compilation is timed apart.

Usage: diagnosis_explanation.py [--members 60] [--rounds 150] [--patients 1000] [--threads 2]
                                [--depths 2 4 6] [--interactions]
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
import numpy.typing as npt

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from pipelines.diagnosis.application.apply import ApplyOptions, apply_model  # noqa: E402
from pipelines.diagnosis.cohort import Cohort, training_cohort  # noqa: E402
from pipelines.diagnosis.ensemble.average import Ensemble, Member, MemberParameters  # noqa: E402
from pipelines.diagnosis.ensemble.boosting import fit_booster, store_booster, training_matrix  # noqa: E402
from pipelines.diagnosis.ensemble.preparation import Preparation  # noqa: E402
from pipelines.diagnosis.explanation.interactions import interaction_strength  # noqa: E402
from pipelines.diagnosis.explanation.values import explain_native  # noqa: E402
from pipelines.diagnosis.model.diagnosis_model import (  # noqa: E402
    DiagnosisModel,
    involvement,
    muscle_percent,
    training_summary,
)
from pipelines.diagnosis.simulation.simulate import simulate_cohort  # noqa: E402
from pipelines.diagnosis.trust.near_normal import fit_near_normal  # noqa: E402
from pipelines.harmonization.harmonize import fit_harmonization  # noqa: E402
from pipelines.harmonization.scores.native import NativeScores  # noqa: E402

# What must be reached on two free cores.
APPLY_S, INTERACTIONS_MIN = 10.0, 30.0
NEIGHBOURS = 5


def main() -> None:
    """Print times and the largest difference from XGBoost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--members", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=150)
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--depths", type=int, nargs="+", default=[2, 4, 6])
    parser.add_argument("--interactions", action="store_true")
    options = parser.parse_args()
    cohort = simulated_cohort()
    ensemble = make_ensemble(cohort, options.depths, options.rounds, options.members)
    model = make_model(cohort, ensemble)
    patients = cohort.native.subset(np.arange(options.patients) % len(cohort.y))
    patients = NativeScores(
        patients.samples.set_axis([f"patient-{i}" for i in range(options.patients)]),
        patients.muscles,
        patients.values,
    )
    trees = options.members * options.rounds * len(cohort.classes)
    print(f"{trees:,} trees (depths {options.depths}), {options.threads} threads")
    with timed("compilation"):
        explain_native(ensemble_of(ensemble, 1), patients.subset([0]))
    with timed(f"apply with SHAP, {options.patients} patients (aim {APPLY_S:g} s)"):
        apply_model(model, patients, ApplyOptions(threads=options.threads))
    with timed("  of which SHAP values") as shap_time:
        explain_native(ensemble, patients, threads=options.threads)
    print(f"  {trees * options.patients / shap_time[0] / 1e6:.0f} million trees x patients / s")
    with timed("one patient"):
        apply_model(model, patients.subset([0]), ApplyOptions(threads=options.threads))
    compare(ensemble_of(ensemble, len(options.depths)), patients.subset(np.arange(100)))
    if options.interactions:
        title = f"interactions, {len(cohort.y)} samples, all classes (aim {INTERACTIONS_MIN:g} min)"
        with timed(title):
            interaction_strength(ensemble, cohort.native, threads=options.threads)


def simulated_cohort() -> Cohort:
    """Return the simulated cohort of the size of the paper's."""
    native = simulate_cohort().native
    return training_cohort(native, native.samples["diagnosis"].tolist(), 30)


def make_ensemble(cohort: Cohort, depths: list[int], rounds: int, members: int) -> Ensemble:
    """Train one booster per depth on oversampled rows and repeat them."""
    harmonization = fit_harmonization(cohort.native)
    sex = harmonization.feature_names.index("sex")
    preparation = Preparation.fit(harmonization.transform(cohort.native), (sex,))
    rows = preparation.training_rows([NEIGHBOURS])[NEIGHBOURS]
    matrix = training_matrix(*oversampled(rows, cohort.y), None, 64)
    trained = []
    for depth in depths:
        values = {
            "eta": 0.08, "max_depth": depth, "min_child_weight": 2.0, "subsample": 0.8,
            "colsample_bytree": 0.6, "lambda": 1.0, "gamma": 0.2, "rounds": rounds,
            "knn_k": NEIGHBOURS,
        }  # fmt: skip
        fit = fit_booster(matrix, values, classes=len(cohort.classes), max_bin=64, seed=depth)
        trained.append(Member(store_booster(fit.booster), MemberParameters(0, depth, 0.0, values)))
    repeated = tuple(trained[i % len(trained)] for i in range(members))
    return Ensemble(cohort.classes, harmonization, preparation, repeated)


def oversampled(
    rows: npt.NDArray[np.float32], y: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.intp]]:
    """Draw as many rows of every class as the largest has, with a little noise."""
    rng = np.random.default_rng(0)
    largest = np.bincount(y).max()
    drawn = np.concatenate([rng.choice(np.flatnonzero(y == k), largest) for k in np.unique(y)])
    noise = rng.normal(0, 0.05, rows[drawn].shape).astype(np.float32)
    return rows[drawn] + noise, y[drawn]


def make_model(cohort: Cohort, ensemble: Ensemble) -> DiagnosisModel:
    """Wrap the ensemble, without conformal sets and novelty (their cost is negligible)."""
    percent = muscle_percent(ensemble.harmonization, cohort.native)
    names = np.array(cohort.classes)[cohort.y]
    return DiagnosisModel(
        name="benchmark",
        ensemble=ensemble,
        origin="simulated",
        near_normal=fit_near_normal(*involvement(percent), names, cohort.patients),
        conformal=None,
        novelty=None,
        muscle_reference=percent.astype(np.float32),
        training=training_summary(cohort),
    )


def ensemble_of(ensemble: Ensemble, members: int) -> Ensemble:
    """Return the first members only."""
    return replace(ensemble, members=ensemble.members[:members])


def compare(ensemble: Ensemble, patients: NativeScores) -> None:
    """Print the difference from XGBoost's contributions, and their time."""
    import xgboost

    prepared = ensemble.prepare(ensemble.harmonization.transform(patients))
    ours = explain_native(ensemble, patients)
    matrix = xgboost.DMatrix(prepared[NEIGHBOURS])
    title = f"XGBoost's contributions, {len(patients.samples)} patients, {len(ensemble.members)}"
    with timed(f"{title} members, 1 thread"):
        theirs = [m.booster.predict(matrix, pred_contribs=True) for m in ensemble.members]
    with timed("  the same here"):
        explain_native(ensemble, patients)
    difference = np.abs(ours.values - np.mean(theirs, axis=0)[..., :-1]).max()
    total = ours.values.sum(axis=2) + ours.base
    margins = np.mean([m.booster.predict(matrix, output_margin=True) for m in ensemble.members], 0)
    print(
        f"  largest difference {difference:.1e}, from additivity {abs(total - margins).max():.1e}"
    )


@contextmanager
def timed(title: str) -> Iterator[list[float]]:
    """Print wall and CPU time of a block; the list receives the wall time."""
    wall, cpu = time.perf_counter(), time.process_time()
    seconds: list[float] = []
    yield seconds
    seconds.append(time.perf_counter() - wall)
    print(f"{title}: {seconds[0]:.2f} s ({time.process_time() - cpu:.2f} s)", flush=True)


if __name__ == "__main__":
    main()
