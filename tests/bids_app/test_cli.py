"""The command line: what is accepted, what is refused, and in which words."""

import errno
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bids_app.cli import main, parse_settings
from bids_app.errors import AppError, ExitCode
from bids_app.options.parser import build_parser
from bids_app.options.settings import Settings

HEAVY = (
    *("torch", "bids", "pandas", "xgboost", "numpy", "nibabel", "SimpleITK", "matplotlib"),
    *("yaml", "jsonschema"),
)


def settings(*options: str) -> Settings:
    return parse_settings(["/in", "/out", "participant", *options])


def test_defaults_follow_the_settings_class() -> None:
    expected = Settings(Path("/in"), Path("/out"), "participant")
    assert settings() == expected


@pytest.mark.parametrize("flag", ["--participant-label", "--participant_label"])
def test_participant_labels_lose_prefix_and_duplicates_and_are_sorted(flag: str) -> None:
    assert settings(flag, "10", "sub-2", "sub-10", "2").participant_label == ("2", "10")


@pytest.mark.parametrize("flag", ["--session-label", "--session_label", "--session-id"])
def test_session_label_spellings(flag: str) -> None:
    assert settings(flag, "ses-b", "a").session_label == ("a", "b")


def test_labels_from_a_text_file(tmp_path: Path) -> None:
    labels = tmp_path / "list.txt"
    labels.write_text("sub-02\n# a comment\n\n01\n")
    assert settings("--participant-label", f"@{labels}").participant_label == ("01", "02")


def test_flags_win_over_the_configuration_file(tmp_path: Path) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("nprocs: 3\nerode: false\nmem: 8GB\nparticipant_label: ['01']\n")
    chosen = settings("--config-file", str(config), "--nprocs", "2")
    assert (chosen.nprocs, chosen.erode, chosen.mem) == (2, False, 8.0)
    assert chosen.participant_label == ("01",)


def test_derivatives_become_absolute_folders_by_name(tmp_path: Path) -> None:
    chosen = settings("--derivatives", f"manual={tmp_path}", "other=/maps")
    assert chosen.derivatives == {"manual": tmp_path, "other": Path("/maps")}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--no-such-flag"], "unrecognized arguments: --no-such-flag"),
        (["--mem", "16"], "'16' is not an amount of memory with a unit, such as 16GB or 800MB"),
        (["--device", "gpu"], "'gpu' is not auto, cpu, cuda or cuda:N"),
        (["--nprocs", "0"], "'0' is not a whole number of at least 1"),
        (["--omp-nthreads", "two"], "'two' is not a whole number of at least 1"),
        (["--derivatives", "folder"], "'folder' is not of the form NAME=PATH"),
        (["--fat-fraction-units", "ppm"], "invalid choice: 'ppm'"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(
    options: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        settings(*options)
    error = capsys.readouterr().err
    assert stop.value.code == ExitCode.USAGE
    assert text in error
    assert error.splitlines()[-1] == "myomids: exit code 2 (USAGE)"


def test_swallowed_positionals_get_the_order_as_hint(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--participant-label", "01", "/in", "/out", "participant"])
    assert stop.value.code == ExitCode.USAGE
    assert "The order is: run.py BIDS_DIR OUTPUT_DIR {participant,group}" in capsys.readouterr().err


def test_output_equal_to_input_is_refused_with_advice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), str(tmp_path / "x" / ".."), "participant"]) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert f"The output folder is the dataset itself: {tmp_path}." in error
    assert str(tmp_path / "derivatives" / "MyoMIDS") in error


def test_usage_errors_have_three_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["/data", "/out", "participant", "--nonsense"])
    assert ended.value.code == ExitCode.USAGE
    assert capsys.readouterr().err.splitlines() == [
        "myomids: error: unrecognized arguments: --nonsense",
        "myomids: hint: See run.py --help.",
        "myomids: exit code 2 (USAGE)",
    ]


def test_options_of_other_apps_are_understood() -> None:
    found = settings("--n_cpus", "3", "--mem_mb", "8000", "--skip_bids_validation", "--verbose")
    assert (found.nprocs, found.mem, found.skip_bids_validation) == (3, 8.0, True)
    assert found.verbosity == 1


def test_exchanged_folders_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data/sub-01").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    code = main([str(tmp_path / "out"), str(tmp_path / "data"), "participant"])
    assert code == ExitCode.USAGE
    assert "the two seem to be exchanged" in capsys.readouterr().err
    (tmp_path / "data/logs").mkdir()  # an output folder of ours, given beside no dataset
    parse_settings([str(tmp_path / "out"), str(tmp_path / "data"), "group"])


def test_list_ends_well_if_its_reader_stops(repository: Path) -> None:
    """As with ``run.py --list models | head -1``, where nobody reads on."""
    command = [sys.executable, str(repository / "run.py"), "--list", "models"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0


def test_work_folder_inside_the_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="lies inside the dataset") as caught:
        parse_settings([str(tmp_path), "/out", "participant", "-w", str(tmp_path / "work")])
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("kind", ["models", "muscles", "scales"])
def test_list_as_json_needs_no_dataset(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", kind, "--json"]) == ExitCode.OK
    names = {row["name"] for row in json.loads(capsys.readouterr().out)}
    expected = {"models": "thigh11", "muscles": "vastus_lateralis", "scales": "2a2b"}
    assert expected[kind] in names


def test_list_as_text_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list=scales"]) == ExitCode.OK
    header, rule, first, *_ = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "lowest", "highest", "description"]
    assert set(rule) == {"-", " "}
    assert first.split()[:3] == ["0-4", "0.0", "4.0"]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["--list", "models"]])
def test_quick_answers_import_nothing_heavy(arguments: list[str], repository: Path) -> None:
    program = (
        "import sys; from bids_app.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, check=True
    )
    assert result.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_answer_within_half_a_second(argument: str, repository: Path) -> None:
    command = [sys.executable, "run.py", argument]
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(command, cwd=repository, capture_output=True, check=True)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5


def test_every_setting_has_a_flag_and_every_flag_a_setting() -> None:
    flags = {action.dest for action in build_parser()._actions}
    other = {"help", "version", "list", "json"}
    only_in_file = {"dask_cluster", "harmonization_options", "training"}
    assert (flags - other) | only_in_file == set(Settings.__dataclass_fields__)


def test_names_in_errors_can_neither_break_nor_forge_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "a\nmyomids: exit code 0 (OK)\x1b[2K"
    assert main([str(missing), str(tmp_path / "out"), "participant"]) == ExitCode.INPUT_MISSING
    lines = capsys.readouterr().err.splitlines()
    shown = rf"{tmp_path}/a\nmyomids: exit code 0 (OK)\x1b[2K"
    assert lines[0] == f"myomids: error: The dataset {shown} does not exist."
    assert [line for line in lines if line.startswith("myomids: exit")] == [
        "myomids: exit code 66 (INPUT_MISSING)"
    ]


def test_an_unforeseen_fault_of_the_disk_has_its_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(settings: Settings) -> ExitCode:
        raise OSError(errno.EIO, "Input/output error", str(settings.bids_dir))

    monkeypatch.setattr("bids_app.cli._run", fail)
    assert main([str(tmp_path), str(tmp_path / "out"), "participant"]) == ExitCode.IO_FAILURE
    assert capsys.readouterr().err.splitlines()[0] == (
        f"myomids: error: Reading or writing failed: Input/output error ({tmp_path})."
    )
