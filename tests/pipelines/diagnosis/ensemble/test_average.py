"""Averaging of members."""

import numpy as np
import pytest

from pipelines.diagnosis.cohort import training_cohort
from pipelines.diagnosis.ensemble.average import (
    Ensemble,
    MemberParameters,
    combined_probabilities,
    softmax,
)
from pipelines.diagnosis.training.members import train_ensemble
from pipelines.harmonization.harmonize import HarmonizationOptions
from tests.pipelines.diagnosis.small_cohorts import small_cohort, tiny_protocol

VALUES = {
    "eta": 0.3, "max_depth": 2, "min_child_weight": 1.0, "subsample": 1.0,
    "colsample_bytree": 1.0, "lambda": 1.0, "gamma": 0.0, "rounds": 4, "knn_k": 3,
}  # fmt: skip
MARGINS = np.array([[[0.0, np.log(3)]], [[0.0, 0.0]]], np.float32)


def test_softmax_of_large_margins():
    np.testing.assert_allclose(softmax(np.array([[1000.0, 1000.0 + np.log(3)]])), [[0.25, 0.75]])


def test_margins_are_averaged_before_the_softmax():
    root = np.sqrt(3)
    np.testing.assert_allclose(
        combined_probabilities(MARGINS), [[1 / (1 + root), root / (1 + root)]], rtol=1e-6
    )


def test_probabilities_can_be_averaged_instead():
    np.testing.assert_allclose(
        combined_probabilities(MARGINS, "probabilities"), [[0.375, 0.625]], rtol=1e-6
    )


@pytest.mark.parametrize("combine", ["margins", "probabilities"])
def test_temperature_divides_the_margins(combine):
    np.testing.assert_allclose(
        combined_probabilities(MARGINS * 2, combine, 2.0),
        combined_probabilities(MARGINS, combine),
    )


@pytest.fixture(scope="module")
def trained():
    native, labels = small_cohort()
    cohort = training_cohort(native, labels, 5)
    members = [
        MemberParameters(0, 3, 0.6, VALUES),
        MemberParameters(1, 2, 0.5, {**VALUES, "knn_k": 5, "rounds": 2}),
    ]
    rows = np.arange(len(cohort.y))
    ticks = []

    def train(method):
        options = HarmonizationOptions(method=method, draws=3)
        return train_ensemble(
            cohort, rows, members, options, tiny_protocol(), progress=lambda *n: ticks.append(n)
        )

    return native, train("paper"), train("ranks"), ticks


def test_members_see_the_imputation_they_were_trained_with(trained):
    native, ensemble, _, _ = trained
    features = ensemble.harmonization.transform(native)
    prepared = ensemble.prepare(features)
    margins = ensemble.member_margins(features)

    assert list(prepared) == [3, 5]
    assert margins.shape == (2, 36, 3)
    for member, expected in zip(ensemble.members, margins, strict=True):
        rows = prepared[member.neighbours]
        np.testing.assert_array_equal(
            member.booster.inplace_predict(rows, predict_type="margin"), expected
        )
    np.testing.assert_array_equal(ensemble.margins(features), margins.mean(axis=0))


def test_training_reports_members(trained):
    assert trained[3][:2] == [(1, 2), (2, 2)]


def test_features_are_named_in_order(trained):
    _, ensemble, _, _ = trained
    assert ensemble.feature_names[:2] == ("muscle_0", "muscle_1")
    assert ensemble.feature_names[-1] == "sex"
    assert ensemble.preparation.categorical == (len(ensemble.feature_names) - 1,)


def test_prediction_without_draws_is_that_of_the_features(trained):
    native, ensemble, _, _ = trained
    features = ensemble.harmonization.transform(native)
    np.testing.assert_allclose(
        ensemble.predict(native), ensemble.member_margins(features), atol=1e-6
    )


def test_prediction_averages_the_draws(trained):
    native, _, ensemble, _ = trained
    draws = [
        ensemble.member_margins(ensemble.harmonization.transform(native, draw=d)) for d in range(3)
    ]

    assert np.abs(draws[0] - draws[1]).max() > 0.01
    np.testing.assert_allclose(ensemble.predict(native), np.mean(draws, axis=0), atol=1e-6)


def test_probabilities_follow_the_ensemble_settings(trained):
    _, ensemble, _, _ = trained
    averaged = Ensemble(
        ("A", "B"), ensemble.harmonization, ensemble.preparation, (), "probabilities", 2.0
    )
    np.testing.assert_allclose(averaged.probabilities(MARGINS * 2), [[0.375, 0.625]], rtol=1e-6)
