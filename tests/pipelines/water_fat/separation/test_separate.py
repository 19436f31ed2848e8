"""Water-fat separation of the multi-echo phantom against its truth."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from pipelines.errors import DataError
from pipelines.water_fat.separation.options import SeparationOptions
from pipelines.water_fat.separation.separate import SeparationResult, separate
from tests.pipelines.water_fat.multi_echo_phantom import (
    PROTOCOLS,
    Phantom,
    Protocol,
    make_phantom,
    signal,
)

SMALL = {"shape": (112, 64, 6), "voxel_mm": (2.8, 2.8, 10.0)}
SIX = PROTOCOLS["6pt-3T-short"]
THREE = PROTOCOLS["3pt-3T-in-opposed"]


def phantom_of(protocol: Protocol, **changes: object) -> Phantom:
    options = {"field_strength_t": protocol.field_strength_t, **SMALL, **changes}
    return make_phantom(**options)  # type: ignore[arg-type]


def run(
    phantom: Phantom,
    echoes: np.ndarray,
    protocol: Protocol,
    options: SeparationOptions | None = None,
) -> SeparationResult:
    return separate(
        np.abs(echoes),
        np.angle(echoes),
        protocol.echo_times_ms,
        phantom.affine,
        protocol.field_strength_t,
        options=options,
    )


def muscle_errors(phantom: Phantom, result: SeparationResult) -> dict[int, float]:
    """Mean error (points) of every muscle, by label."""
    return {
        m: float(np.nanmean(result.ff[phantom.eroded(m)]))
        - float(phantom.ff[phantom.labels == m][0])
        for m in phantom.muscles
    }


def swapped_percent(phantom: Phantom, result: SeparationResult) -> float:
    error = np.abs(result.ff - phantom.ff)[phantom.tissue]
    return 100 * float((error > 50).mean())


@pytest.mark.parametrize(
    "name", sorted(name for name, p in PROTOCOLS.items() if len(p.echo_times_ms) > 2)
)
def test_matched_spectrum_gives_the_truth_without_swaps(name: str) -> None:
    protocol = PROTOCOLS[name]
    phantom = phantom_of(protocol, steep=True)
    result = run(phantom, signal(phantom, protocol.echo_times_ms, snr=40), protocol)
    assert swapped_percent(phantom, result) <= 0.05
    errors = muscle_errors(phantom, result)
    assert max(map(abs, errors.values())) <= 0.5
    lean = [error for m, error in errors.items() if phantom.ff[phantom.labels == m][0] == 0]
    assert max(map(abs, lean)) <= 0.5


def test_another_spectrum_costs_at_most_three_points() -> None:
    phantom = phantom_of(SIX)
    echoes = signal(phantom, SIX.echo_times_ms, spectrum="hamilton-9")
    result = run(phantom, echoes, SIX)
    assert swapped_percent(phantom, result) <= 0.05
    assert max(map(abs, muscle_errors(phantom, result).values())) <= 3.0


@pytest.mark.parametrize("protocol", [SIX, THREE], ids=lambda p: p.name)
@pytest.mark.parametrize("snr", [15, 60])
def test_muscle_without_fat_has_no_noise_floor(protocol: Protocol, snr: float) -> None:
    phantom = phantom_of(protocol)
    result = run(phantom, signal(phantom, protocol.echo_times_ms, snr=snr), protocol)
    errors = muscle_errors(phantom, result)
    lean = [error for m, error in errors.items() if phantom.ff[phantom.labels == m][0] == 0]
    assert np.mean(lean) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("protocol", [SIX, THREE], ids=lambda p: p.name)
def test_both_signs_of_the_phase_give_the_same_map(protocol: Protocol) -> None:
    phantom = phantom_of(protocol)
    echoes = signal(phantom, protocol.echo_times_ms)
    one, other = run(phantom, echoes, protocol), run(phantom, echoes.conj(), protocol)
    assert one.precession != other.precession
    np.testing.assert_allclose(one.ff, other.ff, atol=0.2)


@pytest.mark.parametrize(
    ("scale", "offset"),
    [(2048 / np.pi, 2048), (4096 / np.pi, 0), (1000, 0)],
    ids=["0..4095", "-4096..4094", "milliradians"],
)
def test_phase_as_scanners_store_it(scale: float, offset: float) -> None:
    phantom = phantom_of(SIX)
    echoes = signal(phantom, SIX.echo_times_ms)
    stored = np.rint(np.angle(echoes) * scale + offset).clip(offset - 4096, 4095)
    reference = run(phantom, echoes, SIX)
    result = separate(
        np.abs(echoes), stored, SIX.echo_times_ms, phantom.affine, SIX.field_strength_t
    )
    assert result.phase_units != "radians"
    difference = np.abs(result.ff - reference.ff)[phantom.tissue]
    assert np.nanpercentile(difference, 99) < 0.5


def test_permuted_echoes_are_put_in_order() -> None:
    phantom = phantom_of(SIX)
    echoes = signal(phantom, SIX.echo_times_ms)
    order = [3, 0, 5, 1, 4, 2]
    times = tuple(SIX.echo_times_ms[n] for n in order)
    mixed = run(phantom, echoes[..., order], replace(SIX, echo_times_ms=times))
    np.testing.assert_allclose(mixed.ff, run(phantom, echoes, SIX).ff, atol=1e-3)
    assert mixed.echo_times_ms == tuple(sorted(times))


def test_two_magnitudes_give_the_two_point_estimate_flagged() -> None:
    phantom = phantom_of(SIX)
    protocol = Protocol("2pt", 3.0, (1.15, 2.30))
    magnitude = np.abs(signal(phantom, protocol.echo_times_ms))
    result = separate(magnitude, None, protocol.echo_times_ms, phantom.affine, 3.0)
    assert {check.level for check in result.checks} != {"pass"}
    muscle = np.isin(phantom.labels, phantom.muscles)
    # Two magnitudes cannot tell 20 % from 80 %: only what reads above 40 % shows itself.
    assert result.doubtful[muscle & (result.ff > 40)].all()
    lean = muscle & (phantom.ff <= 20)
    assert not result.doubtful[lean].mean() > 0.05
    assert np.nanmedian(result.ff[lean] - phantom.ff[lean]) == pytest.approx(0, abs=4)


def test_magnitudes_alone_are_flagged() -> None:
    phantom = phantom_of(SIX)
    magnitude = np.abs(signal(phantom, SIX.echo_times_ms))
    result = separate(magnitude, None, SIX.echo_times_ms, phantom.affine, 3.0)
    assert result.phase_units is None
    assert result.b0 is None
    assert "warn" in {check.level for check in result.checks}


def test_field_and_decay_are_those_of_the_phantom() -> None:
    phantom = phantom_of(SIX)
    result = run(phantom, signal(phantom, SIX.echo_times_ms, snr=60), SIX)
    assert result.b0 is not None
    assert result.r2star is not None
    muscle = np.isin(phantom.labels, phantom.muscles) & (phantom.ff < 40)
    period = 1000 / (SIX.echo_times_ms[1] - SIX.echo_times_ms[0])
    sign = 1 if result.precession == "as modelled" else -1
    off = (sign * result.b0 - phantom.b0 + period / 2) % period - period / 2
    assert np.nanmedian(np.abs(off[muscle])) < 3
    assert np.nanmedian(np.abs((result.r2star - phantom.r2star_water)[muscle])) < 8


@pytest.fixture(scope="module")
def scan() -> tuple[Phantom, np.ndarray, np.ndarray]:
    phantom = phantom_of(SIX)
    echoes = signal(phantom, SIX.echo_times_ms)
    return phantom, np.abs(echoes), np.angle(echoes)


def test_phase_without_magnitude(scan: tuple[Phantom, np.ndarray, np.ndarray]) -> None:
    phantom, _, phase = scan
    with pytest.raises(DataError, match="There is a phase image but no magnitude image"):
        separate(None, phase, SIX.echo_times_ms, phantom.affine, 3.0)


def test_echo_times_shorter_than_the_data(scan: tuple[Phantom, np.ndarray, np.ndarray]) -> None:
    phantom, magnitude, phase = scan
    with pytest.raises(DataError) as caught:
        separate(magnitude, phase, SIX.echo_times_ms[:4], phantom.affine, 3.0)
    assert "4" in caught.value.message
    assert "6" in caught.value.message


def test_an_empty_echo(scan: tuple[Phantom, np.ndarray, np.ndarray]) -> None:
    phantom, magnitude, phase = scan
    magnitude = magnitude.copy()
    magnitude[..., 2] = 0
    with pytest.raises(DataError, match=r"The echo at .* ms is empty"):
        separate(magnitude, phase, SIX.echo_times_ms, phantom.affine, 3.0)


def test_phase_of_other_echoes(scan: tuple[Phantom, np.ndarray, np.ndarray]) -> None:
    phantom, magnitude, phase = scan
    with pytest.raises(DataError, match=r"The magnitude has shape .*, the phase"):
        separate(magnitude, phase[..., :5], SIX.echo_times_ms, phantom.affine, 3.0)


@pytest.mark.parametrize("field", [0.0, 30000.0, float("nan")])
def test_implausible_field_strength(
    field: float, scan: tuple[Phantom, np.ndarray, np.ndarray]
) -> None:
    phantom, magnitude, phase = scan
    with pytest.raises(DataError, match="is not plausible"):
        separate(magnitude, phase, SIX.echo_times_ms, phantom.affine, field)


def test_real_three_echo_thigh(shared_data: object) -> None:
    import nibabel as nib

    folder = shared_data / "three-echo/sub-siemensthigh/mr-anat"  # type: ignore[operator]
    image = nib.load(folder / "sub-siemensthigh_MEGRE.nii.gz")
    magnitude = np.asarray(image.dataobj)
    phase = np.asarray(nib.load(folder / "sub-siemensthigh_part-phase_MEGRE.nii.gz").dataobj)
    result = separate(magnitude, phase, (3.45, 4.60, 5.75), image.affine, 3.0)
    other = separate(magnitude, -phase, (3.45, 4.60, 5.75), image.affine, 3.0)
    assert set(result.swaps["status"]) == {"normal"}
    assert result.swaps["shell_ff"].between(75, 97).all()
    lean = ndimage.binary_erosion(result.ff < 30, np.ones((5, 5, 1)))
    assert 2 <= np.nanmedian(result.ff[lean]) <= 5
    apart = np.abs(result.ff - other.ff) > 5
    assert apart[result.body].mean() < 0.001
