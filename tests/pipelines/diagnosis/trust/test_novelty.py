import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta

from pipelines.diagnosis.trust.novelty import (
    Novelty,
    cross_fitted_flags,
    fit_novelty,
    held_out_shares,
    patient_folds,
    share_at_least,
)
from pipelines.errors import DataError
from tests.pipelines.diagnosis.predicted_cohort import CLASSES, cohort


def fit(made, **options):
    return fit_novelty(
        made.features, made.y, CLASSES, patient=made.samples["patient"].to_numpy(), **options
    )


def test_shares_by_hand():
    reference = np.array([3.0, 1.0, 2.0, 2.0])
    np.testing.assert_allclose(
        share_at_least(reference, np.array([0.0, 2.0, 3.0, 9.0])), [1, 0.8, 0.4, 0.2]
    )


def test_new_ordinary_patients_are_flagged_at_the_stated_rate():
    fitted = fit(cohort(patients=(250, 250, 250, 250)))
    new = cohort(patients=(1000, 1000, 1000, 1000), seed=8)
    found = fitted.scores(new.features)
    low, high = fitted.expected
    assert low - 0.007 < found.flagged.mean() < high + 0.007  # two standard errors of new ones
    np.testing.assert_array_equal(found.flagged, found.typicality <= 5)
    assert found.typicality.min() > 0
    assert found.typicality.max() <= 100
    assert np.median(found.typicality) == pytest.approx(50, abs=5)


def test_the_rate_holds_where_classes_mean_nothing():
    rates, rng = [], np.random.default_rng(3)
    for _ in range(8):
        features, patients = rng.normal(size=(800, 12)), np.arange(300)
        dealt = rng.integers(4, size=300)
        fitted = fit_novelty(features[:300], dealt, CLASSES, patient=patients)
        rates.append(fitted.scores(features[300:]).flagged.mean())
    # Standard error of the mean of eight: 0.0056.
    assert np.mean(rates) == pytest.approx(0.05, abs=0.012)


def test_expected_rate_is_that_of_an_order_statistic():
    fitted = fit(cohort())
    assert len(fitted.shares) == 285
    assert fitted.expected == pytest.approx(beta.ppf([0.025, 0.975], 14, 272))
    assert fit(cohort(patients=(2000, 10, 10, 10))).expected[1] < fitted.expected[1]


def test_held_out_shares_know_nothing_of_their_fold():
    made = cohort()
    fold = patient_folds(made.samples["patient"], 0)
    every = np.arange(len(made.y))
    shares = held_out_shares(made.features, made.y, 4, fold=fold, chosen=every)
    changed = made.features.copy()
    changed[fold == 3] += 100
    moved = held_out_shares(changed, made.y, 4, fold=fold, chosen=every)
    assert (moved[fold == 3] < 0.05).all()
    assert (moved[fold != 3] != shares[fold != 3]).any()
    alone = held_out_shares(changed, np.where(fold == 3, 0, made.y), 4, fold=fold, chosen=every)
    np.testing.assert_array_equal(alone[fold == 3], moved[fold == 3])


def test_measured_rate_is_that_of_limits_set_with_other_folds():
    shares, fold = np.array([0.01, 0.2, 0.3, 0.4, 0.02]), np.array([0, 0, 1, 1, 1])
    flagged = cross_fitted_flags(shares, fold, 0.25)
    assert list(flagged) == [True, False, False, False, False]
    assert fit(cohort()).measured_rate == pytest.approx(0.05, abs=0.03)


def test_samples_of_a_patient_share_a_fold():
    folds = patient_folds(np.repeat(np.arange(50), 3), 0).reshape(50, 3)
    assert (folds == folds[:, :1]).all()
    assert set(np.bincount(folds[:, 0])) == {5}


def test_patients_far_from_every_disease_are_flagged():
    fitted = fit(cohort())
    far = fitted.scores(np.full((1, 4), 20.0))
    assert far.flagged[0]
    assert far.typicality[0] < 3
    centre = fitted.references[0].class_distance.means[2][None, :]
    assert fitted.scores(centre).typicality[0] > 50


def test_reference_is_one_held_out_sample_per_patient():
    fitted = fit(cohort(visits=2))
    assert len(fitted.shares) == 285
    assert sum(len(reference.distance) for reference in fitted.references) == 285


def test_store_and_restore():
    made = cohort()
    fitted = fit(made)
    restored = Novelty.from_dict(json.loads(json.dumps(fitted.as_dict())))
    expected, found = fitted.scores(made.features), restored.scores(made.features)
    np.testing.assert_array_equal(found.typicality, expected.typicality)
    assert restored.classes == CLASSES
    assert restored.measured_rate == fitted.measured_rate


@pytest.mark.parametrize("rate", [0.001, 0.0, 1.0])
def test_rates_that_the_patients_cannot_carry(rate):
    with pytest.raises(DataError, match=r"false-positive rate of .* cannot be set with 285"):
        fit(cohort(), false_positive_rate=rate)


def test_features_of_another_model():
    made = cohort()
    with pytest.raises(DataError, match="features has 3 columns, 4 are needed"):
        fit(made).scores(made.features[:, :3])


def test_texts_never_claim_an_unknown_disease():
    fitted = replace(fit(cohort()), false_positive_rate=0.08)
    flagged, usual = fitted.text(3.1), fitted.text(41.2)
    assert flagged.startswith("Unlike the patients the model was trained on: only 3.1 %")
    assert (
        "8 % of ordinary patients get this flag too (5 to 11 %; set with 285 patients)" in flagged
    )
    assert "may not be one the model knows" in flagged
    assert usual.startswith("Within the range of the training data: 41 %")
    assert "does not prove" in usual
