"""What wrong fat fractions, as wrong outlines make them, do to the answers of an ensemble."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.arrays import Bool, Float64
from pipelines.diagnosis.cohort import training_cohort
from pipelines.diagnosis.ensemble.average import Ensemble
from pipelines.diagnosis.evaluation.intervals import interval_of, proportions, resamples
from pipelines.diagnosis.evaluation.metrics import balanced_accuracy
from pipelines.diagnosis.evaluation.predictions import Predictions, check_predictions
from pipelines.diagnosis.protocol import load_profile
from pipelines.diagnosis.simulation.fat import MEASUREMENT_SD
from pipelines.diagnosis.simulation.simulate import simulate_cohort
from pipelines.diagnosis.training.nested import run_nested
from pipelines.diagnosis.training.refit import refit_ensemble
from pipelines.harmonization.harmonize import HarmonizationOptions
from pipelines.harmonization.scores.native import NativeScores
from pipelines.harmonization.scores.scales import MEASURED

# Of so many measured muscles with about the fat fraction of a simulated one, one lends its error.
LENDERS = 10
REPLICATES = 500
ALL_KINDS = "all"
SIDES_ALIKE = "all, sides alike"


@dataclass(frozen=True)
class Patients:
    """Simulated patients whose fat fractions are known.

    Attributes
    ----------
    samples : DataFrame
        Who they are, n rows.
    muscles : tuple of str
        The m feature muscles.
    fat_fraction : ndarray of float, shape (n, m, 2)
        Percent, left and right; NaN for muscles that their study or scan lacks.
    """

    samples: pd.DataFrame
    muscles: tuple[str, ...]
    fat_fraction: Float64

    def scores(self) -> NativeScores:
        """Return what a measurement without error would report."""
        mean = np.full((*self.fat_fraction.shape[:2], 1), np.nan)
        values = np.concatenate([self.fat_fraction, mean], axis=2)
        return NativeScores(self.samples.assign(scale=MEASURED), self.muscles, values)

    def diagnosed(self, classes: Sequence[str]) -> "Patients":
        """Return those with one of these diagnoses."""
        known = self.samples["diagnosis"].isin(classes).to_numpy()
        return Patients(self.samples[known], self.muscles, self.fat_fraction[known])

    def with_errors(self, errors: Float64) -> "Patients":
        """Add errors (n, m, 2), points, within what a fat fraction can be."""
        return replace(self, fat_fraction=np.clip(self.fat_fraction + errors, 0.0, 100.0))


def measured_patients(samples: int, seed: int, least_patients: int) -> Patients:
    """Simulate patients whose fat fractions are measured with the outlines of an expert."""
    simulated = simulate_cohort(samples, seed, least_patients=least_patients)
    native = simulated.native
    scored = np.asarray(np.isfinite(native.values).any(axis=2, keepdims=True))
    noise = np.random.default_rng(seed).standard_normal(simulated.fat_fraction.shape)
    truth = np.where(scored, simulated.fat_fraction, np.nan)
    return Patients(native.samples, native.muscles, truth).with_errors(MEASUREMENT_SD * noise)


def train(native: NativeScores) -> Ensemble:
    """Train an ensemble, cheaply."""
    protocol = load_profile("quick", comparators=False)
    labels = native.samples["diagnosis"].tolist()
    cohort = training_cohort(native, labels, protocol.minimum_samples)
    return refit_ensemble(run_nested(cohort, HarmonizationOptions(), protocol))


def answer_changes(
    ensemble: Ensemble, patients: Patients, measured: pd.DataFrame, seed: int = 0
) -> Iterator[Mapping[str, object]]:
    """Compare the answers with and without wrong outlines, of patients with a known diagnosis.

    ``measured`` holds ``kind``, ``target`` (Dice), ``ff`` and ``ff_error`` of perturbed outlines of
    one source. Yields a row per kind and Dice coefficient: all muscles of a patient are wrong in
    that way, or (kind ``all``) each in a way drawn at random, or (``all, sides alike``) both sides
    by the mean of their errors then. Changes are with minus without the errors, percent or points,
    with 95 % intervals of a bootstrap over patients.
    """
    known = patients.diagnosed(ensemble.classes)
    compare = Comparison.of(ensemble, known, seed)
    truth = known.fat_fraction
    for target, at_target in measured.groupby("target", sort=False):
        pools = {str(kind): rows for kind, rows in at_target.groupby("kind", sort=False)}
        # The same draws at every Dice coefficient: they differ by the outlines only.
        rng = np.random.default_rng(seed)
        drawn = {kind: draw_errors(pool, truth, rng) for kind, pool in pools.items()}
        chosen = rng.integers(len(drawn), size=truth.shape)
        drawn[ALL_KINDS] = np.choose(chosen, list(drawn.values()))
        mean = drawn[ALL_KINDS].mean(axis=2, keepdims=True)
        drawn[SIDES_ALIKE] = np.broadcast_to(mean, truth.shape)
        for kind, errors in drawn.items():
            outside = _share_outside(pools.get(kind, at_target), truth)
            yield {
                "kind": kind,
                "target": target,
                "outside_measured_ff": outside,
                **compare.with_errors(errors),
            }


def remeasured(ensemble: Ensemble, patients: Patients, seed: int = 0) -> Mapping[str, float]:
    """Compare the answers with those after another measurement in the same outlines: a yardstick.

    Both measurements have the simulated noise.
    """
    known = patients.diagnosed(ensemble.classes)
    noise = np.random.default_rng(seed).standard_normal(known.fat_fraction.shape)
    return Comparison.of(ensemble, known, seed).with_errors(np.sqrt(2) * MEASUREMENT_SD * noise)


@dataclass(frozen=True)
class Comparison:
    """Answers for patients, with which those under errors are compared."""

    ensemble: Ensemble
    patients: Patients
    before: Predictions
    weights: Float64

    @classmethod
    def of(cls, ensemble: Ensemble, patients: Patients, seed: int) -> "Comparison":
        """Have the ensemble answer."""
        before = _predictions(ensemble, patients)
        return cls(ensemble, patients, before, resamples(before, REPLICATES, seed).weights)

    def with_errors(self, errors: Float64) -> dict[str, float]:
        """Return what errors (n, m, 2), points, do to the answers."""
        before, rows = self.before, np.arange(self.before.n)
        after = _predictions(self.ensemble, self.patients.with_errors(errors))
        changed = (before.predicted != after.predicted)[:, None]
        share = proportions(changed, np.ones_like(changed), before.patient)
        accuracy = [balanced_accuracy(found, self.weights) for found in (before, after)]
        truth = [found.probabilities[rows, before.y] for found in (before, after)]
        probability = self.weights @ (truth[1] - truth[0]) / self.weights.sum(axis=1)
        figures = {
            "top1_changed": (share.value[0], share.lower[0], share.upper[0]),
            "balanced_accuracy_change": _bootstrapped(accuracy[1] - accuracy[0]),
            "true_probability_change": _bootstrapped(probability),
        }
        found = {"balanced_accuracy": accuracy[0][0], "true_probability": truth[0].mean()}
        for name, values in figures.items():
            found |= dict(zip(with_bounds(name), values, strict=True))
        return {
            "samples": before.n,
            "patients": int(before.patient.max()) + 1,
            "ff_mean_abs_error": float(np.nanmean(np.abs(errors))),
            **{name: 100.0 * float(value) for name, value in found.items()},
        }


def draw_errors(pool: pd.DataFrame, fat_fraction: Float64, rng: np.random.Generator) -> Float64:
    """Give every fat fraction the error of a measured muscle with about the same one.

    ``pool`` has ``ff`` and ``ff_error``; errors have the shape of ``fat_fraction``, NaN where that
    is NaN.
    """
    known = pool[["ff", "ff_error"]].dropna().sort_values("ff")
    ff, error = known["ff"].to_numpy(np.float64), known["ff_error"].to_numpy(np.float64)
    width = min(LENDERS, len(ff))
    first = np.clip(np.searchsorted(ff, fat_fraction) - width // 2, 0, len(ff) - width)
    picked = error[first + rng.integers(width, size=fat_fraction.shape)]
    return np.where(np.isnan(fat_fraction), np.nan, picked)


def _share_outside(pool: pd.DataFrame, fat_fraction: Float64) -> float:
    """Return the share (percent) of muscles fatter or leaner than any that lent its error."""
    known = fat_fraction[np.isfinite(fat_fraction)]
    outside: Bool = (known < pool["ff"].min()) | (known > pool["ff"].max())
    return 100.0 * float(outside.mean())


def _predictions(ensemble: Ensemble, patients: Patients) -> Predictions:
    number = {name: k for k, name in enumerate(ensemble.classes)}
    probabilities = ensemble.probabilities(ensemble.predict(patients.scores()))
    return check_predictions(
        patients.samples["diagnosis"].map(number).to_numpy(),
        probabilities,
        ensemble.classes,
        fold=np.zeros(len(probabilities), np.int64),
        patient=patients.samples["patient"].to_numpy(),
    )


def with_bounds(name: str) -> tuple[str, str, str]:
    """Name the columns of a figure and its interval."""
    return name, f"{name}_lower", f"{name}_upper"


def _bootstrapped(values: Float64) -> tuple[float, float, float]:
    """Return a figure on all samples and its interval; the one fold repeats all samples."""
    lower, upper = interval_of(values[2:])
    return float(values[0]), float(lower), float(upper)
