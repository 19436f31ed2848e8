"""Bias, limits of agreement, outlier and absence rate against values worked out by hand."""

import math

import numpy as np
import pytest

from pipelines.segmentation.evaluation.agreement import absence_rate, agreement, outlier_rate


def test_bland_altman_of_known_differences():
    # Mean 1, squared deviations 4 + 0 + 4, so the sample SD is 2.
    found = agreement(np.array([-1.0, 1.0, 3.0, np.nan]))
    assert (found.n, found.bias, found.sd) == (3, 1.0, 2.0)
    assert found.lower == pytest.approx(1 - 1.96 * 2)
    assert found.upper == pytest.approx(1 + 1.96 * 2)


def test_limits_of_the_publication():
    """Bias -0.32 and SD 0.92 of FF give the limits [-2.12, 1.49] of its Figure 5."""
    errors = np.array([-1.0, 1.0]) * 0.92 / math.sqrt(2) - 0.32
    found = agreement(errors)
    assert (found.lower, found.upper) == pytest.approx((-2.12, 1.49), abs=0.01)


def test_one_difference_has_no_spread():
    found = agreement(np.array([2.0]))
    assert (found.n, found.bias) == (1, 2.0)
    assert math.isnan(found.sd)
    assert math.isnan(found.lower)


def test_no_difference_has_no_bias():
    found = agreement(np.array([np.nan]))
    assert found.n == 0
    assert math.isnan(found.bias)


def test_outliers_below_the_fence():
    # Quartiles of 1..9 are 3 and 7, so the fences are -3 and 13.
    ordinary = np.arange(1.0, 10.0)
    assert outlier_rate(ordinary) == 0
    # With one far value the quartiles of 10 values are 2.25 and 6.75 and the fence is -4.5.
    assert outlier_rate(np.append(ordinary, -4.4)) == 0
    assert outlier_rate(np.append(ordinary, -4.6)) == pytest.approx(10)
    assert outlier_rate(np.array([*ordinary, -4.6, np.nan])) == pytest.approx(10)


def test_only_the_bad_end_counts():
    far = np.array([*np.arange(1.0, 10.0), 99.0])
    assert outlier_rate(far, "low") == 0
    assert outlier_rate(far, "high") == pytest.approx(10)
    assert outlier_rate(-far, "low") == pytest.approx(10)


def test_nothing_has_no_rate():
    assert math.isnan(outlier_rate(np.array([np.nan])))
    assert math.isnan(absence_rate(0, 0))


def test_absence_rate_is_percent_of_the_reference():
    assert absence_rate(200, 3) == 1.5
    assert absence_rate(5, 0) == 0
