"""Three echoes in and opposed phase, and what single acquisitions get wrong."""

import numpy as np
import pytest

from pipelines.water_fat.separation.glover import real_part_fit
from pipelines.water_fat.separation.model import EchoModel
from pipelines.water_fat.separation.options import SeparationOptions
from pipelines.water_fat.separation.refinement import Refined
from pipelines.water_fat.separation.spectra import fat_spectrum
from tests.pipelines.water_fat.multi_echo_phantom import SUBCUTANEOUS
from tests.pipelines.water_fat.separation.conftest import MakeScan, Scan

TIMES = np.array([3.45, 4.60, 5.75]) / 1000
MODEL = EchoModel.of(TIMES, 3.0, fat_spectrum())


def test_real_parts_give_water_and_fat_exactly() -> None:
    share = np.linspace(0, 1, 21).astype(np.float32)
    field = np.linspace(-150, 150, 21).astype(np.float32)
    decay = np.full(21, 50, np.float32)
    turn = np.exp((2j * np.pi * field - decay) * TIMES[:, None] + 1j)
    signal = (((1 - share) + share * MODEL.fat[:, None]) * turn).astype(np.complex64)
    start = np.exp(1j).astype(np.complex64)
    known = Refined((1 - share) * start, share * start, field, decay, np.zeros(21, np.float32))
    water, fat = real_part_fit(signal, known, MODEL, noise=0.0)
    # The phases of the peaks differ a little from in and opposed.
    np.testing.assert_allclose(water, 1 - share, atol=5e-3)
    np.testing.assert_allclose(fat, share, atol=5e-3)


def test_classical_method_is_the_one_with_a_single_peak() -> None:
    # Glover's own formulas on a signal of a single peak without decay.
    spectrum = fat_spectrum("single-1")
    times = np.array([0.5, 1.0, 1.5]) / abs(spectrum.main_shift_hz(3.0))
    model = EchoModel.of(times, 3.0, spectrum)
    water, fat = 0.7, 0.3
    signal = (water + fat * model.fat[:, None]).astype(np.complex64)
    zero = np.zeros(1, np.float32)
    known = Refined(
        np.array([water], np.complex64), np.array([fat], np.complex64), zero, zero, zero
    )
    found = real_part_fit(signal, known, model, noise=0.0)
    in_phase, opposed = abs(signal[1, 0]), np.sqrt(abs(signal[0, 0] * signal[2, 0]))
    assert found[0][0] == pytest.approx((in_phase + opposed) / 2, abs=1e-4)
    assert found[1][0] == pytest.approx((in_phase - opposed) / 2, abs=1e-4)


@pytest.mark.parametrize("turn_degrees", [-15.0, 15.0])
def test_a_phase_offset_of_the_middle_echo_does_not_change_muscle(
    turn_degrees: float, make_scan: MakeScan
) -> None:
    scan = make_scan("3pt-3T-in-opposed")
    scan.echoes[..., 1] *= np.exp(1j * np.radians(turn_degrees))
    result = scan.separated()
    assert result.method == "three-point in/opposed phase"
    errors = scan.errors(result.ff)
    assert max(abs(error) for level, error in errors.items() if level <= 30) < 1.5


def test_sign_of_the_phase_is_found_from_the_continuity_of_the_field(make_scan: MakeScan) -> None:
    scan = make_scan("3pt-3T-in-opposed")
    mirrored = Scan(scan.phantom, scan.protocol, scan.echoes.conj())
    one, other = scan.separated(), mirrored.separated()
    assert (one.precession, other.precession) == ("as modelled", "reversed")
    np.testing.assert_array_equal(one.ff, other.ff)
    assert one.phase_sign.sign == "as modelled"
    assert one.phase_sign.decisive


def test_limb_without_subcutaneous_fat_is_recognized_by_its_marrow(make_scan: MakeScan) -> None:
    lean = make_scan("3pt-3T-in-opposed", subcutaneous_ff=4.0)
    result = lean.separated()
    skin = lean.phantom.labels == SUBCUTANEOUS
    assert np.nanmedian(result.ff[skin]) == pytest.approx(4, abs=2)
    assert max(map(abs, lean.errors(result.ff).values())) < 1.5
    check = {c.name: c for c in result.checks}["water_fat_decision"]
    assert (check.level, result.decided) == ("warn", True)
    assert check.value is not None
    assert check.value > 95


def test_precession_can_be_given(make_scan: MakeScan) -> None:
    scan = make_scan("3pt-3T-in-opposed")
    result = scan.separated(SeparationOptions(precession="as modelled"))
    assert result.precession == "as modelled"
    assert not any("Phase sign" in note for note in result.notes)
