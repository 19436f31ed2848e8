"""Settings and paths that no run can have: usage errors with place, at once, and no traceback."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_app.cli import parse_settings
from bids_app.errors import AppError, ExitCode
from bids_app.options.bounded_yaml import parse_yaml
from bids_app.options.config_file import read_config_file
from tests.hostile.attack import Attack, table


def _levels(first: str, more: str, times: int) -> str:
    """Aliases that stand for ten times as much on every line."""
    lines = [more.format(i=i, ten=", ".join([f"*a{i - 1}"] * 10)) for i in range(1, times)]
    return "\n".join([first, *lines])


# Content of the settings file, and what is said of it.
YAML: list[tuple[str, str | bytes, str]] = [
    ("a number of 5,000 digits", "seed: " + "9" * 5000, r"is no int \(line 1, column 7\)"),
    ("a hexadecimal of 20,000 digits", "seed: 0x" + "f" * 20_000, "is too large a number"),
    ("a number of 4,000 digits", "seed: " + "9" * 4000, "is too large a number"),
    ("a seed beyond 32 bits", "seed: 2147483648", "is more than 2147483647"),
    ("memory without end", f"mem: {'9' * 400}GB", "mem cannot be"),
    ("memory of 1e999", "mem: 1e999", "mem cannot be '1e999'"),
    ("an infinite seed", "seed: .inf", "seed cannot be inf"),
    ("an impossible month", "seed: 2020-13-45", "'2020-13-45' is no timestamp"),
    ("an impossible day", "seed: 2020-02-30", "'2020-02-30' is no timestamp"),
    ("a date for a time stamp", "a: 1\nmodel: !!timestamp x", r"'x' is no timestamp \(line 2"),
    ("text tagged as number", "seed: !!int abc", "'abc' is no int"),
    ("text tagged as fraction", "seed: !!float x", "'x' is no float"),
    ("text tagged as truth", "dry_run: !!bool maybe", "'maybe' is no bool"),
    ("text tagged as mapping", "!!map abc", "expected a mapping node"),
    ("text tagged as list", "!!seq abc", "expected a sequence node"),
    ("a binary number without digits", "seed: 0b_", "'0b_' is no int"),
    ("a tag that runs code", "model: !!python/object/apply:os.getcwd []", "python/object/apply"),
    ("a tag of nobody", "model: !foo x", "could not determine a constructor"),
    ("a character that there is not", 'model: "\\Uffffffff"', "a character in line 1 does not"),
    ("half of a character", 'model: "\\ud800"', "half of a character"),
    ("a zero byte", "model: \0", "special characters are not allowed"),
    ("a zero byte as escape", 'model_registry: "a\\0b"', "zero byte"),
    ("a list as key", "? [a]\n: 1", "found unhashable key"),
    ("lists nested 100,000 deep", "[" * 100_000, "is nested too deep"),
    ("mappings nested 100,000 deep", '{"a":' * 30_000, "is nested too deep"),
    ("mappings nested 400 deep", "".join(f"{' ' * i}a:\n" for i in range(400)), "nested more than"),
    ("a value that holds itself", "training: &a {x: *a}", "holds itself"),
    ("a merge of itself", "training: &a {<<: *a}", "holds itself"),
    ("an alias of nothing", "model: *x", "undefined alias"),
    (
        "aliases that stand for 10^9 values",
        _levels("x0: &a0 [x, x, x, x, x, x]", "x{i}: &a{i} [{ten}]", 9),
        "more than 50000 values",
    ),
    (
        "merges that stand for 10^7 keys",
        _levels("x0: &a0 {a: 1, b: 2, c: 3}", "x{i}: &a{i} {{<<: [{ten}]}}", 7),
        "more than 50000 values",
    ),
    ("a text of 50 MB", "model: " + "x" * 50_000_000, "holds more than 200 kB"),
    ("two documents", "model: a\n---\nmodel: b", "expected a single document"),
    ("a tab before a key", "\tmodel: a", "cannot start any token"),
    ("an unknown key of 1 kB", "x" * 1000 + ": 1", "names an unknown setting 'x{59}…'"),
    ("home of nobody", "work_dir: ~nosuchuser/x", "home folder of nobody known"),
    ("a folder name of 300 letters", f"derivatives: {{a: {'a' * 300}}}", "longer than a path"),
]


def _write(folder: Path, content: str | bytes) -> Path:
    path = folder / "settings.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _with_file(content: str | bytes) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        file = _write(folder, content)
        return parse_settings([str(folder), f"{folder}/out", "group", f"--config-file={file}"])

    return read


@table(Attack(name, _with_file(text), ExitCode.USAGE, said) for name, text, said in YAML)
def test_settings_file(attack: Attack, tmp_path: Path) -> None:
    attack.check(tmp_path)


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def _loop(folder: Path) -> Path:
    (folder / "loop").symlink_to("loop")
    return folder / "loop"


# How the path is made, the code, and what is said.
FILES: list[tuple[str, Callable[[Path], Path], ExitCode, str]] = [
    ("a pipe", _pipe, ExitCode.INPUT_MISSING, "no regular file but a pipe"),
    ("a device without end", lambda _: Path("/dev/zero"), ExitCode.INPUT_MISSING, "a device"),
    ("a link to itself", _loop, ExitCode.INPUT_MISSING, "leads back to itself"),
    ("a folder", lambda folder: folder, ExitCode.INPUT_MISSING, "Is a directory"),
    ("Latin-1", lambda f: _write(f, b"model: \xe9"), ExitCode.INPUT_MISSING, "can't decode"),
]


@table(
    Attack(
        name,
        lambda folder, made=made: parse_settings(
            [str(folder), f"{folder}/out", "group", f"--config-file={made(folder)}"]
        ),
        code,
        said,
    )
    for name, made, code, said in FILES
)
def test_file_of_settings(attack: Attack, tmp_path: Path) -> None:
    attack.check(tmp_path)


# A path, and what is said of it.
PATHS = [
    ("a zero byte", "a\0b", r"the path 'a\\x00b' holds a zero byte"),
    ("home of nobody", "~nosuchuser/x", "home folder of nobody known"),
    ("a name of 300 letters", "a" * 300, "is longer than a path can be"),
    ("6,000 letters", "a/" * 3000, "is longer than a path can be"),
    ("half of a character", "a\ud800", "holds half of a character"),
]
OPTIONS = (
    "BIDS_DIR",
    "OUTPUT_DIR",
    "--config-file",
    "--model",
    "--model-registry",
    "--bids-filter-file",
    "--work-dir",
    "--quality-verdicts",
    "--diagnosis-model",
    "--derivatives",
    "--participant-label",
)


def _given(option: str, path: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        dataset = path if option == "BIDS_DIR" else str(folder)
        output = path if option == "OUTPUT_DIR" else f"{folder}/out"
        written = {"--derivatives": f"x={path}", "--participant-label": f"@{path}"}
        more = [f"{option}={written.get(option, path)}"] if option.startswith("--") else []
        return parse_settings([dataset, output, "participant", *more])

    return read


@table(
    Attack(f"{option} {name}", _given(option, path), ExitCode.USAGE, f"{option}: .*{said}")
    for option in OPTIONS
    for name, path, said in PATHS
)
def test_paths(attack: Attack, tmp_path: Path) -> None:
    attack.check(tmp_path)


@table(
    Attack(
        f"{option} is a link to itself",
        lambda folder, option=option: _given(option, str(_loop(folder)))(folder),
        code,
        "leads back to itself",
    )
    for option, code in (
        ("BIDS_DIR", ExitCode.INPUT_MISSING),
        ("OUTPUT_DIR", ExitCode.CANNOT_CREATE),
        ("--work-dir", ExitCode.CANNOT_CREATE),
        ("--quality-verdicts", ExitCode.INPUT_MISSING),
    )
)
def test_links_that_go_in_circles(attack: Attack, tmp_path: Path) -> None:
    attack.check(tmp_path)


_SIGNS = st.text("{}[]:,-?*&!|>%@\"'\\ \n\t#ab01.x<é\0", max_size=60)
_VALUES = st.recursive(
    st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(_SIGNS)
def test_any_text_is_a_value_or_an_error_of_one_line(text: str) -> None:
    said = "a value"
    try:
        parse_yaml(text)
    except ValueError as error:
        said = str(error)
    assert len(said.splitlines()) == 1


@settings(max_examples=50, deadline=None)
@given(
    key=st.sampled_from(("seed", "mem", "derivatives", "training", "participant_label", "model")),
    value=_VALUES,
)
def test_any_value_is_a_setting_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(yaml.safe_dump({key: value}), encoding="utf-8")
    code = ExitCode.OK
    try:
        assert set(read_config_file(path)) == {key}
    except AppError as error:
        code = error.exit_code
    assert code in (ExitCode.OK, ExitCode.USAGE)
