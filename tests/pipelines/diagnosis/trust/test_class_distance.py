import json

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from scipy.special import softmax
from sklearn.covariance import LedoitWolf

from pipelines.diagnosis.trust.class_distance import (
    ClassDistance,
    fit_class_distance,
    nearness,
)
from pipelines.errors import DataError
from tests.pipelines.diagnosis.predicted_cohort import cohort


@pytest.fixture(scope="module")
def made():
    return cohort()


def test_distances_agree_with_scipy(made):
    fitted = fit_class_distance(made.features, made.y, 4)
    means = np.array([made.features[made.y == k].mean(axis=0) for k in range(4)])
    covariance = LedoitWolf(assume_centered=True).fit(made.features - means[made.y])
    precision = np.linalg.inv(covariance.covariance_)
    found = fitted.distances(made.features[:5])
    for x, row in zip(made.features[:5], found, strict=True):
        assert row == pytest.approx([mahalanobis(x, mean, precision) for mean in means])


def test_distance_does_not_depend_on_units_of_all_features(made):
    plain = fit_class_distance(made.features, made.y, 4).distances(made.features)
    scaled = fit_class_distance(1000 * made.features, made.y, 4).distances(1000 * made.features)
    np.testing.assert_allclose(scaled, plain, rtol=1e-8)


def test_a_class_without_samples_is_infinitely_far(made):
    known = made.y != 3
    fitted = fit_class_distance(made.features[known], made.y[known], 4)
    distances = fitted.distances(made.features)
    assert np.isinf(distances[:, 3]).all()
    assert np.isfinite(distances[:, :3]).all()
    restored = ClassDistance.from_dict(json.loads(json.dumps(fitted.as_dict())))
    np.testing.assert_array_equal(restored.distances(made.features), distances)


def test_nearness_is_distance_and_indecision(made):
    model = fit_class_distance(made.features, made.y, 4)
    between = (model.means[0] + model.means[1]) / 2
    distance, entropy = nearness(model, np.stack([model.means[0], between]))
    assert distance[0] == pytest.approx(0, abs=1e-9)
    rows = softmax(-0.5 * model.distances(np.stack([model.means[0], between])) ** 2, axis=1)
    np.testing.assert_allclose(entropy, -(rows * np.log(rows)).sum(axis=1))
    assert entropy[1] > entropy[0]
    # A class without samples is no answer.
    unknown = fit_class_distance(made.features, made.y, 5)
    np.testing.assert_allclose(nearness(unknown, between[None]), nearness(model, between[None]))


def test_wrong_input(made):
    with pytest.raises(DataError, match="no feature varies within any class"):
        fit_class_distance(np.eye(3), [0, 1, 2], 3)
    fitted = fit_class_distance(made.features, made.y, 4)
    with pytest.raises(DataError, match="features has 3 columns, 4 are needed"):
        fitted.distances(np.ones((1, 3)))
    with pytest.raises(DataError, match="missing or infinite values in 1 of 1 rows") as error:
        fitted.distances([[np.nan, 0, 0, 0]])
    assert "Impute missing features" in error.value.hint
