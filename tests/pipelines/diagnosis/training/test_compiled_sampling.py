"""Random numbers as the C++ standard library makes them."""

import numpy as np
import pytest

from pipelines.diagnosis.training.compiled_sampling import (
    _below,
    _mersenne_twister,
    draw_numbers,
    sample_columns,
    sample_rows,
)


def test_mersenne_twister_is_that_of_the_standard():
    # C++ standard, [rand.predef]: the 10000th number of a default-constructed std::mt19937.
    assert _mersenne_twister(5489, 10000)[-1] == 4123659995


def test_numbers_out_of_the_whole_multiple_are_drawn_again():
    # 2^32 = 1 (mod 3): one number too many, 0, must not count.
    numbers = np.array([0, 2**32 - 1], np.uint64)
    assert _below(3, numbers, 0) == (2, 2)
    assert _below(4, numbers, 0) == (0, 1)


@pytest.mark.parametrize("columns", [1, 2, 5, 8])
def test_every_choice_of_columns_is_as_likely(columns):
    wanted = (columns + 1) // 2
    numbers = draw_numbers(7, 3000, columns).columns
    chosen, order = np.empty(wanted, np.uint32), np.empty(columns, np.uint32)
    counts = np.zeros(columns)
    used = 0
    for _ in range(3000):
        used = sample_columns(chosen, order, numbers, used)
        assert (np.diff(chosen.astype(int)) > 0).all()
        counts[chosen] += 1

    assert counts / 3000 == pytest.approx(np.full(columns, wanted / columns), abs=0.04)
    assert used <= len(numbers)


@pytest.mark.parametrize("start", [0, 1, 2**32 - 1])
def test_rows_are_split_into_drawn_and_others(start):
    rows, others = np.empty(20000, np.uint32), np.empty(20000, np.uint32)

    count, rest = sample_rows(rows, others, 0.3, np.uint64(start))

    both = np.concatenate([rows[:count], others[:rest]])
    np.testing.assert_array_equal(np.sort(both), np.arange(20000))
    assert count / 20000 == pytest.approx(0.3, abs=0.02)


def test_whole_share_needs_no_numbers():
    rows, others = np.empty(5, np.uint32), np.empty(5, np.uint32)
    assert sample_rows(rows, others, 1.0, np.uint64(3)) == (5, 0)
    assert rows.tolist() == [0, 1, 2, 3, 4]
