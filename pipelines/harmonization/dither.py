"""Replace a grade by a random fat fraction out of those the grade stands for."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipelines.arrays import Float64, Objects, UInt64
from pipelines.errors import DataError
from pipelines.harmonization.scaling import checked_scales
from pipelines.harmonization.scores.scales import Scale
from pipelines.harmonization.thresholds import Thresholds

ROUNDING = 1.0
"""Measured fat fractions are blurred over this width, percent. Tables give them with few decimals,
whose steps would tell them from grades; 1 % is about the repeatability of the measurement."""


def dither(
    values: Float64,
    scale_names: Objects,
    thresholds: Thresholds,
    numbers: Float64,
) -> Float64:
    """Put grades on the axis of fat fraction, spread at random over their bin.

    Two grades of one scale are never exactly as far apart as two others afterwards, so that the
    number of distinct values and their gaps no longer tell the scale.

    `values` and the result are (n, ...); `scale_names` is (n,); `thresholds` is in percent.
    `values`: Scores; NaN is missing. Means of grades (2.5) get the bin between their neighbours.
    """
    result = np.empty_like(values)
    for scale, rows in checked_scales(values, scale_names):
        part = values[rows]
        if scale.grades:
            result[rows] = _spread(part, scale, thresholds, numbers[rows])
        else:
            result[rows] = _blur(part, scale, numbers[rows])
    return result


def _blur(values: Float64, scale: Scale, numbers: Float64) -> Float64:
    """Spread measured values over the interval they may have been rounded from."""
    blurred = values + ROUNDING * (numbers - 0.5)
    inside = np.abs(blurred - scale.lowest) + scale.lowest  # reflected at the ends, no pile there
    return np.asarray(scale.highest - np.abs(scale.highest - inside))


def _spread(values: Float64, scale: Scale, thresholds: Thresholds, numbers: Float64) -> Float64:
    if scale.name not in thresholds:
        raise DataError(
            f"There are no fat fraction thresholds for scale {scale.name}: it was not among the "
            "samples the harmonization was fitted on.",
            "Give a threshold table with this scale, or use the harmonization paper or ranks.",
        )
    edges = np.asarray(thresholds[scale.name])
    grades = np.asarray(scale.grades, dtype=np.float64)
    lower = np.interp(values, grades, edges[:-1])
    upper = np.interp(values, grades, edges[1:])
    return np.asarray(lower + numbers * (upper - lower))


def random_numbers(
    samples: "pd.Index[str]", muscles: Sequence[str], sides: int, seed: int, draw: int
) -> Float64:
    """Make one uniform number per sample, muscle and side from their names.

    A stream of random numbers would give a patient other numbers when another patient joins the
    table, so that a prediction would depend on its company. Numbers are therefore a hash of the
    names, the seed and the draw.

    The result is (n, m, sides).
    """
    start = np.random.SeedSequence([seed, draw]).generate_state(1, dtype=np.uint64)
    state = _mix(_hash(samples)[:, None, None] ^ start)
    state = _mix(np.add(state, _hash(muscles)[None, :, None]))
    state = _mix(np.add(state, np.arange(1, sides + 1, dtype=np.uint64)))
    return np.asarray((state >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def _hash(names: "Sequence[str] | pd.Index[str]") -> UInt64:
    return pd.util.hash_array(np.asarray(names, dtype=object), categorize=False)


def _mix(state: UInt64) -> UInt64:
    """Scramble 64 bits: the SplitMix64 step (Steele, Lea and Flood, OOPSLA 2014)."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
