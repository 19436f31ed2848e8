"""Settings: memory and device spellings, YAML files, what is stored with a run."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_app.errors import AppError, ExitCode
from bids_app.settings import Settings, parse_device, parse_memory, read_config_file


def _config(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "gigabytes"),
    [
        ("16GB", 16.0),
        ("16 gb", 16.0),
        (" 1.5GB ", 1.5),
        ("800MB", 0.8),
        ("2TB", 2000.0),
        ("0.5Mb", 0.0005),
    ],
)
def test_memory_is_read_in_gigabytes(text: str, gigabytes: float) -> None:
    assert parse_memory(text) == pytest.approx(gigabytes, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["16", "", "GB", "-1GB", "0GB", "0.0MB", "1e3GB", "16 G", "16GiB", "1,5GB", "nanGB"]
)
def test_memory_without_a_clear_unit_or_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of memory with a unit") as caught:
        parse_memory(text)
    assert str(caught.value).startswith(repr(text))
    assert "such as 16GB or 800MB" in str(caught.value)


@given(st.integers(min_value=1, max_value=10**6), st.sampled_from(["MB", "GB", "TB"]))
def test_memory_units_are_powers_of_a_thousand(amount: int, unit: str) -> None:
    power = {"MB": -1, "GB": 0, "TB": 1}[unit]
    assert parse_memory(f"{amount}{unit}") == pytest.approx(amount * 1000.0**power, rel=1e-12)


@given(st.text(alphabet="0159.eE+- GMTBgmtbi", max_size=8))
def test_memory_is_a_positive_amount_or_an_error_that_quotes_the_text(text: str) -> None:
    amount, message = 0.0, ""
    try:
        amount = parse_memory(text)
    except ValueError as error:
        message = str(error)
    assert (amount > 0) != message.startswith(repr(text))


@pytest.mark.parametrize("text", ["auto", "cpu", "cuda", "cuda:0", "cuda:12"])
def test_devices_that_are_accepted(text: str) -> None:
    assert parse_device(text) == text


@pytest.mark.parametrize("text", ["", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:a", "cpu:0", "mps"])
def test_devices_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not auto, cpu, cuda or cuda:N") as caught:
        parse_device(text)
    assert str(caught.value).startswith(repr(text))


def test_a_configuration_file_gives_values_of_the_right_type(tmp_path: Path) -> None:
    path = _config(
        tmp_path,
        """
participant_label: ["01", sub-02]
session_label: pre
work_dir: scratch
bids_filter_file: filter.json
nprocs: 2
omp_nthreads: 4
mem: 16GB
device: cuda:1
model: thigh11
derivatives:
  expert: masks/expert
