from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_app.errors import AppError, ExitCode
from bids_app.options.kinds import PATH
from bids_app.options.parser import build_parser
from bids_app.options.settings import OPTIONS
from bids_app.wrapper.forwarding import Forwarded, forward, keep_text, note_settings


def forwarded(*argv: str, names: frozenset[str] = frozenset()) -> Forwarded:
    parser = build_parser()
    keep_text(parser)
    return forward(parser, parser.parse_args(argv), names=names)


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    result = forwarded("study", "../out", "participant", "-w", "./scratch")
    assert result.arguments == [
        str(tmp_path / "here/study"),
        str(tmp_path / "out"),
        "participant",
        f"--work-dir={tmp_path / 'here/scratch'}",
    ]
    assert result.read == [tmp_path / "here/study"]
    assert result.written == [tmp_path / "out", tmp_path / "here/scratch"]


def test_every_kind_of_option_arrives_as_it_was_given() -> None:
    options = [
        "--participant-label", "sub-01", "02",
        "--mem=7.5GB",
        "--nprocs=2",
        "--device=cuda:1",
        "--no-erode",
        "--correct-t1",
        "--overwrite",
        "-v", "-v",
    ]  # fmt: skip
    arguments = ["/data", "/out", "participant", *options]
    again = build_parser().parse_args(forwarded(*arguments).arguments)
    assert again == build_parser().parse_args(arguments)


def test_named_folders_of_repeated_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = forwarded("/d", "/o", "group", "--study", "A=a", "B=/b", "--study", "C=sub/c=d")
    assert result.arguments[3:] == [
        "--study", f"A={tmp_path}/a", "B=/b", f"C={tmp_path}/sub/c=d",
    ]  # fmt: skip
    assert result.read[1:] == [tmp_path / "a", Path("/b"), tmp_path / "sub/c=d"]


def test_files_of_studies_are_found_with_and_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = forwarded("/d", "/o", "group", "--muscle-map", "A=a.tsv", "all.tsv", "./x=y.tsv")
    assert result.arguments[3:] == [
        "--muscle-map", f"A={tmp_path}/a.tsv", f"{tmp_path}/all.tsv", f"{tmp_path}/x=y.tsv",
    ]  # fmt: skip
    assert result.read[1:] == [tmp_path / name for name in ("a.tsv", "all.tsv", "x=y.tsv")]


def test_label_lists_are_files(tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    result = forwarded("/d", "/o", "participant", "--participant-label", f"@{labels}", "07")
    assert result.arguments[3:] == ["--participant-label", f"@{labels}", "07"]
    assert labels in result.read


def test_models_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("thigh11", "own"):
        (tmp_path / folder).mkdir()
    base = ("/d", "/o", "participant")
    names = frozenset({"thigh11", "leg16"})
    # A name wins over a folder of that name, as in the app.
    assert forwarded(*base, "--model", "thigh11", names=names).arguments[3:] == ["--model=thigh11"]
    by_path = forwarded(*base, "--model", "own", names=names)
    assert by_path.arguments[3:] == [f"--model={tmp_path / 'own'}"]
    assert tmp_path / "own" in by_path.read
    named = forwarded(*base, "--model", "leg16=own", names=names)
    assert named.arguments[3:] == [f"--model=leg16={tmp_path / 'own'}"]
    # A typing mistake is for the app to explain.
    assert forwarded(*base, "--model", "thihg", names=names).arguments[3:] == ["--model=thihg"]


def test_home_is_the_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert forwarded("~/study", "/o", "participant").read == [tmp_path / "study"]


def test_usage_errors_are_those_of_the_app(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        forwarded("/d", "/o", "participant", "--mem", "16")
    assert caught.value.code == ExitCode.USAGE
    assert "'16' is not an amount of memory with a unit" in capsys.readouterr().err


def test_every_path_of_the_options_is_seen(tmp_path: Path) -> None:
    """A path option that is added later is mounted without a change to the wrapper."""
    options = [option for option in OPTIONS if option.kind is PATH and option.flags]
    assert len(options) >= 5
    arguments = ["/d", "/o", "participant"]
    for option in options:
        arguments += [option.flag, str(tmp_path / option.name)]
    result = forwarded(*arguments)
    written = {"work_dir"}
    for option in options:
        listed = result.written if option.name in written else result.read
        assert tmp_path / option.name in listed, option.name


@given(
    labels=st.lists(st.from_regex(r"[a-zA-Z0-9]{1,6}", fullmatch=True), min_size=1, max_size=4),
    verbosity=st.integers(0, 3),
    flags=st.sets(st.sampled_from(["--overwrite", "--dry-run", "--erode", "--no-correct-t1"])),
)
@settings(max_examples=30, deadline=None)
def test_forwarding_twice_changes_nothing(
    labels: list[str], verbosity: int, flags: set[str]
) -> None:
    once = forwarded(
        "/d", "/o", "group", *sorted(flags), *["-v"] * verbosity, "--session-id", *labels
    )  # fmt: skip
    assert forwarded(*once.arguments).arguments == once.arguments


def test_paths_of_a_configuration_file() -> None:
    result = Forwarded()
    values = {
        "bids_filter_file": Path("/a"),
        "device": "cpu",
        "study": {"x": Path("/b"), "y": Path("/c")},
        "training": {"trials": 3},
        "work_dir": Path("/w"),
    }
    note_settings(values, Path("c.yaml"), result)
    assert (result.read, result.written) == ([Path("/a"), Path("/b"), Path("/c")], [Path("/w")])
    with pytest.raises(AppError, match=r"c\.yaml names 'models'") as caught:
        note_settings({"diagnosis_model": Path("models")}, Path("c.yaml"), result)
    assert caught.value.exit_code == ExitCode.USAGE
    assert "Write the whole path" in caught.value.hint
