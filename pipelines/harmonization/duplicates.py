"""Samples of different patients that may be of one person: the same scores under two labels.

Equal scores alone prove nothing: normal muscles are alike. How unlikely a row is to be equal by
chance is measured in bits, from how often its scores occur in that muscle among other patients who
are about as ill, which is what makes the muscles of a patient alike.
"""

import numpy as np
import pandas as pd

from pipelines.arrays import Float64, Int64

# Every pair is looked at: more would take minutes.
MOST_SAMPLES = 20_000

# Scored muscles that two samples need in common.
_LEAST_MUSCLES = 5
# Percent; less is rounding.
_EQUAL = 0.01
# Samples that are about as ill, at least; and groups of them, at most.
_GROUP, _MOST_GROUPS = 20, 10
# One pair in 2 ** 7 cohorts is equal by chance, if scores are what the bits assume.
_MARGIN_BITS = 7.0
# What is known beside the scores: the same sex, and the same age (years) to a tenth or to a year.
_SEX_BITS, _SAME_AGE, _AGE_BITS, _ABOUT_AGE, _ABOUT_AGE_BITS = 1.0, 0.1, 6.0, 1.0, 3.0
# Another sex or age speaks against, but one of 2 ** 7 entries may be wrong or years later: rows
# that are equal to the last score stay suspicious.
_OTHER_BITS = -7.0
_CHUNK = 256


def find_duplicates(samples: pd.DataFrame, percent: Float64) -> list[tuple[str, str]]:
    """Find pairs of samples that are probably of one person, though their patients differ.

    Parameters
    ----------
    samples : DataFrame
        Index the names of the n samples; ``patient``, ``sex`` and ``age`` (years).
    percent : float64 array (n, m)
        Muscles on the 0-100 axis, sides averaged; NaN where missing.

    Returns
    -------
    list of tuple of str
        Names of both samples. All muscles that both have scored are equal, at least five and
        enough to be no chance; sex and age count for it or against it where both know them.
    """
    first, second = _equal_pairs(percent)
    patients = pd.factorize(samples["patient"].to_numpy(dtype=object))[0]
    apart = patients[first] != patients[second]
    first, second = first[apart], second[apart]
    needed = np.log2(max(len(samples) * (len(samples) - 1) / 2, 1)) + _MARGIN_BITS
    bits = _people_bits(samples, first, second) + _score_bits(percent, first, second)
    found = np.flatnonzero(bits >= needed)
    names = samples.index.to_numpy(dtype=object)
    return [(str(names[first[i]]), str(names[second[i]])) for i in found]


def _equal_pairs(percent: Float64) -> tuple[Int64, Int64]:
    """Return positions of the pairs of rows that are equal where both are known."""
    n = len(percent)
    known = ~np.isnan(percent)
    first, second = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for start in range(0, n, _CHUNK):
        rows = slice(start, start + _CHUNK)
        shared = known[rows].astype(np.float32) @ known[start:].T.astype(np.float32)
        equal = shared >= _LEAST_MUSCLES
        for column in range(percent.shape[1]):
            with np.errstate(invalid="ignore"):
                gap = np.abs(percent[rows, column, None] - percent[None, start:, column])
            equal &= ~(gap > _EQUAL)  # a missing score differs from nothing
        a, b = np.nonzero(equal)
        first.append(a[b > a] + start)
        second.append(b[b > a] + start)
    return np.concatenate(first), np.concatenate(second)


def _score_bits(percent: Float64, first: Int64, second: Int64) -> Float64:
    """Return how unlikely each pair is to have equal scores by chance, in bits."""
    groups = _severity(percent)
    bits = np.zeros(len(first))
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        others = groups == groups[a]
        others[[a, b]] = False
        part, row = percent[others], percent[a]
        shared = ~np.isnan(row) & ~np.isnan(percent[b])
        scored = (~np.isnan(part)).sum(axis=0)
        alike = (np.abs(part - row) <= _EQUAL).sum(axis=0)
        bits[i] = -np.log2((alike + 0.5) / (scored + 1.0))[shared].sum()
    return bits


def _severity(percent: Float64) -> Int64:
    """Return groups of patients who are about as ill, (n,)."""
    known = ~np.isnan(percent)
    total = np.where(known, percent, 0.0).sum(axis=1)
    mean = total / np.maximum(known.sum(axis=1), 1)
    groups = int(np.clip(len(mean) // _GROUP, 1, _MOST_GROUPS))
    edges = np.quantile(mean, np.linspace(0, 1, groups + 1)[1:-1])
    return np.asarray(np.searchsorted(edges, mean, side="right"), np.int64)


def _people_bits(samples: pd.DataFrame, first: Int64, second: Int64) -> Float64:
    """Return what sex and age of each pair tell, in bits; nothing where one is not known."""
    sex = samples["sex"].to_numpy(dtype=object)
    both = pd.notna(sex[first]) & pd.notna(sex[second])
    same_sex = sex[first] == sex[second]
    age = samples["age"].to_numpy(dtype=np.float64, na_value=np.nan)
    apart = np.abs(age[first] - age[second])
    ages = np.select(
        [apart <= _SAME_AGE, apart <= _ABOUT_AGE, apart > _ABOUT_AGE],
        [_AGE_BITS, _ABOUT_AGE_BITS, _OTHER_BITS],
        0.0,
    )
    sexes = np.select([both & same_sex, both], [_SEX_BITS, _OTHER_BITS], 0.0)
    return np.asarray(sexes + ages, np.float64)
