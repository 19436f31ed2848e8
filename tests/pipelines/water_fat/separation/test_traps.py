"""What goes wrong with raw echoes in practice: each gives the right map or a clear error."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.water_fat.separation.checks import DOUBTFUL_PERCENT, separation_checks
from pipelines.water_fat.separation.decision import PhaseSign
from pipelines.water_fat.separation.separate import separate
from pipelines.water_fat.separation.solution import Solution
from tests.pipelines.water_fat.separation.conftest import MakeScan, Scan

PPM_HZ_PER_TESLA = 42.577


@pytest.fixture(scope="module")
def six(make_scan: MakeScan) -> Scan:
    return make_scan("6pt-3T-short")


def with_echoes(scan: Scan, chosen: list[int], times: list[int]) -> Scan:
    """Return a scan of some echoes, with the echo times of others."""
    listed = tuple(scan.protocol.echo_times_ms[n] for n in times)
    return replace(
        scan, protocol=replace(scan.protocol, echo_times_ms=listed), echoes=scan.echoes[..., chosen]
    )


def test_one_echo_missing_makes_the_spacing_uneven_and_nothing_else(six: Scan) -> None:
    kept = [0, 1, 3, 4, 5]
    result = with_echoes(six, kept, kept).separated()
    assert result.method == "multi-echo complex fit"
    assert max(map(abs, six.errors(result.ff).values())) < 0.8


def test_one_echo_missing_with_the_times_of_others_is_refused(six: Scan) -> None:
    with pytest.raises(DataError, match="No field map explains the echoes") as error:
        with_echoes(six, [0, 1, 3, 4, 5], [0, 1, 2, 3, 4]).separated()
    assert "order of the echoes and of EchoTime" in error.value.hint


@pytest.mark.parametrize(
    "order", [[1, 0, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 5, 4], [3, 0, 5, 1, 4, 2]]
)
def test_echoes_in_another_order_than_their_times_are_refused(order: list[int], six: Scan) -> None:
    with pytest.raises(DataError, match="field map") as error:
        with_echoes(six, order, [0, 1, 2, 3, 4, 5]).separated()
    assert "order of the echoes" in error.value.hint


def test_phase_that_is_noise_is_refused(six: Scan) -> None:
    rng = np.random.default_rng(0)
    random = np.abs(six.echoes) * np.exp(2j * np.pi * rng.uniform(size=six.echoes.shape))
    with pytest.raises(DataError, match="field map"):
        replace(six, echoes=random).separated()


def test_wrong_field_strength_is_refused(six: Scan) -> None:
    with pytest.raises(DataError, match="No field map explains the echoes") as error:
        replace(six, protocol=replace(six.protocol, field_strength_t=1.5)).separated()
    assert "the field strength" in error.value.hint


def test_phase_of_unknown_unit_is_refused(six: Scan) -> None:
    phase = 100 * np.angle(six.echoes)
    with pytest.raises(DataError, match=r"runs from -314\.\d+ to 314\.\d+, which is no full turn"):
        separate(np.abs(six.echoes), phase, six.protocol.echo_times_ms, six.phantom.affine, 3.0)


def test_values_that_are_not_finite_are_refused(six: Scan) -> None:
    echoes = six.echoes.copy()
    echoes[80, 48, 0, 2] = np.nan
    with pytest.raises(DataError, match=r"echo at 3\.07 ms holds values that are not finite"):
        replace(six, echoes=echoes).separated()


@pytest.mark.parametrize("shape", [(160, 96, 2), (160, 96, 2, 1)])
def test_one_echo_is_not_enough(shape: tuple[int, ...], six: Scan) -> None:
    magnitude = np.abs(six.echoes[..., 0]).reshape(shape)
    with pytest.raises(DataError, match="less than two echoes"):
        separate(magnitude, None, [1.15], six.phantom.affine, 3.0)


def test_no_images_at_all() -> None:
    with pytest.raises(DataError, match="There are no echoes"):
        separate(None, None, [1.15], np.eye(4), 3.0)


def test_background_set_to_zero_leaves_the_result_as_it_is(six: Scan) -> None:
    masked = replace(six, echoes=np.where((six.phantom.labels > 0)[..., None], six.echoes, 0))
    result = masked.separated()
    assert any("noise could not be measured" in note for note in result.notes)
    assert max(map(abs, six.errors(result.ff).values())) < 0.8


@pytest.mark.parametrize("name", ["3pt-3T-in-opposed", "3pt-1.5T", "6pt-3T-long", "8pt-1.5T"])
def test_no_swaps_with_a_steep_field_and_little_signal(name: str, make_scan: MakeScan) -> None:
    scan = make_scan(name, snr=15.0, b0_ppm=3.0, steep=True, spectrum="hamilton-9")
    result = scan.separated()
    phantom = scan.phantom
    period = 1000 / np.diff(scan.protocol.echo_times_ms)[0]
    off = result.b0 - phantom.b0
    off -= period * np.round(off / period)
    hz = 1.2 * PPM_HZ_PER_TESLA * phantom.field_strength_t
    swapped = (np.abs(off) > hz) & (np.abs(result.ff - phantom.ff) > 30)
    assert 100 * swapped[phantom.tissue].mean() <= 0.05
    assert np.isfinite(result.ff[phantom.tissue]).mean() > 0.999


def test_mismatched_spectrum_and_decay_cost_at_most_three_points(make_scan: MakeScan) -> None:
    scan = make_scan("6pt-3T-long", spectrum="hamilton-9", fat_decay_excess=12.0)
    result = scan.separated()
    assert max(map(abs, scan.errors(result.ff).values())) <= 3.0
    assert {c.name: c.level for c in result.checks}["model_residual"] == "pass"


def test_many_doubtful_voxels_are_warned_of(make_scan: MakeScan) -> None:
    voxel = np.arange(100)
    ones = np.ones(100, np.float32)
    solution = Solution(
        method="multi-echo complex fit",
        voxel=voxel,
        water=ones,
        fat=ones,
        r2star=ones,
        field=ones,
        doubtful=voxel < 1,
        precession="as modelled",
        phase_sign=PhaseSign("as modelled", 6.0),
        decision=None,
        residual=0.01,
        notes=(),
    )
    few, many = (
        {c.name: c for c in separation_checks(s, None, t1_corrected=False)}["doubtful_voxels"]
        for s in (solution, replace(solution, doubtful=voxel < 3))
    )
    assert (few.level, few.value) == ("pass", 1.0)
    assert (many.level, many.value, many.threshold) == ("warn", 3.0, DOUBTFUL_PERCENT)
    assert "look at the map of doubtful voxels" in many.text
