import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.package_data import package_json
from pipelines.water_fat.separation.spectra import fat_spectrum
from tests.pipelines.water_fat.multi_echo_phantom import SPECTRA


@pytest.mark.parametrize("name", package_json("pipelines.water_fat.separation", "spectra.json"))
def test_amplitudes_add_up_and_one_unit_of_fat_is_one_at_time_zero(name: str) -> None:
    spectrum = fat_spectrum(name)
    assert spectrum.amplitude.sum() == pytest.approx(1)
    assert spectrum.phasor(np.zeros(1), 3.0)[0] == pytest.approx(1)
    assert -3.5 < spectrum.shift_ppm[spectrum.amplitude.argmax()] < -3.3
    assert spectrum.source


@pytest.mark.parametrize("name", [name for name in SPECTRA if name != "measured"])
def test_table_agrees_with_an_independent_copy(name: str) -> None:
    shift, amplitude = (np.array(values) for values in SPECTRA[name])
    spectrum = fat_spectrum(name)
    order, other = np.argsort(spectrum.shift_ppm), np.argsort(shift)
    np.testing.assert_allclose(spectrum.shift_ppm[order], shift[other], atol=1e-9)
    np.testing.assert_allclose(
        spectrum.amplitude[order], (amplitude / amplitude.sum())[other], atol=1e-9
    )


def test_single_peak_turns_by_its_frequency() -> None:
    spectrum = fat_spectrum("single-1")
    hz = spectrum.main_shift_hz(3.0)
    assert hz == pytest.approx(-3.4 * 42.577478518 * 3.0)
    times = np.array([0.001, 0.0023])
    np.testing.assert_allclose(spectrum.phasor(times, 3.0), np.exp(2j * np.pi * hz * times))


def test_unknown_spectrum_names_the_known_ones() -> None:
    with pytest.raises(DataError, match="no fat spectrum called 'butter'") as error:
        fat_spectrum("butter")
    assert "ismrm-6" in error.value.hint
