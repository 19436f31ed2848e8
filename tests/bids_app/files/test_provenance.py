"""The files that describe the output dataset, and where sidecars say a number comes from."""

import importlib.metadata
import json
import platform
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bids_app.errors import AppError, ExitCode
from bids_app.files import provenance
from bids_app.files.derivatives import StackNames, sidecar
from bids_app.files.provenance import (
    bids_uri,
    generated_by,
    run_info,
    software_versions,
    write_dataset_files,
)
from bids_app.files.result_writer import session_writer
from bids_app.options.settings import Settings
from bids_app.session_id import SessionId
from bids_app.version import __version__


@pytest.fixture(autouse=True)
def _no_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MYOMIDS_CONTAINER_TAG", raising=False)
    monkeypatch.delenv("MYOMIDS_CONTAINER_TYPE", raising=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "raw data").mkdir()
    return Settings(tmp_path / "raw data", tmp_path / "results", "participant")


def _description(settings: Settings) -> dict[str, Any]:
    path = settings.output_dir / "dataset_description.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _describe(settings: Settings, content: object) -> None:
    settings.output_dir.mkdir(exist_ok=True)
    path = settings.output_dir / "dataset_description.json"
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")


def test_without_a_container_only_name_and_version_are_given() -> None:
    assert generated_by() == {"Name": "MyoMIDS", "Version": __version__}


def test_the_container_comes_from_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYOMIDS_CONTAINER_TAG", "myomids:0.4.0")
    assert generated_by()["Container"] == {"Type": "docker", "Tag": "myomids:0.4.0"}
    monkeypatch.setenv("MYOMIDS_CONTAINER_TYPE", "singularity")
    assert generated_by()["Container"] == {"Type": "singularity", "Tag": "myomids:0.4.0"}


def test_versions_of_everything_that_can_change_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    versions = software_versions()
    assert versions["Python"] == platform.python_version()
    assert versions["numpy"] == np.__version__
    assert versions["pandas"] == pd.__version__
    assert {"torch", "nnunetv2", "SimpleITK", "openvino", "nibabel", "scipy"} <= set(versions)

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert software_versions()["torch"] == "not installed"


def test_bids_uris_hold_no_folder_of_the_machine(tmp_path: Path) -> None:
    scan = tmp_path / "sub-01" / "ses-1" / "mr-anat" / "sub-01_ses-1_water.nii.gz"
    name = "sub-01/ses-1/mr-anat/sub-01_ses-1_water.nii.gz"
    assert bids_uri(scan, tmp_path) == f"bids:raw:{name}"
    assert bids_uri(scan, tmp_path, "expert") == f"bids:expert:{name}"
    with pytest.raises(ValueError, match="is not in the subpath of"):
        bids_uri(scan, tmp_path / "other")


def test_the_description_of_the_output(settings: Settings) -> None:
    write_dataset_files(replace(settings, derivatives={"expert": settings.bids_dir / "masks"}))
    assert _description(settings) == {
        "Name": "MyoMIDS: per-muscle fat fractions",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "MyoMIDS", "Version": __version__}],
        "SourceDatasets": [{"URL": "../raw%20data"}],
        "DatasetLinks": {"raw": "../raw%20data", "expert": "../raw%20data/masks"},
        "HowToAcknowledge": "See CITATION.md.",
    }


def test_no_absolute_path_stands_in_the_files_of_the_dataset(
    settings: Settings, tmp_path: Path
) -> None:
    write_dataset_files(settings)
    names = {path.name for path in settings.output_dir.iterdir()}
    assert names == {"dataset_description.json", ".bidsignore", "CITATION.md", "README.md"}
    for path in settings.output_dir.iterdir():
        assert str(tmp_path) not in path.read_text(encoding="utf-8")


def test_files_beside_the_standard_are_named_in_bidsignore(settings: Settings) -> None:
    write_dataset_files(settings)
    lines = (settings.output_dir / ".bidsignore").read_text().splitlines()
    assert lines == [
        "mr-*",
        "*.html",
        "logs",
        "figures",
        "group_*",
        "quality_verdicts*",
        "models",
        "CITATION.md",
    ]


