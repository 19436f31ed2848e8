"""The random rows and columns of XGBoost, for :mod:`pipelines.diagnosis.training.compiled_trees`.

A search that samples other rows and columns than XGBoost would find other margins; with the same
ones, tests can hold every tree against XGBoost's. What XGBoost 3 draws on one thread with the
method ``hist`` (its sources: ``tree/hist/sampler.cc``, ``common/random.cc``):

- One Mersenne Twister, started with the seed, gives a first number for the columns and then one
  for every tree.
- Rows: that number starts a linear congruential generator (Lehmer 1951), from which every row
  gets one draw.
- Columns: the first number starts a second Mersenne Twister. Every tree shuffles all columns
  (C++ standard library of GCC; numbers in a range after Lemire 2019) and keeps the first ones.
  The first shuffle is never used.
"""

from typing import Any, NamedTuple

import numpy as np

from pipelines.arrays import UInt64
from pipelines.diagnosis.compiled import compiled

_FACTOR = np.uint64(16807)
_LOWEST_63_BITS = np.uint64(2**63 - 1)
_LOWEST_32_BITS = np.uint64(2**32 - 1)
# Numbers that fall outside a whole multiple of the range are drawn again, one in millions.
_SPARE_DRAWS = 1000


class Draws(NamedTuple):
    """Random numbers of a fit: where the rows of every tree start, and those of the columns."""

    rows: UInt64
    columns: UInt64


def draw_numbers(seed: int, trees: int, columns: int) -> Draws:
    """Return the random numbers that XGBoost would use for a seed.

    Parameters
    ----------
    seed : int
        From 0 to 2^32 - 1.
    trees : int
        Trees to grow, at most.
    columns : int
        Columns to choose from.
    """
    first, *rows = _mersenne_twister(seed, trees + 1).tolist()
    shuffles = (trees + 1) * (columns // 2 + 1)
    return Draws(np.array(rows, np.uint64), _mersenne_twister(int(first), shuffles + _SPARE_DRAWS))


def _mersenne_twister(seed: int, count: int) -> UInt64:
    """Return the first 32-bit numbers of std::mt19937."""
    generator = np.random.RandomState(seed)
    return generator.randint(0, 2**32, count, dtype=np.uint32).astype(np.uint64)


@compiled
def sample_rows(rows: Any, others: Any, share: float, start: Any) -> Any:
    """Draw every row with the same chance; return how many were drawn and how many not."""
    n = len(rows)
    if share >= 1.0:
        for i in range(n):
            rows[i] = i
        return n, 0
    count = rest = 0
    limit = share * 9223372036854775808.0
    state = start if start != 0 else np.uint64(1)
    for i in range(n):
        state = (state * _FACTOR) & _LOWEST_63_BITS
        if float(state - np.uint64(1)) < limit:
            rows[count] = i
            count += 1
        else:
            others[rest] = i
            rest += 1
    return count, rest


@compiled
def sample_columns(chosen: Any, order: Any, numbers: Any, used: int) -> int:
    """Choose columns at random, in ascending order; return how many numbers are used up.

    `order` is where all columns are shuffled.
    """
    columns, wanted = len(order), len(chosen)
    if wanted == columns:
        for j in range(columns):
            chosen[j] = j
        return used
    for j in range(columns):
        order[j] = j
    j = 1
    if columns % 2 == 0:
        other, used = _below(2, numbers, used)
        order[1], order[other] = order[other], order[1]
        j = 2
    while j < columns:
        # One number moves two columns.
        both, used = _below((j + 1) * (j + 2), numbers, used)
        first, second = both // (j + 2), both % (j + 2)
        order[j], order[first] = order[first], order[j]
        order[j + 1], order[second] = order[second], order[j + 1]
        j += 2
    chosen[:] = order[:wanted]
    chosen.sort()
    return used


@compiled
def _below(limit: int, numbers: Any, used: int) -> Any:
    """Return a number from 0 to `limit` - 1 and how many numbers are used up (Lemire 2019)."""
    factor = np.uint64(limit)
    product = numbers[used] * factor
    used += 1
    low = product & _LOWEST_32_BITS
    if low < factor:
        least = np.uint64(2**32 - limit) % factor
        while low < least:
            product = numbers[used] * factor
            used += 1
            low = product & _LOWEST_32_BITS
    return np.int64(product >> np.uint64(32)), used
