"""The simulated cohort as a whole: scores, missing blocks, truth, determinism, difficulty."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipelines.diagnosis.simulation.simulate import simulate_cohort
from pipelines.diagnosis.simulation.tables import read_tables
from pipelines.errors import DataError
from pipelines.harmonization.harmonize import fit_harmonization
from pipelines.harmonization.scores.native import to_native
from pipelines.harmonization.scores.regrouping import default_regrouping
from pipelines.harmonization.scores.scales import scales


@pytest.fixture(scope="module")
def cohort():
    return simulate_cohort()


def test_muscles_are_the_features_of_the_harmonization(cohort):
    assert cohort.native.muscles == default_regrouping().features
    assert cohort.native.values.shape == (2961, 33, 3)
    assert cohort.fat_fraction.shape == (2961, 33, 2)


def test_same_seed_same_cohort_and_another_seed_another_one(cohort):
    again = simulate_cohort()
    pd.testing.assert_frame_equal(again.native.samples, cohort.native.samples)
    np.testing.assert_array_equal(again.native.values, cohort.native.values)
    np.testing.assert_array_equal(again.fat_fraction, cohort.fat_fraction)
    assert not np.array_equal(simulate_cohort(seed=1).fat_fraction, cohort.fat_fraction)


def test_scores_lie_on_their_scale_and_whole_grades_are_given_per_side(cohort):
    names = cohort.native.samples["scale"].to_numpy()
    for name in set(names):
        scale, values = scales()[name], cohort.native.values[names == name]
        found = values[~np.isnan(values)]
        assert found.min() == pytest.approx(scale.lowest, abs=0.1)
        assert found.max() <= scale.highest
        if scale.grades:
            sides = values[..., :2]
            assert set(sides[~np.isnan(sides)]) <= set(scale.grades)
            assert set(found) <= {g / 2 for g in range(2 * int(scale.highest) + 1)}


def test_every_study_reports_the_sides_it_says(cohort):
    scored = ~np.isnan(cohort.native.values)
    sides = cohort.native.samples["sides"].to_numpy()
    left, right, both = (scored[..., k].any(axis=1) for k in range(3))
    bilateral, average, one = (sides == s for s in ("bilateral", "average", "unilateral"))
    assert (left & right & ~both)[bilateral].all()
    assert (both & ~left & ~right)[average].all()
    assert ((left ^ right) & ~both)[one].all()
    # Readers of one-sided studies look at both sides equally often, always the same of a patient.
    assert 0.4 < left[one].mean() < 0.6
    people = cohort.native.samples[one]
    assert (pd.Series(left[one]).groupby(people["patient"].to_numpy()).nunique() == 1).all()


def test_muscles_are_missing_in_blocks_by_study(cohort):
    missing = np.isnan(cohort.native.values).all(axis=2)
    assert missing.mean() == pytest.approx(0.26, abs=0.03)
    region = read_tables().coverage["region"].to_numpy()
    masks = set()
    for rows in cohort.native.samples.groupby("study").indices.values():
        of_study = missing[rows].all(axis=0)
        masks.add(of_study.tobytes())
        # What else is missing are whole regions that single scans lost.
        for mask in np.unique(missing[rows], axis=0):
            for name in ("pelvis", "thigh", "leg"):
                lost = region == name
                assert mask[lost].all() or (mask[lost] == of_study[lost]).all()
    assert len(masks) > 30
    assert (~missing).sum(axis=1).min() >= 5


def test_the_truth_explains_the_scores(cohort):
    samples = cohort.native.samples
    ff = (samples["scale"] == "FF").to_numpy()
    error = cohort.native.values[ff, :, 2] - cohort.fat_fraction[ff].mean(axis=2)
    # Two sides measured with SD 1.5 each.
    assert np.nanstd(error) == pytest.approx(1.5 / np.sqrt(2), abs=0.05)
    assert abs(np.nanmean(error)) < 0.05
    graded = ((samples["scale"] == "0-4") & (samples["sides"] == "bilateral")).to_numpy()
    truth, grade = cohort.fat_fraction[graded], cohort.native.values[graded, :, :2]
    assert ((grade >= 3) == (truth > 50))[~np.isnan(grade)].mean() > 0.97


def test_long_table_gives_the_same_scores_back(cohort):
    table = cohort.score_table()
    assert len(table.scores) == (~np.isnan(cohort.native.values)).sum()
    native = to_native(table)
    np.testing.assert_array_equal(native.values, cohort.native.values)
    assert list(native.samples.index) == list(cohort.native.samples.index)
    for column in ("patient", "sides", "diagnosis", "sex"):
        same = native.samples[column].fillna("?") == cohort.native.samples[column].fillna("?")
        assert same.all(), column


def test_names_say_simulated(cohort):
    assert cohort.native.samples["study"].str.startswith("simulated-").all()
    assert cohort.native.samples["participant"].str.startswith("sim").all()
    assert set(cohort.score_table().scores["source"]) == {"simulated"}


def test_a_harder_cohort_is_harder():
    from sklearn.neighbors import NearestCentroid

    def score(difficulty):
        native = simulate_cohort(900, difficulty=difficulty).native
        features = fit_harmonization(native).transform(native)[:, :33]
        features = np.nan_to_num(features)
        train = np.arange(len(features)) % 2 == 0
        y = native.samples["diagnosis"].to_numpy()
        return NearestCentroid().fit(features[train], y[train]).score(features[~train], y[~train])

    assert score(0.3) > score(1.5) + 0.1 > score(3.0) + 0.2


def test_small_cohort_for_three_folds():
    native = simulate_cohort(200, least_patients=6).native
    assert len(native.samples) < 250
    assert native.samples.groupby("diagnosis")["patient"].nunique().min() >= 6


@pytest.mark.parametrize("bad", [{"samples": 0}, {"least_patients": 0}, {"difficulty": -1}])
def test_senseless_numbers_are_refused(bad):
    with pytest.raises(DataError, match="samples and least_patients must be at least 1"):
        simulate_cohort(**bad)


def test_a_cohort_is_immutable(cohort):
    with pytest.raises(dataclasses.FrozenInstanceError):
        cohort.native = None