def test_the_citation_names_software_and_version(settings: Settings) -> None:
    write_dataset_files(settings)
    text = (settings.output_dir / "CITATION.md").read_text(encoding="utf-8")
    assert (
        f"made with MyoMIDS {__version__}, research software that is not a medical device" in text
    )
    assert "doi:10.1038/s41592-020-01008-z" in text


def test_the_description_is_written_last(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run killed in between writes the missing files the next time."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(provenance, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            write_dataset_files(settings)
    names = {path.name for path in settings.output_dir.iterdir()}
    assert names == {".bidsignore", "CITATION.md", "README.md"}
    write_dataset_files(settings)
    assert _description(settings)["DatasetType"] == "derivative"


def test_the_readme_says_what_made_the_dataset(settings: Settings) -> None:
    write_dataset_files(settings)
    text = (settings.output_dir / "README.md").read_text(encoding="utf-8")
    assert f"Made by MyoMIDS {__version__} " in text
    assert "Research software,\nnot a medical device." in text


def test_a_readme_that_was_there_before_is_kept(settings: Settings) -> None:
    settings.output_dir.mkdir()
    readme = settings.output_dir / "README.md"
    readme.write_text("my project", encoding="utf-8")
    write_dataset_files(settings)
    assert readme.read_text(encoding="utf-8") == "my project"
    assert (settings.output_dir / "CITATION.md").exists()


def test_overwriting_renews_all_texts(settings: Settings) -> None:
    write_dataset_files(settings)
    citation = settings.output_dir / "CITATION.md"
    citation.write_text("of an earlier version", encoding="utf-8")
    write_dataset_files(replace(settings, overwrite=True))
    assert f"MyoMIDS {__version__}" in citation.read_text(encoding="utf-8")


def test_a_second_run_changes_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dataset_files(settings)
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in settings.output_dir.iterdir()}
    monkeypatch.setenv("MYOMIDS_CONTAINER_TAG", "myomids:0.4.0")
    write_dataset_files(settings)
    after = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in settings.output_dir.iterdir()}
    assert after == before


def test_a_second_run_with_other_label_maps_adds_their_link(
    settings: Settings, tmp_path: Path
) -> None:
    write_dataset_files(replace(settings, derivatives={"expert": tmp_path / "expert"}))
    write_dataset_files(replace(settings, derivatives={"student": tmp_path / "student"}))
    links = {"raw": "../raw%20data", "expert": "../expert", "student": "../student"}
    assert _description(settings)["DatasetLinks"] == links
    write_dataset_files(settings)
    assert _description(settings)["DatasetLinks"] == links


def test_overwriting_describes_the_dataset_anew(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dataset_files(replace(settings, derivatives={"expert": tmp_path / "old"}))
    monkeypatch.setenv("MYOMIDS_CONTAINER_TAG", "myomids:0.4.0")
    again = replace(settings, overwrite=True, derivatives={"expert": tmp_path / "new"})
    write_dataset_files(again)
    assert _description(settings)["GeneratedBy"][0]["Container"]["Tag"] == "myomids:0.4.0"
    assert _description(settings)["DatasetLinks"]["expert"] == "../new"


def test_results_of_another_version_are_not_mixed(settings: Settings) -> None:
    write_dataset_files(settings)
    content = _description(settings) | {"GeneratedBy": [{"Name": "MyoMIDS", "Version": "0.0.9"}]}
    _describe(settings, content)
    with pytest.raises(AppError) as caught:
        write_dataset_files(settings)
    assert caught.value.message == (
        f"The results in {settings.output_dir} were made by MyoMIDS 0.0.9; this is {__version__}. "
        "Versions are not mixed in one dataset."
    )
    assert int(caught.value.exit_code) == 73
    assert caught.value.hint == (
        "Choose a new output folder, or recompute all participants with --overwrite."
    )
    assert _description(settings) == content
    write_dataset_files(replace(settings, overwrite=True))
    assert _description(settings)["GeneratedBy"][0]["Version"] == __version__


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "content",
    [
        {"Name": "fMRIPrep", "GeneratedBy": [{"Name": "fMRIPrep", "Version": __version__}]},
        {"Name": "raw data", "BIDSVersion": "1.8.0"},
        {"GeneratedBy": []},
        {"GeneratedBy": None},
        {"GeneratedBy": ["MyoMIDS"]},
        [],
        "{",
    ],
)
def test_the_dataset_of_another_program_is_never_touched(
    settings: Settings, content: object, overwrite: bool
) -> None:
    _describe(settings, content)
    path = settings.output_dir / "dataset_description.json"
    before = path.read_bytes()
    with pytest.raises(AppError) as caught:
        write_dataset_files(replace(settings, overwrite=overwrite))
    assert caught.value.message == f"{path} describes a dataset that MyoMIDS did not make."
    assert caught.value.exit_code is ExitCode.CANNOT_CREATE
    assert caught.value.hint == "Choose a new output folder."
    assert path.read_bytes() == before
    assert list(settings.output_dir.iterdir()) == [path]