fat_fraction_units: permille
erode: false
overwrite: true
verbosity: 0
""",
    )
    assert read_config_file(path) == {
        "participant_label": ("01", "sub-02"),
        "session_label": ("pre",),
        "work_dir": Path("scratch"),
        "bids_filter_file": Path("filter.json"),
        "nprocs": 2,
        "omp_nthreads": 4,
        "mem": 16.0,
        "device": "cuda:1",
        "model": "thigh11",
        "derivatives": {"expert": Path("masks/expert")},
        "fat_fraction_units": "permille",
        "erode": False,
        "overwrite": True,
        "verbosity": 0,
    }


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_configuration_file_sets_nothing(tmp_path: Path, text: str) -> None:
    assert read_config_file(_config(tmp_path, text)) == {}


def test_every_setting_but_the_positional_ones_may_stand_in_the_file(tmp_path: Path) -> None:
    """A new field of Settings must also be readable from YAML."""
    example: dict[type, str] = {bool: "true", int: "1", str: "cpu"}
    special = {
        "nprocs": "1",
        "omp_nthreads": "1",
        "mem": "1GB",
        "participant_label": "['1']",
        "session_label": "['1']",
        "work_dir": "w",
        "bids_filter_file": "f",
        "fat_spectrum": "ismrm-6",
        "model": "m",
        "model_registry": "r",
        "derivatives": "{a: b}",
        "fat_fraction_units": "auto",
    }
    names = [f.name for f in fields(Settings)]
    in_file = set(names) - {"bids_dir", "output_dir", "analysis_level", "config_file"}
    lines = [
        f"{f.name}: {special.get(f.name) or example[f.type]}"  # type: ignore[index]
        for f in fields(Settings)
        if f.name in in_file
    ]
    values = read_config_file(_config(tmp_path, "\n".join(lines)))
    assert set(values) == in_file
    Settings(Path("in"), Path("out"), "participant", **values)


@pytest.mark.parametrize(
    ("line", "key", "shown"),
    [
        ("erode: 1", "erode", "1"),
        ("overwrite: 'yes please'", "overwrite", "'yes please'"),
        ("nprocs: 0", "nprocs", "0"),
        ("nprocs: true", "nprocs", "True"),
        ("omp_nthreads: 1.5", "omp_nthreads", "1.5"),
        ("verbosity: -1", "verbosity", "-1"),
        ("mem: 16", "mem", "16"),
        ("mem: '16'", "mem", "'16'"),
        ("device: gpu", "device", "'gpu'"),
        ("model: 3", "model", "3"),
        ("work_dir:", "work_dir", "None"),
        ("fat_fraction_units: ratio", "fat_fraction_units", "'ratio'"),
        ("derivatives: masks", "derivatives", "'masks'"),
        ("derivatives: {expert: 5}", "derivatives", "{'expert': 5}"),
        ("derivatives: {expert: }", "derivatives", "{'expert': None}"),
    ],
)
def test_a_value_of_the_wrong_kind_is_a_usage_error(
    tmp_path: Path, line: str, key: str, shown: str
) -> None:
    path = _config(tmp_path, line)
    with pytest.raises(AppError) as caught:
        read_config_file(path)
    assert caught.value.message == f"{path}: {key} cannot be {shown}."
    assert caught.value.exit_code is ExitCode.USAGE


def test_hints_say_how_to_write_the_value(tmp_path: Path) -> None:
    hints = {
        "participant_label: [01]": "Write labels in quotes: YAML reads 01 as a number.",
        "session_label: 2": "Write labels in quotes: YAML reads 01 as a number.",
        "mem: '16'": "'16' is not an amount of memory with a unit, such as 16GB or 800MB",
        "device: gpu": "'gpu' is not auto, cpu, cuda or cuda:N",
        "derivatives: [a=b]": "Write one line 'NAME: PATH' per folder, indented below "
        "'derivatives:'.",
    }
    for line, hint in hints.items():
        with pytest.raises(AppError) as caught:
            read_config_file(_config(tmp_path, line))
        assert caught.value.hint == hint


def test_an_unknown_setting_names_the_nearest_one(tmp_path: Path) -> None:
    path = _config(tmp_path, "omp_nthread: 2")
    with pytest.raises(AppError) as caught:
        read_config_file(path)
    assert caught.value.message == f"{path} names an unknown setting 'omp_nthread'."
    assert caught.value.hint == "Did you mean 'omp_nthreads'?"
    assert caught.value.exit_code is ExitCode.USAGE


def test_an_unknown_setting_like_no_other_lists_all(tmp_path: Path) -> None:
    with pytest.raises(AppError) as caught:
        read_config_file(_config(tmp_path, "zzz: 2"))
    assert caught.value.hint.startswith("Known settings: ['bids_filter_file', 'correct_t1'")
    assert "'output_dir'" not in caught.value.hint


@pytest.mark.parametrize("key", ["bids_dir", "output_dir", "analysis_level", "config_file"])
def test_settings_that_belong_on_the_command_line_are_refused(tmp_path: Path, key: str) -> None:
    path = _config(tmp_path, f"{key}: x")
    with pytest.raises(AppError) as caught:
        read_config_file(path)
    assert caught.value.message == f"{path} cannot set {key!r}."
    assert caught.value.hint == "Give it on the command line."


def test_a_file_that_is_not_yaml_is_a_usage_error(tmp_path: Path) -> None:
    path = _config(tmp_path, "model: [unclosed")
    with pytest.raises(AppError) as caught:
        read_config_file(path)
    assert caught.value.message.startswith(f"{path} is not valid YAML: ")
    assert caught.value.exit_code is ExitCode.USAGE


def test_yaml_cannot_build_python_objects(tmp_path: Path) -> None:
    path = _config(tmp_path, "model: !!python/object/apply:os.getcwd []")
    with pytest.raises(AppError, match="is not valid YAML"):
        read_config_file(path)


@pytest.mark.parametrize(("text", "kind"), [("- a\n- b\n", "list"), ("just text", "str")])
def test_a_file_without_keys_is_a_usage_error(tmp_path: Path, text: str, kind: str) -> None:
    path = _config(tmp_path, text)
    with pytest.raises(AppError) as caught:
        read_config_file(path)
    assert caught.value.message == f"{path} must hold 'key: value' lines, not a {kind}."
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_missing_file_is_missing_input(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.yaml"
    with pytest.raises(AppError) as caught:
        read_config_file(path)
    assert caught.value.message.startswith(f"The configuration file {path} cannot be read: ")
    assert "No such file or directory" in caught.value.message
    assert caught.value.exit_code is ExitCode.INPUT_MISSING
    assert "--config-file" in caught.value.hint


def test_a_file_that_is_not_text_is_missing_input(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(AppError, match="cannot be read") as caught:
        read_config_file(path)
    assert caught.value.exit_code is ExitCode.INPUT_MISSING


def test_settings_become_plain_json() -> None:
    settings = Settings(
        Path("/in"),
        Path("/out"),
        "participant",
        participant_label=("01", "02"),
        derivatives={"expert": Path("/masks")},
        mem=8.0,
    )
    stored = json.loads(json.dumps(settings.as_dict(), allow_nan=False))
    assert stored["bids_dir"] == "/in"
    assert stored["participant_label"] == ["01", "02"]
    assert stored["derivatives"] == {"expert": "/masks"}
    assert stored["work_dir"] is None
    assert stored["mem"] == 8.0
    assert list(stored) == [f.name for f in fields(Settings)]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"bids_dir": Path("/elsewhere")}, True),
        ({"nprocs": 4}, True),
        ({"verbosity": 2}, True),
        ({"participant_label": ("01",)}, True),
        ({"erode": False}, False),
        ({"model": "other"}, False),
        ({"fat_fraction_units": "percent"}, False),
        ({"derivatives": {"expert": Path("/masks")}}, False),
    ],
)
def test_only_choices_that_change_numbers_are_scientific(
    change: dict[str, Any], same: bool
) -> None:
    base: dict[str, Any] = {
        "bids_dir": Path("/in"),
        "output_dir": Path("/out"),
        "analysis_level": "participant",
    }
    changed = Settings(**(base | change)).scientific()
    assert (changed == Settings(**base).scientific()) is same
    json.dumps(changed)


@pytest.mark.parametrize("name", ["raw", "", "my masks", "a:b", "über"])
def test_names_of_derivatives_that_no_bids_uri_can_hold_are_refused(name: str) -> None:
    with pytest.raises(AppError) as caught:
        Settings(Path("/in"), Path("/out"), "participant", derivatives={name: Path("/masks")})
    assert caught.value.message == f"{name!r} cannot be the name of a folder in --derivatives."
    assert caught.value.hint == "Use letters, digits, '-' and '_'; 'raw' is the input dataset."
    assert caught.value.exit_code is ExitCode.USAGE
