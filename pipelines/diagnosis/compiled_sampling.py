"""Random rows and columns for :mod:`pipelines.diagnosis.compiled_trees`.

numpy's generators are slow to call one number at a time inside compiled code.
"""

from typing import Any

import numpy as np

from pipelines.diagnosis.explanation.compiled import compiled


@compiled
def sample_rows(rows: Any, others: Any, share: float, random: Any) -> Any:
    """Draw every row with the same chance; return how many were drawn and how many not."""
    n = len(rows)
    if share >= 1.0:
        for i in range(n):
            rows[i] = i
        return n, 0
    count = rest = 0
    limit = np.uint64(share * 4294967296.0)
    low = np.uint64(4294967295)
    draw = np.uint64(0)
    for i in range(n):
        # One draw of 64 bits serves two rows.
        draw = draw >> np.uint64(32) if i % 2 else draw_bits(random)
        if (draw & low) < limit:
            rows[count] = i
            count += 1
        else:
            others[rest] = i
            rest += 1
    return count, rest


@compiled
def sample_columns(features: Any, count: int, random: Any) -> None:
    """Put a random selection of columns first."""
    p = len(features)
    if count == p:
        return
    for i in range(count):
        j = i + int(_uniform(random) * (p - i))
        features[i], features[j] = features[j], features[i]


@compiled
def _uniform(random: Any) -> float:
    """Return the next random number in [0, 1)."""
    return float(draw_bits(random) >> np.uint64(11)) / 9007199254740992.0


@compiled
def draw_bits(random: Any) -> Any:
    """Return the next 64 random bits (xorshift64*, Vigna 2016)."""
    x = random[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    random[0] = x
    return x * np.uint64(2685821657736338717)
