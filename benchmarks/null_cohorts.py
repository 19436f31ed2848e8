#!/usr/bin/env python3
"""Cohorts in which there is nothing to find, and whether the software says so.

null_cohorts.py [--cohorts 30] [--rated 5] [--patients 300] [--new 600] [--profile quick]
[--results FILE.jsonl]

Simulated muscle scores whose diagnoses are dealt to the patients at random. For every cohort the
interval of balanced accuracy must hold chance. For the first ``--rated`` of them, as many new
patients as ``--new`` says are answered by the stored model: the flag for patients unlike the
training data must hit them at the stated rate, within the interval of that rate. A weak model is
the hard case, since its probabilities carry nothing.

Cohorts that stand in the file of results are not computed again. Quick run: ``--cohorts 2 --rated
1 --patients 120 --new 100``.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import betabinom

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from pipelines.diagnosis.application.apply import ApplyOptions, apply_model  # noqa: E402
from pipelines.diagnosis.cohort import training_cohort  # noqa: E402
from pipelines.diagnosis.evaluation.evaluate import evaluate  # noqa: E402
from pipelines.diagnosis.evaluation.intervals import wilson_interval  # noqa: E402
from pipelines.diagnosis.model.diagnosis_model import DiagnosisModel, build_model  # noqa: E402
from pipelines.diagnosis.protocol import load_profile  # noqa: E402
from pipelines.diagnosis.simulation.design import PATIENTS_PER_SAMPLE  # noqa: E402
from pipelines.diagnosis.simulation.simulate import simulate_cohort  # noqa: E402
from pipelines.diagnosis.training.nested import NestedResult, run_nested  # noqa: E402
from pipelines.diagnosis.training.refit import refit_ensemble  # noqa: E402
from pipelines.diagnosis.trust.checks import one_sample_per_patient  # noqa: E402
from pipelines.harmonization.harmonize import HarmonizationOptions  # noqa: E402
from pipelines.harmonization.scores.native import NativeScores  # noqa: E402

CLASSES = ("A", "B", "C", "D", "E", "F")
# Folds of the evaluation; the other numbers are those of the profile.
OUTER_FOLDS = 5
# Of 30 intervals of 95 % three may miss chance (binomial: 0.94 of the time no more do).
LEAST_SHARE = 27 / 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Compute what is not there yet and print; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=30)
    parser.add_argument("--rated", type=int, default=5)
    parser.add_argument("--patients", type=int, default=300, help="patients to train on")
    parser.add_argument("--new", type=int, default=600, help="patients to answer")
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--results", type=Path, default=Path("null_cohorts.jsonl"))
    given = parser.parse_args(arguments)
    known = {row["seed"]: row for row in map(json.loads, _lines(given.results))}
    rows = []
    for seed in range(given.cohorts):
        rated = seed < given.rated
        row = known.get(seed)
        if row is None or row["settings"] != _settings(given) or (rated and "flagged" not in row):
            row = _measure(seed, given, rated=rated)
            with given.results.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
        rows.append(row)
        print(_line(row), flush=True)
    return _verdict(rows)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _settings(given: argparse.Namespace) -> dict[str, Any]:
    return {"patients": given.patients, "new": given.new, "profile": given.profile}


def _measure(seed: int, given: argparse.Namespace, *, rated: bool) -> dict[str, Any]:
    """Train on one null cohort, and answer new patients if wanted."""
    native, labels, training = null_scores(seed, given.patients, given.new)
    cohort = training_cohort(native.subset(training), labels[training], 1)
    protocol = load_profile(given.profile, outer_folds=OUTER_FOLDS, seed=seed)
    nested = run_nested(cohort, HarmonizationOptions(), protocol)
    evaluation = evaluate(
        cohort.y,
        nested.probabilities,
        cohort.classes,
        nested.fold,
        cohort.native.samples,
        margins=nested.margins,
    )
    accuracy = evaluation.headline["balanced_accuracy"]
    row = {"seed": seed, "settings": _settings(given)}
    row |= {name: accuracy[name] for name in ("value", "lower", "upper")}
    if rated:
        row |= _flag_rate(trained_model(nested), native.subset(~training), seed)
    return row


def null_scores(seed: int, patients: int, new: int) -> tuple[NativeScores, Any, Any]:
    """Return scores, diagnoses dealt at random to patients, and which samples are trained on."""
    samples = round(1.05 * (patients + new) / PATIENTS_PER_SAMPLE)
    native = simulate_cohort(samples=samples, seed=seed).native
    patient, codes = np.unique(native.samples["patient"].astype(str), return_inverse=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(patient))
    dealt = np.array(CLASSES, dtype=object)[rng.integers(len(CLASSES), size=len(patient))]
    place = np.argsort(order)[codes]
    used = place < patients + new
    return native.subset(used), dealt[codes][used], place[used] < patients


def trained_model(nested: NestedResult) -> DiagnosisModel:
    """Return the model of a search, as it would be stored."""
    return build_model(
        "benchmark", refit_ensemble(nested), nested, origin="simulated", created="2026-01-01"
    )


def _flag_rate(model: DiagnosisModel, new: NativeScores, seed: int) -> dict[str, Any]:
    """Return how many new patients, one sample each, get the flag, and how many may.

    The limit is set with a number of patients, so that the share of all patients beyond it is not
    exactly the stated one; the number of new patients flagged is beta-binomial.
    """
    chosen = new.subset(one_sample_per_patient(new.samples["patient"].to_numpy(), seed))
    answers = apply_model(model, chosen, ApplyOptions(explain=False, advise_at_most=0)).samples
    flags = answers.loc[answers["status"] == "answered", "unlike_training"].astype(bool)
    lower, upper = wilson_interval(flags.mean(), len(flags))
    assert model.novelty is not None
    known, stated = len(model.novelty.shares), model.novelty.false_positive_rate
    beyond = int(stated * (known + 1))
    allowed = betabinom(len(flags), beyond, known + 1 - beyond).interval(0.95)
    return {
        "stated": stated,
        "least": allowed[0] / len(flags),
        "most": allowed[1] / len(flags),
        "measured": model.novelty.measured_rate,
        "flagged": float(flags.mean()),
        "flagged_lower": float(lower),
        "flagged_upper": float(upper),
        "answered": len(flags),
    }


def _line(row: dict[str, Any]) -> str:
    text = f"cohort {row['seed']}: balanced accuracy {row['value']:.3f} "
    text += f"({row['lower']:.3f} to {row['upper']:.3f})"
    if "flagged" in row:
        text += (
            f"; flagged {row['flagged']:.1%} of {row['answered']} new patients "
            f"({row['flagged_lower']:.1%} to {row['flagged_upper']:.1%}), stated "
            f"{row['stated']:.0%} (so {row['least']:.1%} to {row['most']:.1%}), measured in "
            f"training {row['measured']:.1%}"
        )
    return text


def _verdict(rows: list[dict[str, Any]]) -> int:
    chance = 1 / len(CLASSES)
    held = sum(row["lower"] <= chance <= row["upper"] for row in rows)
    rated = [row for row in rows if "flagged" in row]
    inside = sum(row["least"] <= row["flagged"] <= row["most"] for row in rated)
    print(f"chance ({chance:.3f}) in the interval of {held} of {len(rows)} cohorts")
    print(
        f"rate on new patients in the interval of the stated one: {inside} of {len(rated)} cohorts"
    )
    return int(held < LEAST_SHARE * len(rows) or inside < len(rated))


if __name__ == "__main__":
    sys.exit(main())
