"""The participant level as a user runs it, on two round legs with given label maps."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from bids_app.cli import main
from bids_app.errors import ExitCode
from pipelines.anatomy.vocabulary import muscles
from tests.bids_app.small_dataset import (
    AFFINE,
    FAT_FF,
    MUSCLE_FF,
    SHAPE,
    VOXEL_MM,
    legs,
    make_dataset,
    make_label_maps,
    water_and_fat,
    write_image,
)

PARTICIPANTS = ("01", "02")
Run = Callable[..., int]

GOLDEN = (Path(__file__).parents[1] / "golden_files.txt").read_text().split()


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    make_label_maps(tmp_path / "truth", PARTICIPANTS)
    return make_dataset(tmp_path / "in", PARTICIPANTS)


@pytest.fixture
def run(dataset: Path, tmp_path: Path) -> Run:
    """Run on the small dataset with its label maps and further options."""

    def call(*options: str) -> int:
        folders = [str(dataset), str(tmp_path / "out")]
        maps = ["--derivatives", f"truth={tmp_path / 'truth'}"]
        return main([*folders, "participant", *maps, *options])

    return call


def stats(out: Path, participant: str = "01") -> pd.DataFrame:
    name = f"sub-{participant}_desc-muscles_stats.tsv"
    table = pd.read_table(out / f"sub-{participant}" / "mr-quant" / name, na_values="n/a")
    return table[table["level"] == "muscle"].set_index(["muscle", "side"])


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder but logs, which differ from run to run."""
    files = (p for p in folder.rglob("*") if p.is_file() and "logs" not in p.parts)
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def test_files_values_and_validity(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("--participant-label", "01") == ExitCode.OK
    written = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
    run_id = next(p for p in written if p.startswith("logs/run-"))[len("logs/run-") : -len(".log")]
    assert [name.replace(run_id, "RUN") for name in written] == GOLDEN

    table = stats(out)
    _, labels = legs()
    for (_, _), row in table.iterrows():
        assert row["ff_mean"] == pytest.approx(MUSCLE_FF, abs=0.1)
        voxels = (labels == row["label"]).sum()
        assert row["volume_ml"] == pytest.approx(voxels * np.prod(VOXEL_MM) / 1000, rel=1e-5)

    ff = nib.load(out / "sub-01/mr-quant/sub-01_FF.nii.gz")
    assert ff.shape == SHAPE
    np.testing.assert_allclose(ff.affine, AFFINE)
    data = np.asarray(ff.dataobj)
    assert np.isnan(data[0, 0]).all()
    assert np.nanmedian(data[20, 24]) == pytest.approx(MUSCLE_FF, abs=0.6)
    assert np.nanmedian(data[20, 10]) == pytest.approx(FAT_FF, abs=0.6)
    written_labels = nib.load(out / "sub-01/mr-quant/sub-01_desc-muscles_dseg.nii.gz")
    np.testing.assert_array_equal(np.asarray(written_labels.dataobj), labels)

    validator = Path(sys.executable).with_name("bids-validator-deno")
    result = subprocess.run([validator, out], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_sidecars_say_where_numbers_come_from(run: Run, tmp_path: Path) -> None:
    assert run("--participant-label", "01") == ExitCode.OK
    folder = tmp_path / "out/sub-01/mr-quant"
    ff = json.loads((folder / "sub-01_FF.json").read_text())
    assert ff["Units"] == "%"
    assert ff["FatFractionMethod"] == "F / (W + F) of magnitude images"
    assert ff["Sources"] == [
        "bids:raw:sub-01/mr-quant/sub-01_WATER.nii.gz",
        "bids:raw:sub-01/mr-quant/sub-01_FAT.nii.gz",
    ]
    checks = {check["name"]: check for check in ff["QualityChecks"]}
    assert checks["water_fat_swap"]["level"] == "pass"
    assert checks["water_fat_swap"]["value"] == pytest.approx(FAT_FF, abs=1)
    labels = json.loads((folder / "sub-01_desc-muscles_dseg.json").read_text())
    truth = "bids:truth:sub-01/mr-quant/sub-01_desc-muscles_dseg.nii.gz"
    assert labels["LabelSource"] == f"Label map {truth}"
    columns = json.loads((folder / "sub-01_desc-muscles_stats.json").read_text())
    assert columns["ff_mean"]["Units"] == "%"
    for sidecar in (ff, labels, columns):
        assert sidecar["GeneratedBy"][0]["Name"] == "MyoMIDS"
        assert str(tmp_path) not in json.dumps(sidecar)


def test_second_run_skips_and_changes_nothing(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--participant-label", "01") == ExitCode.OK
    before = snapshot(tmp_path / "out")
    assert run("--participant-label", "01") == ExitCode.OK
    assert snapshot(tmp_path / "out") == before
    assert "1 skipped (complete before)" in capsys.readouterr().err


def test_other_settings_are_not_mixed_but_overwrite_recomputes(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--participant-label", "01") == ExitCode.OK
    assert stats(tmp_path / "out").loc[("rectus_femoris", "left"), "erosion"] == "in_plane"
    assert run("--participant-label", "01", "--no-erode") == ExitCode.CANNOT_CREATE
    assert "were made from other settings" in capsys.readouterr().err
    assert stats(tmp_path / "out").loc[("rectus_femoris", "left"), "erosion"] == "in_plane"
    assert run("--participant-label", "01", "--no-erode", "--overwrite") == ExitCode.OK
    assert stats(tmp_path / "out").loc[("rectus_femoris", "left"), "erosion"] == "none"


@pytest.mark.parametrize("erode", [True, False])
def test_the_slice_profile_is_measured_as_its_sidecar_says(
    run: Run, dataset: Path, tmp_path: Path, *, erode: bool
) -> None:
    """The rim of the muscles is fatter than their core and counts only without erosion."""
    labels = legs()[1]
    rim = (labels > 0) & ~ndimage.binary_erosion(labels > 0, np.ones((3, 3, 1)))
    water, fat = (np.where(rim, at, i) for at, i in zip((400, 600), water_and_fat(), strict=True))
    for suffix, image in (("WATER", water), ("FAT", fat)):
        path = dataset / f"sub-01/mr-quant/sub-01_{suffix}.nii.gz"
        write_image(path, image.astype(np.int16))
    assert run("--participant-label", "01", *([] if erode else ["--no-erode"])) == ExitCode.OK
    name = tmp_path / "out/sub-01/mr-quant/sub-01_desc-muscles_profile"
    sidecar = json.loads(name.with_suffix(".json").read_text())
    assert sidecar["MeasurementOptions"]["Erode"] == erode
    fraction = 100.0 * fat / np.maximum(water + fat, 1)
    for row in pd.read_table(name.with_suffix(".tsv"), na_values="n/a").itertuples():
        mask = labels[:, :, row.slice] == muscles()[row.muscle].value(row.side)
        if erode:
            mask = ndimage.binary_erosion(mask)
        assert row.n_voxels_ff == mask.sum()
        assert row.ff_mean == pytest.approx(fraction[:, :, row.slice][mask].mean(), abs=1e-3)


def test_changed_input_is_noticed(
    run: Run, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--participant-label", "01") == ExitCode.OK
    water, _ = water_and_fat()
    write_image(dataset / "sub-01/mr-quant/sub-01_WATER.nii.gz", water // 2)
    assert run("--participant-label", "01") == ExitCode.CANNOT_CREATE
    assert "were made from other inputs" in capsys.readouterr().err


def test_one_bad_session_leaves_its_reason_and_the_others_complete(
    run: Run, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fat = dataset / "sub-02/mr-quant/sub-02_FAT.nii.gz"
    whole = fat.read_bytes()
    fat.write_bytes(whole[: len(whole) // 2])
    assert run() == ExitCode.PARTIAL
    error = capsys.readouterr().err
    assert error.splitlines()[-1].endswith("exit code 80 (PARTIAL)")
    out = tmp_path / "out"
    reason = json.loads((out / "logs/failed/sub-02.json").read_text())
    assert reason["ExitCode"] == ExitCode.BAD_DATA
    assert str(fat) in reason["Message"]
    assert (out / "sub-01.html").exists()
    assert not (out / "sub-02").exists()
    assert not (out / "sub-02.html").exists()
    assert not list((out / "logs/staging").iterdir())

    fat.write_bytes(whole)
    assert run() == ExitCode.OK
    assert "1 session(s) complete, 1 skipped" in capsys.readouterr().err
    assert not (out / "logs/failed/sub-02.json").exists()


def test_stop_on_first_crash(run: Run, dataset: Path, tmp_path: Path) -> None:
    (dataset / "sub-01/mr-quant/sub-01_FAT.nii.gz").write_bytes(b"no image")
    assert run("--stop-on-first-crash") == ExitCode.BAD_DATA
    assert not (tmp_path / "out/sub-02.html").exists()


def test_dry_run_names_the_files_and_writes_nothing(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--dry-run", "--participant-label", "02") == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == [
        "sub-02: would be processed",
        "  sub-02/mr-quant/sub-02_WATER.nii.gz, sub-02/mr-quant/sub-02_FAT.nii.gz",
        "dry run: nothing was written",
    ]
    assert not (tmp_path / "out").exists()


def test_reports_only_writes_the_page_again_and_nothing_else(run: Run, tmp_path: Path) -> None:
    assert run("--participant-label", "01") == ExitCode.OK
    out = tmp_path / "out"
    before = snapshot(out)
    (out / "sub-01.html").unlink()
    assert run("--participant-label", "01", "--reports-only") == ExitCode.OK
    after = snapshot(out)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} <= {"sub-01.html"}
    assert b"Rectus femoris" in after["sub-01.html"]


def test_two_sessions_side_by_side_give_the_tables_of_one_after_the_other(
    run: Run, dataset: Path, tmp_path: Path
) -> None:
    assert run("--nprocs", "2", "--mem", "100GB") == ExitCode.OK
    side_by_side = snapshot(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    assert run() == ExitCode.OK
    in_turn = snapshot(tmp_path / "out")
    assert side_by_side.keys() == in_turn.keys()
    tables = [name for name in in_turn if name.endswith(".tsv")]
    assert len(tables) == 6
    assert all(side_by_side[name] == in_turn[name] for name in tables)


@pytest.mark.parametrize("codes", ["LPS", "PIR", "SAL"])
def test_stored_orientation_does_not_change_the_table(
    codes: str, run: Run, dataset: Path, tmp_path: Path
) -> None:
    assert run("--participant-label", "01") == ExitCode.OK
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(codes)
    )
    for suffix in ("WATER", "FAT"):
        path = dataset / f"sub-02/mr-quant/sub-02_{suffix}.nii.gz"
        image = nib.load(path).as_reoriented(turn)
        write_image(path, np.asarray(image.dataobj), image.affine)
    assert run("--participant-label", "02") == ExitCode.OK
    out = tmp_path / "out"
    pd.testing.assert_frame_equal(stats(out, "01"), stats(out, "02"))
    stored = nib.load(out / "sub-02/mr-quant/sub-02_FF.nii.gz")
    assert nib.aff2axcodes(stored.affine) == tuple(codes)


def test_resource_monitor_prints_time_and_memory_of_every_step(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--participant-label", "01", "--resource-monitor") == ExitCode.OK
    lines = [line for line in capsys.readouterr().err.splitlines() if line.endswith(" MB")]
    steps = [line.split("sub-01: ")[1][:22].strip() for line in lines]
    assert steps == [
        "read images",
        "fat fraction",
        "muscle labels",
        "measurements",
        "write files",
        "report",
        "put files in place",
    ]


def test_report_names_phantom_data_and_shows_the_tables_numbers(run: Run, tmp_path: Path) -> None:
    assert run("--participant-label", "01") == ExitCode.OK
    page = (tmp_path / "out/sub-01.html").read_text(encoding="utf-8")
    assert "Phantom data" in page
    value = stats(tmp_path / "out").loc[("rectus_femoris", "left"), "ff_mean"]
    assert f"{value:.1f}" in page
    assert str(tmp_path) not in page


_MODULES_OF_A_RUN = """
import sys
from bids_app.cli import main
code = main(sys.argv[1:])
print("\\n".join(sys.modules))
sys.exit(code)
"""


def test_a_run_imports_only_what_its_sessions_need(dataset: Path, tmp_path: Path) -> None:
    """A pair with label maps needs no separation, no network, and nothing of the group level."""
    options = ["participant", "--participant-label", "01"]
    options += ["--derivatives", f"truth={tmp_path / 'truth'}"]
    folders = [str(dataset), str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-c", _MODULES_OF_A_RUN, *folders, *options],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert {"pipelines.water_fat.dixon", "pipelines.quantification.table"} <= loaded
    unused = (
        "pipelines.water_fat.separation.",
        "pipelines.segmentation.inference.",
        "pipelines.diagnosis",
        "pipelines.harmonization",
        "bids_app.group",
        *("dask", "openvino", "sklearn", "torch", "xgboost"),
    )
    assert not sorted(name for name in loaded if name.startswith(unused))
