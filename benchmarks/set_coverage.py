#!/usr/bin/env python3
"""How often the 90 % sets of a stored model hold the right diagnosis of new patients, for each.

set_coverage.py [--patients 400] [--new 300] [--profile quick] [--seed 0] [--results FILE.json]

The six most frequent diagnoses of the simulated cohort, so many patients of each to train on and
so many new ones (1,800 together). Sets are calibrated with a few hundred patients of a diagnosis
and measured on a few hundred others, so that coverage scatters by some points: 0.87 to 0.97 is the
target.
With ``--results`` the figures are kept, and printed again without computing. Quick run:
``--patients 40 --new 40``, whose figures scatter too much for the target.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.null_cohorts import OUTER_FOLDS, trained_model  # noqa: E402
from pipelines.diagnosis.application.apply import ApplyOptions, apply_model  # noqa: E402
from pipelines.diagnosis.cohort import training_cohort  # noqa: E402
from pipelines.diagnosis.evaluation.intervals import wilson_interval  # noqa: E402
from pipelines.diagnosis.protocol import load_profile  # noqa: E402
from pipelines.diagnosis.simulation.simulate import simulate_cohort  # noqa: E402
from pipelines.diagnosis.simulation.tables import read_tables  # noqa: E402
from pipelines.diagnosis.training.nested import run_nested  # noqa: E402
from pipelines.diagnosis.trust.checks import one_sample_per_patient  # noqa: E402
from pipelines.harmonization.harmonize import HarmonizationOptions  # noqa: E402
from pipelines.harmonization.scores.native import NativeScores  # noqa: E402

DIAGNOSES = 6
LOWEST, HIGHEST = 0.87, 0.97


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if the coverage of a diagnosis misses the target."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--patients", type=int, default=400, help="of each diagnosis, to train on")
    parser.add_argument("--new", type=int, default=300, help="of each diagnosis, to answer")
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path)
    given = parser.parse_args(arguments)
    if given.results is not None and given.results.exists():
        rows = json.loads(given.results.read_text(encoding="utf-8"))
    else:
        rows = _measure(given)
        if given.results is not None:
            given.results.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(
            f"{row['diagnosis']}: right diagnosis in {row['coverage']:.3f} ({row['lower']:.3f} to "
            f"{row['upper']:.3f}) of {row['patients']} sets; {row['size']:.2f} diagnoses a set"
        )
    inside = sum(LOWEST <= row["coverage"] <= HIGHEST for row in rows)
    print(f"coverage between {LOWEST} and {HIGHEST}: {inside} of {len(rows)} diagnoses")
    return int(inside < len(rows))


def _measure(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Train on some patients of each diagnosis and answer others."""
    native, training = _patients(given)
    labels = native.samples["diagnosis"].to_numpy(dtype=object)
    cohort = training_cohort(native.subset(training), labels[training], 1)
    protocol = load_profile(given.profile, outer_folds=OUTER_FOLDS, seed=given.seed)
    model = trained_model(run_nested(cohort, HarmonizationOptions(), protocol))
    new = native.subset(~training)
    answers = apply_model(model, new, ApplyOptions(explain=False, advise_at_most=0)).samples
    answers = answers[answers["status"] == "answered"].set_index("sample")
    truth = new.samples["diagnosis"].loc[answers.index]
    sets = [str(held).split(", ") for held in answers["conformal_set"]]
    held = np.array([name in own for name, own in zip(truth, sets, strict=True)])
    sizes = np.array([len([name for name in own if name]) for own in sets])
    rows = []
    for name in cohort.classes:
        own = (truth == name).to_numpy()
        coverage = float(held[own].mean())
        lower, upper = wilson_interval(coverage, own.sum())
        rows.append(
            {
                "diagnosis": name,
                "coverage": coverage,
                "lower": float(lower),
                "upper": float(upper),
                "patients": int(own.sum()),
                "size": float(sizes[own].mean()),
            }
        )
    return rows


def _patients(given: argparse.Namespace) -> tuple[NativeScores, Any]:
    """Return one sample of each patient, and which are trained on."""
    counts = read_tables().counts["samples"].sort_values(ascending=False, kind="stable")
    chosen = [str(name) for name in counts.index[:DIAGNOSES]]
    wanted = given.patients + given.new
    native = simulate_cohort(least_patients=wanted, seed=given.seed).native
    native = native.subset(one_sample_per_patient(native.samples["patient"].to_numpy(), given.seed))
    rng = np.random.default_rng(given.seed)
    labels = native.samples["diagnosis"].to_numpy(dtype=object)
    picked = [rng.permutation(np.flatnonzero(labels == name))[:wanted] for name in chosen]
    rows = np.concatenate(picked)
    training = np.concatenate([np.arange(len(part)) < given.patients for part in picked])
    return native.subset(rows), training


if __name__ == "__main__":
    sys.exit(main())
