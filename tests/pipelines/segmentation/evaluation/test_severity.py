"""The split at 20 % fat and the choice of its test."""

import math

import numpy as np
import pytest
from scipy import stats

from pipelines.segmentation.evaluation.severity import compare_severity

NORMAL = stats.norm.ppf((np.arange(20) + 0.5) / 20)
SKEWED = np.exp(2 * NORMAL)


def compare(mild, severe):
    fat = np.repeat([5.0, 40.0], [len(mild), len(severe)])
    return compare_severity(np.concatenate([mild, severe]), fat)


def test_normal_groups_get_the_t_test():
    found = compare(NORMAL, NORMAL + 1)
    assert found.test == "t-test"
    # Student's t from its formula: equal sizes, pooled variance.
    sd = NORMAL.std(ddof=1)
    t = -1 / (sd * math.sqrt(2 / 20))
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(t), df=38))


@pytest.mark.parametrize("groups", [(SKEWED, NORMAL), (NORMAL, SKEWED), (SKEWED, SKEWED + 1)])
def test_one_skewed_group_is_enough_for_the_rank_test(groups):
    found = compare(*groups)
    assert found.test == "rank-sum"
    assert 0 <= found.p_value <= 1


def test_rank_test_of_separated_groups():
    # All 3 x 3 pairs are ordered: 2 of the 20 arrangements are as extreme.
    found = compare(np.array([1.0, 1.0001, 9.0]), np.array([10.0, 10.0001, 90.0]))
    assert found.test == "rank-sum"
    assert found.p_value == pytest.approx(2 / 20)


def test_equal_values_are_not_normal():
    found = compare(np.zeros(5), np.zeros(5))
    assert (found.test, found.p_value) == ("rank-sum", 1.0)


def test_too_few_values_are_not_tested():
    found = compare(NORMAL, NORMAL[:2])
    assert found.test is None
    assert math.isnan(found.p_value)
    assert (found.mild.n, found.severe.n) == (20, 2)


def test_twenty_percent_is_severe_and_missing_values_are_left_out():
    found = compare_severity(
        np.array([1.0, 2.0, 3.0, np.nan, 5.0]), np.array([19.99, 20.0, 64.0, 1.0, np.nan])
    )
    assert (found.mild.n, found.mild.bias) == (1, 1.0)
    assert (found.severe.n, found.severe.bias) == (2, 2.5)
