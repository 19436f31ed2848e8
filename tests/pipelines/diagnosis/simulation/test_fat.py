"""True fat fractions follow the written-down patterns; readers grade them by the thresholds."""

import numpy as np
import pytest

from pipelines.diagnosis.simulation.design import design_cohort
from pipelines.diagnosis.simulation.fat import Heterogeneity, simulate_reading, true_fat_fractions
from pipelines.diagnosis.simulation.tables import read_tables

TABLES = read_tables()


@pytest.fixture(scope="module")
def rows():
    return design_cohort(TABLES, 2961, 1, np.random.default_rng(0))


def truth_of(rows, spread):
    return true_fat_fractions(TABLES, rows, spread, np.random.default_rng(1))


def test_without_heterogeneity_muscles_are_ordered_by_the_pattern(rows):
    truth = truth_of(rows, Heterogeneity(patient=0.0, visit=0.0)).mean(axis=2)
    for label in ("GNE", "DUX4", "SarcoG"):
        mean = truth[(rows["diagnosis"] == label).to_numpy()].mean(axis=0)
        pattern = TABLES.patterns[label].to_numpy()
        per_step = [mean[pattern == step].mean() for step in np.unique(pattern)]
        assert (np.diff(per_step) > 1).all()
        # Muscles with the same step differ only by the sides' random difference.
        assert max(np.ptp(mean[pattern == step]) for step in np.unique(pattern)) < 2


def test_muscles_named_by_the_literature_are_the_most_and_least_affected():
    muscles = TABLES.patterns
    assert muscles.loc["vastus_lateralis", "GNE"] == muscles["GNE"].min()
    assert muscles.loc["tibialis_anterior", "GNE"] == muscles["GNE"].max()
    assert muscles.loc["semitendinosus", "TTN"] == muscles["TTN"].max()
    assert muscles.loc["adductor_magnus", "CAPN3"] == muscles["CAPN3"].max()
    # Verdu-Diaz et al. 2025, section 3.1: pelvic muscles early, tibialis posterior and flexor
    # digitorum longus least in SarcoG.
    assert muscles.loc["gluteus_maximus", "SarcoG"] == muscles["SarcoG"].max()
    least = muscles.index[muscles["SarcoG"] == muscles["SarcoG"].min()]
    assert {"tibialis_posterior", "flexor_digitorum_longus"} <= set(least)


def test_channelopathies_are_near_normal_and_visits_progress(rows):
    truth = truth_of(rows, Heterogeneity(patient=1.0)).mean(axis=(1, 2))
    mean = {name: truth[(rows["diagnosis"] == name).to_numpy()].mean() for name in TABLES.labels}
    assert {"CLCN1", "SCN4A", "HypoPP"} < set(sorted(mean, key=mean.__getitem__)[:4])
    assert mean["CLCN1"] < 10
    assert mean["HypoPP"] < 20 < mean["DYSF"]
    assert truth.min() >= 2.5
    assert truth.max() <= 94.5
    first = truth[(rows["visit"] == 0).to_numpy() & (rows["session"] != "").to_numpy()]
    last = truth[(rows["visit"] == 1).to_numpy()]
    assert len(first) == len(last)
    assert 0.3 < (last - first).mean() < 5


def test_sides_differ_most_in_facioscapulohumeral_dystrophy(rows):
    truth = truth_of(rows, Heterogeneity(patient=0.0))
    difference = np.abs(truth[..., 0] - truth[..., 1]).mean(axis=1)
    mean = {n: difference[(rows["diagnosis"] == n).to_numpy()].mean() for n in TABLES.labels}
    assert max(mean, key=mean.__getitem__) == "DUX4"


@pytest.mark.parametrize(
    ("scale", "lowest", "grades"),
    [
        ("0-4", 0, [0, 1, 2, 3, 4]),
        ("0-5", 0, [0, 2, 3, 4, 5]),
        ("1-4", 1, [1, 2, 3, 4, 4]),
        ("2a2b", 0, [0, 2, 3, 4, 4]),
    ],
)
def test_grades_change_at_the_thresholds(monkeypatch, scale, lowest, grades):
    monkeypatch.setattr("pipelines.diagnosis.simulation.fat.READER_SD", 0.0)
    fat = np.array([2.0, 20.0, 40.0, 66.0, 90.0])
    scores = simulate_reading(fat, scale, TABLES, lowest, np.random.default_rng(0))
    np.testing.assert_array_equal(scores, grades)


def test_measured_fat_fractions_scatter_around_the_truth_within_0_and_100():
    fat = np.repeat([0.0, 40.0, 100.0], 4000)
    scores = simulate_reading(fat, "FF", TABLES, 0, np.random.default_rng(0))
    assert scores.min() == 0
    assert scores.max() == 100
    assert scores[4000:8000].mean() == pytest.approx(40, abs=0.1)
    assert scores[4000:8000].std() == pytest.approx(1.5, abs=0.1)


def test_readers_disagree_with_themselves_near_a_threshold():
    scores = simulate_reading(np.full(4000, 25.0), "0-4", TABLES, 0, np.random.default_rng(0))
    assert set(scores) == {1, 2}
    assert scores.mean() == pytest.approx(1.5, abs=0.03)