@pytest.mark.parametrize(
    ("description", "origin"),
    [
        ('{"Name": "Thigh phantom of MyoMIDS"}', "phantom"),
        ('{"Name": "SIMULATED Dixon scans"}', "simulated"),
        ('{"Name": "Clinic of neurology"}', ""),
        ('{"Name": null}', ""),
        ("{}", ""),
        ("[]", ""),
        (None, ""),
    ],
)
def test_the_report_says_when_data_are_of_no_person(
    settings: Settings, description: str | None, origin: str
) -> None:
    if description is not None:
        (settings.bids_dir / "dataset_description.json").write_text(description, encoding="utf-8")
    assert run_info(settings).data_origin == origin


def test_a_broken_description_does_not_pass_for_one_of_people(settings: Settings) -> None:
    (settings.bids_dir / "dataset_description.json").write_text("{", encoding="utf-8")
    with pytest.raises(AppError, match="is not valid JSON: line 1") as caught:
        run_info(settings)
    assert caught.value.exit_code is ExitCode.BAD_DATA


def test_the_report_knows_software_and_time(settings: Settings) -> None:
    info = run_info(settings)
    assert (info.software, info.version) == ("MyoMIDS", __version__)
    age = datetime.now(UTC) - datetime.fromisoformat(info.created)
    assert timedelta(0) <= age < timedelta(minutes=1)


def _write_session(settings: Settings, session: SessionId, entities: str) -> None:
    names = StackNames(session, entities)
    image = np.zeros((4, 4, 2), np.float32)
    with session_writer(settings.output_dir, session) as writer:
        writer.image(names.fat_fraction, image, np.diag([2.0, 2.0, 5.0, 1.0]))
        writer.image(names.labels, image.astype(np.uint16), np.diag([2.0, 2.0, 5.0, 1.0]))
        for table in (names.lookup, names.stats, names.profile):
            writer.table(table, pd.DataFrame({"index": [1, 2], "name": ["a", None]}))
        for path in (names.fat_fraction, names.labels, names.stats, names.profile):
            writer.json(sidecar(path), {"Sources": ["bids:raw:sub-01/mr-anat/x.nii.gz"]})
        writer.text(session.report, "<!doctype html><title>report</title>")
        writer.text(Path(f"sub-{session.participant}") / "figures" / "x.svg", "<svg/>")
        writer.commit({"Version": __version__})


def test_the_official_validator_finds_no_error(settings: Settings, tmp_path: Path) -> None:
    write_dataset_files(replace(settings, derivatives={"expert": tmp_path / "my masks"}))
    _write_session(settings, SessionId("01", "pre"), "acq-dixon_chunk-1")
    _write_session(settings, SessionId("02"), "")
    validator = Path(sys.executable).with_name("bids-validator-deno")
    done = subprocess.run(
        [validator, "--format", "json", settings.output_dir],
        capture_output=True,
        text=True,
        check=False,
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []
    assert done.returncode == 0
    # What is not ignored was really looked at.
    assert {issue["location"] for issue in issues} == {"/dataset_description.json"}
