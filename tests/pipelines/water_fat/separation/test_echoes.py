import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.water_fat.separation.echoes import (
    is_in_opposed_triple,
    main_peak_angles,
    read_echo_times,
)

SHIFT_3T = -434.3


def test_milliseconds_in_order_are_taken_as_they_are() -> None:
    train = read_echo_times([1.15, 2.11, 3.07], 3)
    assert train.times_ms.tolist() == [1.15, 2.11, 3.07]
    assert train.order.tolist() == [0, 1, 2]
    assert train.notes == ()
    np.testing.assert_allclose(train.times_s, [0.00115, 0.00211, 0.00307])


def test_seconds_are_recognized_and_noted() -> None:
    train = read_echo_times([0.00115, 0.00211], 2)
    np.testing.assert_allclose(train.times_ms, [1.15, 2.11])
    assert "given in seconds; read as 1.15, 2.11 ms" in train.notes[0]


def test_permuted_echoes_are_sorted() -> None:
    train = read_echo_times([3.07, 1.15, 2.11], 3)
    assert train.times_ms.tolist() == [1.15, 2.11, 3.07]
    assert train.order.tolist() == [1, 2, 0]
    assert "stored in the order 3.07, 1.15, 2.11 ms" in train.notes[0]


@pytest.mark.parametrize(
    ("times", "echoes", "message"),
    [
        ([1.1, 2.2], 3, "3 echoes but only 2 echo times"),
        ([1.1, 2.2, 3.3], 2, "3 echo times .* but only 2 echoes; which echo is missing"),
        ([0.0, 2.2], 2, "must be positive"),
        ([1.1, float("nan")], 2, "must be positive"),
        ([1150.0, 2300.0], 2, "2300 ms, is too long"),
        ([2.3, 2.3], 2, "same echo time"),
    ],
)
def test_times_that_do_not_fit(times: list[float], echoes: int, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        read_echo_times(times, echoes)
    assert error.value.hint


def test_angles_of_the_main_peak() -> None:
    angles = main_peak_angles(np.array([0.5, 1.0, 1.25]) / 434.3, SHIFT_3T)
    np.testing.assert_allclose(np.abs(angles), [180, 0, 90], atol=1e-9)


@pytest.mark.parametrize(
    ("times_ms", "tesla", "expected"),
    [
        ((3.45, 4.60, 5.75), 3.0, True),
        ((3.45, 4.60, 5.75), 2.8936, True),
        ((2.30, 4.60, 6.90), 1.5, True),
        ((2.87, 6.07, 9.27), 1.5, False),
        ((1.30, 2.10, 2.90), 3.0, False),
        ((3.45, 4.60, 6.90), 3.0, False),
        ((1.15, 2.30), 3.0, False),
    ],
)
def test_three_points_in_and_opposed(
    times_ms: tuple[float, ...], tesla: float, expected: bool
) -> None:
    shift = -3.4 * 42.577 * tesla
    assert is_in_opposed_triple(np.array(times_ms) / 1000, shift) is expected
