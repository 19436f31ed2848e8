"""Whether a metric differs between mildly and severely fat-infiltrated muscles.

The comparison of Table 2 of Hostin et al. 2023 (10.1002/jmri.28708).
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from pipelines.arrays import Float64
from pipelines.segmentation.evaluation.agreement import Agreement, agreement

# Reference fat fraction (%) that separates mild (G20-) from severe (G20+) replacement in the
# literature (Hostin et al. 2023).
SEVERE_FAT_PERCENT = 20.0

# P value of the Shapiro-Wilk test below which a sample is not taken as normal.
NORMALITY_LEVEL = 0.05

# The Shapiro-Wilk test is defined from three values on.
MIN_SAMPLE = 3

Test = Literal["t-test", "rank-sum"]


@dataclass(frozen=True)
class SeverityComparison:
    """One metric in the two groups.

    Attributes
    ----------
    mild, severe : Agreement
        The metric in G20- and in G20+.
    test : {'t-test', 'rank-sum'} or None
        Student's t-test if both groups look normal, else the Wilcoxon rank-sum (Mann-Whitney)
        test; None if a group has fewer than three values.
    p_value : float
        Two-sided; NaN if nothing was tested.
    """

    mild: Agreement
    severe: Agreement
    test: Test | None
    p_value: float


def compare_severity(values: Float64, fat_percent: Float64) -> SeverityComparison:
    """Compare a metric between muscles below and from 20 % fat on.

    `values` is (n,); `fat_percent` is (n,), in percent.
    `values`: The metric; NaN is left out.
    """
    known = np.isfinite(values) & np.isfinite(fat_percent)
    mild = values[known & (fat_percent < SEVERE_FAT_PERCENT)]
    severe = values[known & (fat_percent >= SEVERE_FAT_PERCENT)]
    test, p_value = _test(mild, severe)
    return SeverityComparison(agreement(mild), agreement(severe), test, p_value)


def _test(mild: Float64, severe: Float64) -> tuple[Test | None, float]:
    """Choose the test by the normality of both samples and run it."""
    if min(mild.size, severe.size) < MIN_SAMPLE:
        return None, math.nan
    if _looks_normal(mild) and _looks_normal(severe):
        return "t-test", float(stats.ttest_ind(mild, severe).pvalue)
    # The muscles of the two groups are not pairs, so of Wilcoxon's tests it is the rank-sum test.
    if np.ptp(np.concatenate([mild, severe])) == 0:
        return "rank-sum", 1.0  # all ranks are ties; scipy gives 1 or NaN, depending on its version
    return "rank-sum", float(stats.mannwhitneyu(mild, severe).pvalue)


def _looks_normal(sample: Float64) -> bool:
    # Equal values have no distribution to test; scipy would call them normal.
    return bool(np.ptp(sample) > 0) and float(stats.shapiro(sample).pvalue) >= NORMALITY_LEVEL
