"""A dry run ends as the run would, as far as names, sidecars and models tell."""

import json
from pathlib import Path

import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from tests.bids_app.small_dataset import make_dataset, make_label_maps


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_dataset(tmp_path / "in", ("01", "02"))
    make_label_maps(tmp_path / "truth", ("01", "02"))
    return tmp_path


def run(root: Path, *options: str) -> int:
    return main([str(root / "in"), str(root / "out"), "participant", *options])


def maps(root: Path) -> tuple[str, str]:
    return "--derivatives", f"truth={root / 'truth'}"


def test_a_run_that_would_work(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, *maps(root), "--dry-run") == ExitCode.OK
    assert "sub-02: would be processed" in capsys.readouterr().out
    assert not (root / "out").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--model", "no_such_model"), ExitCode.UNAVAILABLE),
        (("--derivatives", "truth=/no/such/folder"), ExitCode.INPUT_MISSING),
        (("--diagnosis-model", "/no/such/model"), None),
    ],
)
def test_what_the_run_refuses_the_dry_run_refuses(
    root: Path, options: tuple[str, ...], code: ExitCode | None
) -> None:
    dry = run(root, *options, "--dry-run")
    assert not (root / "out").exists()
    assert dry == run(root, *options) != ExitCode.OK
    assert code is None or dry == code


def test_an_output_folder_that_is_a_file(root: Path) -> None:
    (root / "out").write_text("x")
    assert run(root, *maps(root), "--dry-run") == run(root, *maps(root)) == ExitCode.CANNOT_CREATE


def test_a_session_without_a_label_map(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (root / "truth").rglob("sub-02*"):
        if path.is_file():
            path.unlink()
    assert run(root, *maps(root), "--dry-run") == ExitCode.PARTIAL
    assert "sub-02: cannot be processed: No label map" in capsys.readouterr().out
    assert run(root, *maps(root)) == ExitCode.PARTIAL


def test_a_session_that_lacks_its_fat_image(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    next((root / "in").rglob("sub-02*FAT.nii.gz")).unlink()
    assert run(root, *maps(root), "--dry-run") == ExitCode.PARTIAL
    assert "sub-02: cannot be processed: It has a water image" in capsys.readouterr().out


def test_a_broken_sidecar_of_any_image(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sidecar = next((root / "in").rglob("sub-02*FAT.nii.gz")).with_name("sub-02_FAT.json")
    sidecar.write_text('{"EchoTime": ')
    for how in (["--dry-run"], []):
        assert run(root, *maps(root), *how) == ExitCode.PARTIAL
        said = capsys.readouterr()
        assert "sub-02_FAT.json is not valid JSON: line 1" in said.out + said.err
    assert not list((root / "out" / "sub-02").rglob("*.nii.gz"))


def test_results_of_other_settings(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, *maps(root)) == ExitCode.OK
    capsys.readouterr()
    assert run(root, *maps(root), "--dry-run") == ExitCode.OK
    assert "sub-01: complete before" in capsys.readouterr().out
    assert run(root, *maps(root), "--no-erode", "--dry-run") == ExitCode.CANNOT_CREATE
    assert run(root, *maps(root), "--no-erode") == ExitCode.CANNOT_CREATE


def test_contradicting_sidecars_are_shown(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = root / "in" / "sub-01" / "mr-quant"
    (folder / "sub-01_WATER.json").write_text(json.dumps({"EchoTime": 1.2}))
    (folder / "sub-01_FAT.json").write_text(json.dumps({"EchoTime": 2.4}))
    assert run(root, *maps(root), "--participant-label", "01") == ExitCode.OK
    sidecar = json.loads(next((root / "out").rglob("sub-01_FF.json")).read_text())
    names = {check["name"]: check["level"] for check in sidecar["QualityChecks"]}
    assert names["water_and_fat_belong_together"] == "warn"
