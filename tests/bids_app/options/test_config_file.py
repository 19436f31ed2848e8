"""Settings from a YAML file."""

from dataclasses import fields
from pathlib import Path

import pytest

from bids_app.errors import AppError, ExitCode
from bids_app.options.config_file import read_config_file
from bids_app.options.kinds import (
    BLOCK,
    CLUSTER,
    DEVICE,
    FILES_OF_STUDIES,
    MEMORY,
    NAME_OR_PATH,
    NAMED_FOLDERS,
    PATH,
    SWITCH,
    SWITCH_BOTH_WAYS,
    TEXT,
)
from bids_app.options.option import Option
from bids_app.options.settings import OPTIONS, Settings


def _config(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\nnprocs: 2\nseed: 3\n", "'seed' in line 3 stands in line 1 already"),
        (
            "training:\n  trials: 3\n  outer_folds: 5\n  trials: 90\n",
            "'trials' in line 4 stands in line 2 already",
        ),
        ("{seed: 1,\n seed: 1}", "'seed' in line 2 stands in line 1 already"),
    ],
)
def test_a_key_that_stands_twice_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(AppError) as caught:
        read_config_file(_config(tmp_path, text))
    assert caught.value.exit_code == ExitCode.USAGE
    assert message in caught.value.message


def test_merged_mappings_may_override_keys(tmp_path: Path) -> None:
    text = "training: &few {trials: 3}\nharmonization_options: {<<: *few, draws: 2, trials: 4}\n"
    assert read_config_file(_config(tmp_path, text))["harmonization_options"] == {
        "trials": 4,
        "draws": 2,
    }


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_configuration_file_sets_nothing(tmp_path: Path, text: str) -> None:
    assert read_config_file(_config(tmp_path, text)) == {}


def _example(option: Option) -> str:
    """Write a value as it may stand in the file."""
    if option.kind.choices:
        return option.kind.choices[-1]
    if option.kind.lowest is not None:
        return str(option.kind.lowest)
    of_kind = {
        SWITCH: "true",
        SWITCH_BOTH_WAYS: "false",
        TEXT: "name",
        NAME_OR_PATH: "name",
        PATH: "folder/file",
        NAMED_FOLDERS: f"{{{option.name}: folder}}",
        FILES_OF_STUDIES: "{a: folder/file, b: other}",
        MEMORY: "1GB",
        DEVICE: "cpu",
        BLOCK: "{trials: 4, space: {eta: {low: 0.1}}}",
        CLUSTER: "{jobs: 1}",
    }
    return "['1']" if option.kind.prefix else of_kind[option.kind]


def test_every_setting_but_the_positional_ones_may_stand_in_the_file(tmp_path: Path) -> None:
    """A field that is added to Settings is readable from YAML."""
    in_file = {f.name for f in fields(Settings)}
    in_file -= {"bids_dir", "output_dir", "analysis_level", "config_file"}
    lines = [f"{o.name}: {_example(o)}" for o in OPTIONS if o.name in in_file]
    values = read_config_file(_config(tmp_path, "\n".join(lines)))
    assert set(values) == in_file
    del values["dask_cluster"]  # it excludes dask_scheduler
    del values["diagnosis_model"]  # it excludes train
    settings = Settings(Path("in"), Path("out"), "participant", **values)
    assert settings.work_dir == settings.readers == Path("folder/file")
    assert settings.training == {"trials": 4, "space": {"eta": {"low": 0.1}}}


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
        ("executor: slurm", "executor", "'slurm'"),
        ("dask_cluster: {jobs: 0}", "dask_cluster", "{'jobs': 0}"),
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
        "derivatives: [a=b]": "Write one line 'NAME: PATH' per folder, indented below the setting.",
        "fat_spectrum: olive": "Choose one of: ismrm-6, hamilton-9, ren-9, triplett-10, single-1.",
        "nprocs: 0": "'0' is not a whole number of at least 1",
        "nprocs: '2'": "Write a whole number of at least 1, without quotes.",
        "erode: 1": "Write true or false, without quotes.",
        "dask_cluster: 4": "Write 'jobs: N' and the options of SLURMCluster, indented below it.",
        "dask_cluster: {cores: 4}": "It needs 'jobs: N', the number of jobs to start.",
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
    start = "Known settings: ['asymmetry_order', 'bids_filter_file', 'combine', 'correct_t1'"
    assert caught.value.hint.startswith(start)
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
