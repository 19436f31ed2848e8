"""Raw gradient echoes of two round legs through the participant level."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from pipelines.water_fat.separation.spectra import DEFAULT_SPECTRUM, fat_spectrum
from tests.bids_app.small_dataset import (
    FAT_FF,
    MUSCLE_FF,
    SIGNAL,
    legs,
    make_label_maps,
    write_image,
)

ECHOES_MS = tuple(1.2 + 1.0 * n for n in range(6))
FIELD_T = 3.0
R2STAR = 40.0
NOISE = 5.0


def echo_images() -> np.ndarray:
    """Return complex echoes (x, y, z, echo) with a field that varies by 60 Hz across the legs."""
    ff = np.nan_to_num(legs()[0]) / 100
    tissue = np.isfinite(legs()[0])
    times = np.array(ECHOES_MS) / 1000
    phasor = fat_spectrum(DEFAULT_SPECTRUM).phasor(times, FIELD_T)
    field = 60.0 * (np.indices(ff.shape)[0] / ff.shape[0] - 0.5)
    signal = SIGNAL * tissue[..., None] * ((1 - ff)[..., None] + ff[..., None] * phasor)
    signal = signal * np.exp((2j * np.pi * field[..., None] - R2STAR) * times)
    rng = np.random.default_rng(1)
    noise = rng.normal(0, NOISE, (2, *signal.shape))
    echoes: np.ndarray = signal + noise[0] + 1j * noise[1]
    return echoes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder for the scans of an otherwise complete dataset."""
    make_label_maps(tmp_path / "truth")
    folder = tmp_path / "in" / "sub-01" / "mr-anat"
    folder.mkdir(parents=True)
    return folder


def sidecar(path: Path, **changes: object) -> None:
    content = {"EchoTime": list(ECHOES_MS), "MagneticFieldStrength": FIELD_T, **changes}
    given = {key: value for key, value in content.items() if value is not None}
    path.write_text(json.dumps(given))


def run(folder: Path, *options: str) -> int:
    root = folder.parents[2]
    maps = ["--derivatives", f"truth={root / 'truth'}"]
    return main([str(root / "in"), str(root / "out"), "participant", *maps, *options])


def write_magnitude_and_phase(folder: Path) -> None:
    echoes = echo_images()
    write_image(folder / "sub-01_MEGRE.nii.gz", np.abs(echoes).astype(np.float32))
    phase = np.angle(echoes).astype(np.float32)
    write_image(folder / "sub-01_part-phase_MEGRE.nii.gz", phase)
    sidecar(folder / "sub-01_MEGRE.json")


def medians(folder: Path) -> tuple[float, float, dict[str, object]]:
    """Return median fat fraction of muscle and fat, and the sidecar of the map."""
    out = folder.parents[2] / "out/sub-01/mr-quant"
    ff = np.asarray(nib.load(out / "sub-01_FF.nii.gz").dataobj)
    truth = legs()[0]
    content = json.loads((out / "sub-01_FF.json").read_text())
    muscle, fat = (float(np.nanmedian(ff[truth == level])) for level in (MUSCLE_FF, FAT_FF))
    return muscle, fat, content


def test_magnitude_and_phase(folder: Path) -> None:
    write_magnitude_and_phase(folder)
    assert run(folder) == ExitCode.OK
    muscle, fat, content = medians(folder)
    assert muscle == pytest.approx(MUSCLE_FF, abs=0.5)
    assert fat == pytest.approx(FAT_FF, abs=0.5)
    assert content["FatSpectrum"] == DEFAULT_SPECTRUM
    assert content["EchoTimeStoredIn"] == "ms"
    assert content["EchoTimesMs"] == pytest.approx(list(ECHOES_MS))
    quant = folder.parents[2] / "out/sub-01/mr-quant"
    r2star = np.asarray(nib.load(quant / "sub-01_R2starmap.nii.gz").dataobj)
    assert np.nanmedian(r2star) == pytest.approx(R2STAR, abs=3)
    assert json.loads((quant / "sub-01_R2starmap.json").read_text())["Units"] == "1/s"
    for ending in ("WATER", "FAT", "B0", "desc-doubtful_mask"):
        assert (quant / f"sub-01_{ending}.nii.gz").exists()


def test_real_and_imaginary_parts(folder: Path) -> None:
    echoes = echo_images()
    for part, data in (("real", echoes.real), ("imag", echoes.imag)):
        write_image(folder / f"sub-01_part-{part}_MEGRE.nii.gz", data.astype(np.float32))
        sidecar(folder / f"sub-01_part-{part}_MEGRE.json")
    assert run(folder) == ExitCode.OK
    muscle, fat, _ = medians(folder)
    assert muscle == pytest.approx(MUSCLE_FF, abs=0.5)
    assert fat == pytest.approx(FAT_FF, abs=0.5)


def test_one_file_per_echo_with_times_in_seconds(folder: Path) -> None:
    echoes = echo_images()
    for n, time in enumerate(ECHOES_MS):
        for part, data in (("", np.abs(echoes)), ("_part-phase", np.angle(echoes))):
            name = f"sub-01_echo-{n + 1}{part}_MEGRE"
            write_image(folder / f"{name}.nii.gz", data[..., n].astype(np.float32))
            sidecar(folder / f"{name}.json", EchoTime=time / 1000)
    assert run(folder) == ExitCode.OK
    muscle, _, content = medians(folder)
    assert muscle == pytest.approx(MUSCLE_FF, abs=0.5)
    assert content["EchoTimeStoredIn"] == "s"


def test_magnitude_alone_is_flagged(folder: Path) -> None:
    write_magnitude_and_phase(folder)
    (folder / "sub-01_part-phase_MEGRE.nii.gz").unlink()
    assert run(folder) == ExitCode.OK
    _, _, content = medians(folder)
    checks = {check["name"]: check["level"] for check in content["QualityChecks"]}
    assert checks["separation_method"] == "warn"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"EchoTime": None}, "EchoTime"),
        ({"EchoTime": list(ECHOES_MS[:4])}, "4"),
        ({"EchoTime": [1e5] * 6}, "EchoTime"),
        ({"MagneticFieldStrength": None}, "MagneticFieldStrength"),
        ({"MagneticFieldStrength": 30000}, "field strength"),
    ],
)
def test_unusable_sidecars(
    changes: dict[str, object], text: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_magnitude_and_phase(folder)
    sidecar(folder / "sub-01_MEGRE.json", **changes)
    assert run(folder) == ExitCode.BAD_DATA
    error = capsys.readouterr().err
    assert text in error
    assert "sub-01_MEGRE" in error
    assert error.splitlines()[-1].endswith("exit code 65 (BAD_DATA)")


def test_phase_without_magnitude(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_magnitude_and_phase(folder)
    (folder / "sub-01_MEGRE.nii.gz").unlink()
    assert run(folder) == ExitCode.NOTHING_SELECTED
    assert "neither the magnitude of these echoes" in capsys.readouterr().err


def test_phase_with_fewer_echoes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_magnitude_and_phase(folder)
    phase = np.angle(echo_images())[..., :5].astype(np.float32)
    write_image(folder / "sub-01_part-phase_MEGRE.nii.gz", phase)
    assert run(folder) == ExitCode.BAD_DATA
    assert "do not hold the same echoes" in capsys.readouterr().err
