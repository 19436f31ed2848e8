"""Sidecars of raw echoes: every part's echo times count, fields are recognized or refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from bids_app.dataset.inputs import EchoSeries
from bids_app.dataset.scans import Scan, ScanFile
from bids_app.errors import AppError, ExitCode
from bids_app.participant.echo_acquisition import EchoAcquisition, read_acquisition
from bids_app.participant.echo_series import read_echoes
from tests.bids_app.small_dataset import write_image

TIMES = [3.45, 4.6, 5.75]
FIELDS = {"EchoTime": TIMES, "MagneticFieldStrength": 3}


def scan(folder: Path, name: str, fields: dict[str, object] | None, part: str = "mag") -> Scan:
    path = folder / f"{name}.nii.gz"
    sidecars: tuple[Path, ...] = ()
    if fields is not None:
        sidecars = (folder / f"{name}.json",)
        sidecars[0].write_text(json.dumps(fields))
    return Scan((ScanFile(path, "megre", part, "", {}, sidecars),))


def acquisition(
    folder: Path, first: dict[str, object], second: dict[str, object] | None = None
) -> EchoAcquisition:
    phase = None if second is None else scan(folder, "phase", second, "phase")
    return read_acquisition(EchoSeries(scan(folder, "mag", first), phase))


def refusal(
    folder: Path, first: dict[str, object], second: dict[str, object] | None = None
) -> AppError:
    with pytest.raises(AppError) as caught:
        acquisition(folder, first, second)
    assert caught.value.exit_code is ExitCode.BAD_DATA
    return caught.value


def test_equal_times_keep_the_order(tmp_path: Path) -> None:
    found = acquisition(tmp_path, FIELDS, {"EchoTime": TIMES})
    assert (found.second_order, found.notes) == ((0, 1, 2), ())


@pytest.mark.parametrize("scale", [1, 0.001])
def test_phase_in_another_order_is_matched_by_its_times(tmp_path: Path, scale: float) -> None:
    stated = [TIMES[n] * scale for n in (2, 0, 1)]
    found = acquisition(tmp_path, FIELDS, {"EchoTime": stated})
    assert found.second_order == (1, 2, 0)
    assert "order of their echo times" in found.notes[0]


def test_a_phase_without_times_is_taken_in_order_with_a_note(tmp_path: Path) -> None:
    found = acquisition(tmp_path, FIELDS, {})
    assert found.second_order is None
    assert "does not say EchoTime" in found.notes[0]


@pytest.mark.parametrize("stated", [[3.45, 4.6, 6.9], [3.45, 4.6], [3.45, 4.6, 5.75, 6.9]])
def test_other_times_of_the_phase_are_refused(tmp_path: Path, stated: list[float]) -> None:
    assert "different echo times" in refusal(tmp_path, FIELDS, {"EchoTime": stated}).message


def test_phase_files_are_put_in_the_order_of_the_magnitude(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    magnitude = rng.uniform(10, 20, (4, 5, 3, 3)).astype(np.float32)
    phase = rng.uniform(-3, 3, (4, 5, 3, 3)).astype(np.float32)
    write_image(tmp_path / "mag.nii.gz", magnitude)
    write_image(tmp_path / "phase.nii.gz", phase[..., [2, 0, 1]])
    stated = {"EchoTime": [TIMES[n] for n in (2, 0, 1)], "Units": "rad"}
    parts = scan(tmp_path, "mag", FIELDS), scan(tmp_path, "phase", stated, "phase")
    images = read_echoes(EchoSeries(*parts), {})
    assert images.phase is not None
    assert images.acquisition.phase_units == "radians"
    expected = {tuple(values) for values in phase.reshape(-1, 3).tolist()}
    assert {tuple(values) for values in images.phase.reshape(-1, 3).tolist()} == expected


@pytest.mark.parametrize("frequency", [123.25, 123_250_000.0])
def test_the_frequency_is_recognized_in_mhz_and_hz(tmp_path: Path, frequency: float) -> None:
    found = acquisition(tmp_path, {**FIELDS, "ImagingFrequency": frequency})
    assert found.field_strength_t == pytest.approx(2.8947, abs=1e-4)
    assert len(found.notes) == (frequency > 1000)


@pytest.mark.parametrize("frequency", [123_250.0, 2.9, 9e9])
def test_another_frequency_is_refused_by_its_own_name(tmp_path: Path, frequency: float) -> None:
    error = refusal(tmp_path, {**FIELDS, "ImagingFrequency": frequency})
    assert error.message.startswith("ImagingFrequency of")


def test_frequency_and_field_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, {**FIELDS, "MagneticFieldStrength": 1.5, "ImagingFrequency": 123.2})
    assert "ImagingFrequency 123.2 MHz" in error.message
    assert "1.5 T" in error.message


def test_neither_frequency_nor_field(tmp_path: Path) -> None:
    message = refusal(tmp_path, {"EchoTime": TIMES}).message
    assert "neither MagneticFieldStrength nor ImagingFrequency" in message


@pytest.mark.parametrize(("lowest", "refused"), [(-0.5, False), (-15.0, True)])
def test_a_magnitude_is_not_negative(tmp_path: Path, lowest: float, refused: bool) -> None:
    data = np.full((3, 3, 3, 3), 20, np.float32)
    data[0, 0, 0, 0] = lowest
    write_image(tmp_path / "mag.nii.gz", data)
    inputs = EchoSeries(scan(tmp_path, "mag", FIELDS))
    if not refused:
        assert read_echoes(inputs, {}).magnitude.min() == lowest
        return
    with pytest.raises(AppError, match="holds negative values"):
        read_echoes(inputs, {})
