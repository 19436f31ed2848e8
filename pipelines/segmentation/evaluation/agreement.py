"""Agreement statistics of Hostin et al. 2023 (10.1002/jmri.28708), sections Evaluation, Results."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipelines.arrays import Float64

Worse = Literal["low", "high"]

# 95 % of a normal distribution lie within this many standard deviations of its mean.
LIMITS_IN_SD = 1.96

# How far beyond a quartile, in interquartile ranges, a value is an outlier (Tukey's fence).
FENCE_IN_IQR = 1.5


@dataclass(frozen=True)
class Agreement:
    """Bias and limits of agreement (Bland & Altman 1986, 10.1016/S0140-6736(86)90837-8).

    Attributes
    ----------
    n : int
        Number of differences.
    bias : float
        Their mean; NaN if there is none.
    sd : float
        Their sample standard deviation (dividing by n - 1); NaN if there are fewer than two.
    lower, upper : float
        ``bias - 1.96 sd`` and ``bias + 1.96 sd``: what Hostin et al. call the confidence interval
        of a measurement error.
    """

    n: int
    bias: float
    sd: float
    lower: float
    upper: float


def agreement(errors: Float64) -> Agreement:
    """Return bias and limits of agreement of differences.

    Parameters
    ----------
    errors : ndarray of float
        ``X_evaluated - X_reference`` (ΔX = X_a - X_m of the paper); NaN is left out.

    Returns
    -------
    Agreement
        In the unit of the errors.
    """
    known = errors[np.isfinite(errors)]
    bias = float(known.mean()) if known.size else math.nan
    sd = float(known.std(ddof=1)) if known.size > 1 else math.nan
    half = LIMITS_IN_SD * sd
    return Agreement(int(known.size), bias, sd, bias - half, bias + half)


def outlier_rate(values: Float64, worse: Worse = "low") -> float:
    """Return the share of values beyond the fence on the worse side, percent.

    The paper counts values below ``Q1 - 1.5 IQR``, the bad end of the Dice coefficient; for
    distances, where large values are bad, the mirror image ``Q3 + 1.5 IQR`` is the counterpart.

    `values`: One metric; NaN is left out.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return math.nan
    q1, q3 = np.percentile(known, [25, 75])
    reach = FENCE_IN_IQR * (q3 - q1)
    beyond = known < q1 - reach if worse == "low" else known > q3 + reach
    return float(100.0 * np.count_nonzero(beyond) / known.size)


def absence_rate(n_reference: int, n_absent: int) -> float:
    """Return the share of the reference's muscles that the evaluated labels lack, percent."""
    return 100.0 * n_absent / n_reference if n_reference else math.nan
