"""Copies of patients under other labels are found, chance likenesses are not."""

import numpy as np
import pandas as pd
import pytest

from pipelines.diagnosis.simulation.simulate import simulate_cohort
from pipelines.harmonization.duplicates import find_duplicates
from pipelines.harmonization.scaling import scale_to_percent, side_mean

ROWS = [3, 40, 111, 200, 333]


@pytest.fixture(scope="module")
def simulated():
    native = simulate_cohort(samples=400, seed=0).native
    names = native.samples["scale"].to_numpy(dtype=object)
    return native.samples, side_mean(scale_to_percent(native.values, names))


def with_copies(simulated, change=lambda percent: percent, **people):
    """Add some samples again, under labels of another study."""
    samples, percent = simulated
    copies = samples.iloc[ROWS].assign(**people)
    copies["patient"] = "other/" + copies["patient"]
    names = [f"other/{i}" for i in ROWS]
    copies.index = pd.Index(names, name="sample")
    expected = list(zip(samples.index[ROWS], names, strict=True))
    both = np.vstack([percent, change(percent[ROWS])])
    return find_duplicates(pd.concat([samples, copies]), both), expected


def test_different_patients_are_not_called_one(simulated):
    assert find_duplicates(*simulated) == []


def test_copies_are_found_with_and_without_age_and_sex(simulated):
    for people in ({}, {"age": np.nan, "sex": None}):
        found, expected = with_copies(simulated, **people)
        assert found == expected


def test_copies_of_which_some_muscles_were_left_out_are_found(simulated):
    def fewer(percent):
        return np.where(np.arange(percent.shape[1]) % 3 == 0, np.nan, percent)

    found, expected = with_copies(simulated, fewer)
    assert set(found) <= set(expected)
    assert len(found) >= 4


def test_whole_rows_are_found_though_a_sex_is_coded_otherwise_or_years_have_passed(simulated):
    samples, _ = simulated
    other = samples["sex"].iloc[ROWS].map({"M": "F", "F": "M"})
    for people in ({"sex": other}, {"age": samples["age"].iloc[ROWS] + 3}):
        found, expected = with_copies(simulated, **people)
        assert set(found) <= set(expected)
        assert len(found) >= 4


def test_another_sex_and_age_outweigh_likenesses_that_are_hardly_no_chance():
    rng = np.random.default_rng(1)
    percent = np.full((101, 8), np.nan)
    percent[:] = rng.choice([0.0, 25.0, 50.0, 75.0], (101, 8))
    percent[100] = percent[3]  # 8 muscles of 2 bits each; 19 are needed
    people = pd.DataFrame({"patient": np.arange(101), "sex": "F", "age": 40.0})
    assert (3, 100) in {(int(a), int(b)) for a, b in find_duplicates(people, percent)}
    people.loc[100, ["sex", "age"]] = ["M", 60.0]
    assert find_duplicates(people, percent) == []


def test_another_score_is_another_person(simulated):
    found, _ = with_copies(simulated, lambda percent: percent + 0.5)
    assert found == []


def test_normal_muscles_are_alike_by_chance():
    rng = np.random.default_rng(0)
    percent = np.where(rng.random((300, 20)) < 0.03, 25.0, 0.0)
    people = pd.DataFrame({"patient": np.arange(300), "sex": None, "age": np.nan})
    assert find_duplicates(people, percent) == []


def test_visits_of_one_patient_are_no_duplicates(simulated):
    samples, percent = simulated
    twice = samples.iloc[ROWS].copy()
    twice.index = pd.Index([f"again-{i}" for i in ROWS], name="sample")
    both = pd.concat([samples, twice]), np.vstack([percent, percent[ROWS]])
    assert find_duplicates(*both) == []
