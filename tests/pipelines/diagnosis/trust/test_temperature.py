import json

import numpy as np
import pytest
from scipy.special import softmax

from pipelines.diagnosis.trust.temperature import (
    Temperature,
    fit_temperature,
)
from pipelines.errors import DataError
from tests.pipelines.diagnosis.predicted_cohort import cohort


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_the_factor_on_true_log_probabilities_is_found(factor):
    made = cohort(patients=(1500, 1500, 1500, 1500))
    fitted = fit_temperature(factor * made.margins, made.y)
    assert fitted.value == pytest.approx(factor, rel=0.06)
    assert fitted.n == 6000


def test_it_is_the_optimum_of_a_fine_grid():
    made = cohort()
    grid = np.geomspace(0.3, 3, 4001)
    rows = np.arange(len(made.y))
    loss = [-np.log(softmax(made.margins / t, axis=1)[rows, made.y]).mean() for t in grid]
    found = fit_temperature(made.margins, made.y).value
    assert found == pytest.approx(grid[np.argmin(loss)], rel=1e-3)


def test_probabilities_keep_the_order_and_sum_to_one():
    margins = np.array([[2.0, 0.0, -1.0], [0.0, 900.0, 899.0]])
    probabilities = Temperature(2.0, 10).probabilities(margins)
    np.testing.assert_allclose(probabilities, softmax(margins / 2, axis=1))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_perfectly_separated_margins_end_at_the_lowest_temperature():
    margins = np.eye(3)[[0, 1, 2, 0]] * 50
    assert fit_temperature(margins, [0, 1, 2, 0]).value == pytest.approx(0.05, rel=0.01)


def test_margins_without_any_information_end_at_the_highest_temperature():
    rng = np.random.default_rng(0)
    made = fit_temperature(-50 * np.eye(3)[np.arange(300) % 3], np.arange(300) % 3)
    assert made.value == pytest.approx(20, rel=0.01)
    assert fit_temperature(rng.normal(size=(300, 3)), np.arange(300) % 3).value > 5


def test_store_and_restore():
    fitted = Temperature(0.8125, 2961)
    assert Temperature.from_dict(json.loads(json.dumps(fitted.as_dict()))) == fitted


@pytest.mark.parametrize(
    ("margins", "y", "message"),
    [
        ([[1.0, np.inf]], [0], "margins has missing or infinite values in 1 of 1 rows"),
        ([[1.0, 2.0]], [2], "class numbers 2 to 2, but there are 2 classes"),
        ([[1.0, 2.0]], [0, 1], r"y has shape \(2,\)"),
    ],
)
def test_wrong_input(margins, y, message):
    with pytest.raises(DataError, match=message):
        fit_temperature(margins, y)
