"""The Boutiques descriptor and the Nipoppy pipeline that uses it."""

import contextlib
import io
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import boutiques
import pytest

from bids_app.errors import ExitCode
from bids_app.options.parser import build_parser
from bids_app.version import __version__


@pytest.fixture
def boutiques_file(repository: Path) -> Path:
    return repository / "descriptors" / "boutiques" / "myomids.json"


@pytest.fixture
def descriptor(boutiques_file: Path) -> dict[str, Any]:
    return json.loads(boutiques_file.read_text())


def command_line(boutiques_file: Path, **values: object) -> list[str]:
    """Let Boutiques write the command line of an invocation."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        boutiques.execute("simulate", str(boutiques_file), "-i", json.dumps(values))
    return shlex.split(printed.getvalue().splitlines()[-1])


def test_descriptors_are_up_to_date(repository: Path) -> None:
    """After a change of the options, run tools/make_boutiques.py and commit what it writes."""
    script = str(repository / "tools" / "make_boutiques.py")
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_boutiques_finds_it_valid(boutiques_file: Path) -> None:
    boutiques.validate(str(boutiques_file))


def test_every_option_is_described(descriptor: dict[str, Any]) -> None:
    described = {entry["id"] for entry in descriptor["inputs"]}
    options = {action.dest for action in build_parser()._actions}
    assert options - described == {"help", "version", "list", "json"}
    assert described - options == {"no_erode", "no_correct_t1", "verbosity_most"}


def test_numbers_are_bounded_as_the_app_bounds_them(descriptor: dict[str, Any]) -> None:
    lowest = {e["id"]: e["minimum"] for e in descriptor["inputs"] if e["type"] == "Number"}
    assert lowest == {"minimum_samples": 2, "seed": 0, "nprocs": 1, "omp_nthreads": 1}


def test_exit_codes_are_described(descriptor: dict[str, Any]) -> None:
    codes = {entry["code"]: entry["description"] for entry in descriptor["error-codes"]}
    assert set(codes) == {int(code) for code in ExitCode} - {0}
    assert codes[80].startswith("PARTIAL: ")


def test_its_command_lines_are_understood(boutiques_file: Path, tmp_path: Path) -> None:
    words = command_line(
        boutiques_file,
        bids_dir=str(tmp_path),
        output_dir="/out",
        analysis_level="participant",
        participant_label=["01", "02"],
        nprocs=2,
        mem="6GB",
        no_erode=True,
        verbosity_most=True,
    )
    program, *arguments = words
    assert program == "myomids"
    given = build_parser().parse_args(arguments)
    assert given.bids_dir == tmp_path
    assert given.participant_label == ["01", "02"]
    assert (given.nprocs, given.mem, given.erode, given.verbosity) == (2, 6.0, False, 2)
    assert "dry_run" not in given


def test_mistakes_are_refused(
    descriptor: dict[str, Any], boutiques_file: Path, tmp_path: Path
) -> None:
    folders = {"bids_dir": str(tmp_path), "output_dir": "/o", "analysis_level": "session"}
    with pytest.raises(Exception, match="analysis_level"):
        command_line(boutiques_file, **folders)
    exclusive = [group["members"] for group in descriptor["groups"] if group["mutually-exclusive"]]
    assert ["erode", "no_erode"] in exclusive


def test_nipoppy_pipeline(repository: Path, boutiques_file: Path) -> None:
    """Its files belong together; `nipoppy pipeline validate` says the rest."""
    folder = repository / "descriptors" / "nipoppy" / f"myomids-{__version__}"
    config = json.loads((folder / "config.json").read_text())
    assert (config["NAME"], config["VERSION"]) == ("myomids", __version__)
    (step,) = config["STEPS"]
    for key in ("INVOCATION_FILE", "DESCRIPTOR_FILE", "TRACKER_CONFIG_FILE", "HPC_CONFIG_FILE"):
        assert (folder / step[key]).is_file()
    assert (folder / "descriptor.json").read_text() == boutiques_file.read_text()
    invocation = json.loads((folder / "invocation.json").read_text())
    words = command_line(boutiques_file, **{**invocation, "bids_dir": str(repository)})
    given = build_parser().parse_args(words[1:])
    assert given.participant_label == ["[[NIPOPPY_PARTICIPANT_ID]]"]
    assert given.work_dir == Path("[[NIPOPPY_DPATH_PIPELINE_WORK]]")
