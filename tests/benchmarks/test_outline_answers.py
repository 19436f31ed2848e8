"""Errors lent to simulated patients, and what the answers make of them."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from benchmarks.outline_answers import (
    LENDERS,
    Patients,
    answer_changes,
    draw_errors,
    measured_patients,
    remeasured,
    train,
)
from pipelines.diagnosis.ensemble.average import Ensemble


@pytest.fixture(scope="module")
def patients() -> Patients:
    return measured_patients(150, 1, 4)


@pytest.fixture(scope="module")
def ensemble() -> Iterator[Ensemble]:
    return train(measured_patients(200, 0, 6).scores())


def measured(errors: dict[str, float], target: float = 0.9) -> pd.DataFrame:
    """Return outlines of muscles of 0 to 100 % fat with one error for each kind."""
    return pd.DataFrame(
        [
            {"kind": kind, "target": target, "ff": ff, "ff_error": error}
            for kind, error in errors.items()
            for ff in np.linspace(0, 100, 21)
        ]
    )


def test_errors_come_from_muscles_of_about_the_same_fat_fraction() -> None:
    ff = np.arange(100.0)
    pool = pd.DataFrame({"ff": ff, "ff_error": ff / 10})[::-1]
    truth = np.array([[[0.0, 50.0], [200.0, np.nan]]])
    rng = np.random.default_rng(0)
    drawn = np.stack([draw_errors(pool, truth, rng)[0] for _ in range(300)])
    near = {(0, 0): range(LENDERS), (0, 1): range(45, 55), (1, 0): range(90, 100)}
    for place, lenders in near.items():
        assert set(drawn[:, *place]) == {number / 10 for number in lenders}
    assert np.isnan(drawn[:, 1, 1]).all()


def test_a_pool_smaller_than_the_lenders_is_used_whole() -> None:
    pool = pd.DataFrame({"ff": [10.0, 20.0, np.nan], "ff_error": [1.0, 2.0, 3.0]})
    drawn = draw_errors(pool, np.full((200, 1, 2), 50.0), np.random.default_rng(0))
    assert set(drawn.ravel()) == {1.0, 2.0}


def test_fat_fractions_stay_possible(patients: Patients) -> None:
    for error, end in ((200.0, 100.0), (-200.0, 0.0)):
        wrong = patients.with_errors(np.full(patients.fat_fraction.shape, error)).fat_fraction
        assert set(wrong[np.isfinite(wrong)]) == {end}
        assert np.array_equal(np.isnan(wrong), np.isnan(patients.fat_fraction))


def test_patients_are_scored_in_percent_on_both_sides(patients: Patients) -> None:
    scores = patients.scores()
    assert set(scores.samples["scale"]) == {"FF"}
    assert np.isnan(scores.values[..., 2]).all()
    missing = np.isnan(scores.values[..., :2])
    assert np.array_equal(missing[..., 0], missing[..., 1])
    assert 0.0 < missing.mean() < 0.5


def test_no_error_changes_no_answer(ensemble: Ensemble, patients: Patients) -> None:
    rows = list(answer_changes(ensemble, patients, measured({"eroded": 0.0, "shifted": 0.0})))
    assert [row["kind"] for row in rows] == ["eroded", "shifted", "all", "all, sides alike"]
    for row in rows:
        for name in ("top1_changed", "balanced_accuracy_change", "true_probability_change"):
            assert row[name] == 0.0
        assert row["ff_mean_abs_error"] == 0.0
        assert row["outside_measured_ff"] == 0.0
        known = patients.samples["diagnosis"].isin(ensemble.classes)
        assert row["samples"] == known.sum()
        assert row["patients"] == patients.samples["patient"][known].nunique()


def test_larger_errors_change_more_answers(ensemble: Ensemble, patients: Patients) -> None:
    pools = pd.concat(
        [measured({"up": 2.0, "down": -2.0}, 0.9), measured({"up": 30.0, "down": -30.0}, 0.5)]
    )
    found = {(row["kind"], row["target"]): row for row in answer_changes(ensemble, patients, pools)}
    small, large = found["all", 0.9], found["all", 0.5]
    assert small["ff_mean_abs_error"] == 2.0
    assert 0 < small["top1_changed"] < large["top1_changed"] - 20
    assert large["balanced_accuracy_change_upper"] < 0
    assert large["true_probability_change_upper"] < small["true_probability_change"]
    for row in (small, large):
        assert row["top1_changed_lower"] < row["top1_changed"] < row["top1_changed_upper"]


def test_sides_alike_have_the_mean_of_both_errors(ensemble: Ensemble, patients: Patients) -> None:
    pools = measured({"up": 20.0, "down": -20.0})
    found = {row["kind"]: row for row in answer_changes(ensemble, patients, pools)}
    # Of +20 or -20 on either side, the mean is 20 in half of the muscles and 0 in the others.
    assert found["all"]["ff_mean_abs_error"] == 20.0
    assert found["all, sides alike"]["ff_mean_abs_error"] == pytest.approx(10.0, abs=0.5)


def test_the_same_seed_gives_the_same_figures(ensemble: Ensemble, patients: Patients) -> None:
    first, second = (remeasured(ensemble, patients) for _ in range(2))
    assert first == second
    # Mean of |N(0, 1.5 sqrt 2)|, with the noise of the simulation.
    assert first["ff_mean_abs_error"] == pytest.approx(
        1.5 * np.sqrt(2) * np.sqrt(2 / np.pi), rel=0.03
    )
    assert first["top1_changed"] > 0


def test_fat_fractions_beyond_the_measured_ones_are_counted(
    ensemble: Ensemble, patients: Patients
) -> None:
    pool = measured({"eroded": 0.0}).query("20 <= ff <= 60")
    row, *_ = answer_changes(ensemble, patients, pool)
    truth = patients.diagnosed(ensemble.classes).fat_fraction
    known = truth[np.isfinite(truth)]
    assert row["outside_measured_ff"] == pytest.approx(100 * np.mean((known < 20) | (known > 60)))
