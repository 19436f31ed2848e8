"""What people do wrong: each mistake gets its exit code and a message with file and remedy.

Nothing may be left half-written: after every case the output folder holds no result and no
staging folder.
"""

import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from tests.bids_app.small_dataset import (
    AFFINE,
    SHAPE,
    make_dataset,
    make_label_maps,
    water_and_fat,
    write_image,
)


class Case:
    """A small dataset in which a test breaks one thing."""

    def __init__(self, folder: Path) -> None:
        self.bids_dir = make_dataset(folder / "in")
        self.truth = make_label_maps(folder / "truth")
        self.out = folder / "out"
        self.images = self.bids_dir / "sub-01" / "mr-quant"
        self.water = self.images / "sub-01_WATER.nii.gz"
        self.fat = self.images / "sub-01_FAT.nii.gz"

    def run(self, *options: str) -> int:
        """Run with the given label maps."""
        return self.run_model("--derivatives", f"truth={self.truth}", *options)

    def run_model(self, *options: str) -> int:
        """Run with a model."""
        return main([str(self.bids_dir), str(self.out), "participant", *options])

    def results(self) -> list[Path]:
        """Return whatever a failed run must not leave behind."""
        left = [*self.out.glob("sub-*"), *self.out.glob("logs/complete/*")]
        return left + list(self.out.glob("logs/staging/*"))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def replace_data(path: Path, data: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    path.unlink()
    write_image(path, data, affine)


def truncate(case: Case) -> Path:
    case.fat.write_bytes(case.fat.read_bytes()[:2000])
    return case.fat


def not_an_image(case: Case) -> Path:
    case.water.write_bytes(gzip.compress(b"this is no image"))
    return case.water


def empty_file(case: Case) -> Path:
    case.water.write_bytes(b"")
    return case.water


def all_nan(case: Case) -> Path:
    replace_data(case.water, np.full(SHAPE, np.nan, np.float32))
    return case.water


def two_dimensional(case: Case) -> Path:
    replace_data(case.water, water_and_fat()[0][:, :, 0])
    return case.water


def several_volumes(case: Case) -> Path:
    replace_data(case.water, np.stack([water_and_fat()[0]] * 3, axis=-1))
    return case.water


def five_dimensional(case: Case) -> Path:
    replace_data(case.water, np.zeros((8, 8, 4, 2, 2), np.int16))
    return case.water


def zero_voxels(case: Case) -> Path:
    raw = bytearray(gzip.decompress(case.water.read_bytes()))
    raw[42:44] = (0).to_bytes(2, "little")
    case.water.write_bytes(gzip.compress(bytes(raw)))
    return case.water


def affine_of_zeros(case: Case) -> Path:
    image = nib.load(case.water)
    header = image.header.copy()
    header["srow_x"], header["srow_y"], header["srow_z"] = 0, 0, 0
    header["sform_code"], header["qform_code"] = 1, 0
    data = np.asarray(image.dataobj)
    case.water.unlink()
    nib.Nifti1Image(data, None, header).to_filename(case.water)
    return case.water


def complex_values(case: Case) -> Path:
    replace_data(case.water, water_and_fat()[0].astype(np.complex64))
    return case.water


def no_signal(case: Case) -> Path:
    for path in (case.water, case.fat):
        replace_data(path, np.zeros(SHAPE, np.int16))
    return case.water


def fields_of_view_apart(case: Case) -> Path:
    far = AFFINE.copy()
    far[0, 3] = 5000.0
    replace_data(case.fat, water_and_fat()[1], far)
    return case.fat


def broken_sidecar(case: Case) -> Path:
    path = case.images / "sub-01_WATER.json"
    path.write_text('{"EchoTime": [1.2,}')
    return path


@pytest.mark.parametrize(
    ("break_it", "text"),
    [
        (truncate, "truncated"),
        (not_an_image, "NIfTI"),
        (empty_file, "empty"),
        (all_nan, "finite"),
        (two_dimensional, "2"),
        (several_volumes, "volumes"),
        (five_dimensional, "5"),
        (zero_voxels, "voxels"),
        (affine_of_zeros, "affine"),
        (complex_values, "complex"),
        (no_signal, "is blank: every voxel is 0"),
        (fields_of_view_apart, "same part of the body"),
        (broken_sidecar, "line 1"),
    ],
)
def test_bad_data_names_the_file(
    break_it: Callable[[Case], Path], text: str, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    path = break_it(case)
    assert case.run() == ExitCode.BAD_DATA
    error = capsys.readouterr().err
    assert str(path) in error
    assert text in error
    assert "hint:" in error
    assert error.splitlines()[-1].endswith("exit code 65 (BAD_DATA)")
    assert "Traceback" not in error
    assert case.results() == []


def test_missing_sidecar_is_no_error(case: Case) -> None:
    for path in case.images.glob("*.json"):
        path.unlink()
    assert case.run() == ExitCode.OK


def test_some_nan_voxels_are_counted_not_fatal(case: Case) -> None:
    water = water_and_fat()[0].astype(np.float32)
    water[20, 24, :] = np.nan
    replace_data(case.water, water)
    assert case.run() == ExitCode.OK
    sidecar = json.loads((case.out / "sub-01/mr-quant/sub-01_FF.json").read_text())
    check = next(c for c in sidecar["QualityChecks"] if c["name"] == "non_finite")
    assert check["value"] > 0


def test_fat_on_another_grid_is_resampled_and_said(case: Case) -> None:
    fat = water_and_fat()[1][::2, ::2]
    affine = AFFINE.copy()
    affine[0, 0], affine[1, 1] = 2 * AFFINE[0, 0], 2 * AFFINE[1, 1]
    replace_data(case.fat, fat, affine)
    assert case.run() == ExitCode.OK
    sidecar = (case.out / "sub-01/mr-quant/sub-01_FF.json").read_text()
    assert "Fat lay on another grid" in sidecar


def expect(code: ExitCode, returned: int, error: str, *texts: str) -> None:
    assert returned == code
    for text in texts:
        assert text in error
    assert error.splitlines()[-1].endswith(f"exit code {int(code)} ({code.name})")
    assert "Traceback" not in error


def test_only_water(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    case.fat.unlink()
    code = case.run()
    expect(
        ExitCode.NOTHING_SELECTED,
        code,
        capsys.readouterr().err,
        "water image (sub-01_WATER.nii.gz) but no fat image",
    )
    assert case.results() == []


def test_unknown_participant(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    code = case.run("--participant-label", "01", "77")
    expect(ExitCode.NOTHING_SELECTED, code, capsys.readouterr().err, "77", "01")
    assert not case.out.exists()


def test_unknown_session(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    code = case.run("--session-label", "later")
    expect(ExitCode.NOTHING_SELECTED, code, capsys.readouterr().err, "later")


def test_dataset_that_does_not_exist(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    case.bids_dir = case.bids_dir / "nowhere"
    code = case.run()
    expect(ExitCode.INPUT_MISSING, code, capsys.readouterr().err, "does not exist", "mount")


def test_folder_without_participants(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    case.bids_dir = case.images
    code = case.run()
    expect(
        ExitCode.INVALID_DATASET,
        code,
        capsys.readouterr().err,
        "holds no sub-* folders",
        "--participant-label 01",
    )


def test_dangling_annex_link(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    case.water.unlink()
    case.water.symlink_to("../../.git/annex/objects/xx/yy/MD5E-s1--0.nii.gz")
    code = case.run()
    expect(ExitCode.INPUT_MISSING, code, capsys.readouterr().err, "datalad get", str(case.water))


def test_label_maps_folder_missing(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    code = case.run_model("--derivatives", f"truth={case.truth / 'absent'}")
    expect(ExitCode.INPUT_MISSING, code, capsys.readouterr().err, "truth=", "does not exist")


def test_label_map_of_the_participant_missing(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(case.truth / "sub-01")
    code = case.run()
    expect(ExitCode.INPUT_MISSING, code, capsys.readouterr().err, "No label map of sub-01")
    assert case.results() == []


def test_label_map_without_known_muscles(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    (case.truth / "dseg.tsv").write_text("index\tname\n2021\tliver\n2022\tspleen\n")
    code = case.run()
    expect(ExitCode.BAD_DATA, code, capsys.readouterr().err, "names no muscle that is known")


def test_unknown_model(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    code = case.run_model("--model", "no_such_model")
    expect(ExitCode.UNAVAILABLE, code, capsys.readouterr().err, "no_such_model", "thigh11")
    assert case.results() == []


def test_cuda_that_cannot_be_had(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    code = case.run_model("--device", "cuda")
    error = capsys.readouterr().err
    expect(ExitCode.UNAVAILABLE, code, error, "cuda", "cannot be had")
    assert "--gpus" in error or "--nv" in error or "CUDA" in error


def test_configuration_with_an_unknown_key(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("npocs: 2\n")
    code = case.run("--config-file", str(config))
    expect(ExitCode.USAGE, code, capsys.readouterr().err, "npocs", "Did you mean 'nprocs'?")


def test_filter_that_leaves_nothing(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filters = tmp_path / "filter.json"
    filters.write_text('{"water": {"acquisition": "other"}, "fat": {"acquisition": "other"}}')
    code = case.run("--bids-filter-file", str(filters))
    expect(
        ExitCode.NOTHING_SELECTED, code, capsys.readouterr().err, "The filter file leaves no scan"
    )


def test_output_folder_is_a_file(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    case.out.write_text("")
    code = case.run()
    expect(ExitCode.CANNOT_CREATE, code, capsys.readouterr().err, str(case.out))


def test_output_folder_of_another_dataset(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    case.out.mkdir()
    (case.out / "dataset_description.json").write_text('{"Name": "Somebody else"}')
    code = case.run()
    expect(ExitCode.CANNOT_CREATE, code, capsys.readouterr().err, "MyoMIDS did not make")


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount small or read-only file systems; needs root."""
    mounted: list[Path] = []

    def make(options: str) -> Path:
        folder = tmp_path / f"mount{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a file system is not permitted here")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_read_only_output(
    case: Case, mount: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    case.out = mount("ro") / "out"
    code = case.run()
    expect(ExitCode.CANNOT_CREATE, code, capsys.readouterr().err, "Read-only file system")


def test_full_disk(
    case: Case, mount: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    case.out = mount("size=64k") / "out"
    code = case.run()
    expect(ExitCode.IO_FAILURE, code, capsys.readouterr().err, "No space left on device", "Free")
    assert case.results() == []
