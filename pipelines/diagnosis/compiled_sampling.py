"""Random rows and columns for :mod:`pipelines.diagnosis.compiled_trees`.

numpy's generators are slow to call one number at a time inside compiled code.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.diagnosis.explanation.compiled import compiled


def random_state(seed: int) -> npt.NDArray[np.uint64]:
    """Return the state of the random numbers for a seed."""
    return np.random.SeedSequence(seed).generate_state(1, np.uint64).astype(np.uint64)


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
def sample_columns(chosen: Any, columns: int, random: Any) -> None:
    """Choose columns at random, in ascending order: every selection is as likely."""
    found = 0
    wanted = len(chosen)
    for j in range(columns):
        if _uniform(random) * (columns - j) < wanted - found:
            chosen[found] = j
            found += 1


@compiled
def _uniform(random: Any) -> float:
    """Return the next random number in [0, 1)."""
    return float(draw_bits(random) >> np.uint64(11)) / 9007199254740992.0


@compiled
def draw_bits(random: Any) -> Any:
    """Return the next 64 random bits (SplitMix64, Steele et al. 2014)."""
    random[0] += np.uint64(0x9E3779B97F4A7C15)
    x = random[0]
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
