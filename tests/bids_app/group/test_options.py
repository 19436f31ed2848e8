"""Options of the group level: what is accepted, what is refused, and in which words."""

from pathlib import Path

import pytest
import yaml

from bids_app.cli import main, parse_settings
from bids_app.errors import AppError, ExitCode
from bids_app.options.config_file import read_config_file
from bids_app.options.settings import Settings


def settings(*options: str, level: str = "group") -> Settings:
    return parse_settings(["/in", "/out", level, *options])


def test_studies_may_be_given_in_one_option_and_in_several() -> None:
    chosen = settings("--study", "a=/x", "b=/y", "--seed", "3", "--study", "c=z")
    assert chosen.study == {"a": Path("/x"), "b": Path("/y"), "c": Path("z").absolute()}
    assert chosen.seed == 3


def test_maps_are_for_all_studies_or_for_one(tmp_path: Path) -> None:
    chosen = settings(
        *("--muscle-map", "/all.tsv", "a=/x.tsv", "--muscle-map", "b=y.tsv"),
        *("--diagnosis-map", "./c=d.tsv"),
    )
    assert chosen.muscle_map == {
        "": Path("/all.tsv"),
        "a": Path("/x.tsv"),
        "b": Path("y.tsv").absolute(),
    }
    assert chosen.diagnosis_map == {"": Path("c=d.tsv").absolute()}
    # What is saved can be read again.
    path = tmp_path / "settings.yaml"
    for values in ({"muscle_map": "/all.tsv"}, chosen.as_dict()):
        keep = {name: values[name] for name in ("muscle_map", "diagnosis_map") if name in values}
        path.write_text(yaml.safe_dump(keep))
        again = settings("--config-file", str(path))
        assert again.muscle_map[""] == Path("/all.tsv")
        assert again.diagnosis_map == (chosen.diagnosis_map if "diagnosis_map" in keep else {})


def test_no_list_forgets_what_was_given_before() -> None:
    chosen = settings(
        *("--derivatives", "a=/x", "--participant-label", "01", "--session-label", "1"),
        *("--derivatives", "b=/y", "--participant-label", "sub-02", "--session-label", "ses-2"),
    )
    assert chosen.derivatives == {"a": Path("/x"), "b": Path("/y")}
    assert (chosen.participant_label, chosen.session_label) == (("01", "02"), ("1", "2"))


def test_choices_reach_the_settings() -> None:
    chosen = settings(
        *("--harmonization", "dither", "--asymmetry-order", "sides_first"),
        *("--scale-thresholds", "/t.tsv", "--muscle-map", "/m.tsv", "--train", "first"),
        *("--profile", "quick", "--readers", "/r.tsv", "--interactions", "DYSF"),
        *("--minimum-samples", "12"),
    )
    assert (chosen.harmonization, chosen.asymmetry_order) == ("dither", "sides_first")
    assert chosen.scale_thresholds == Path("/t.tsv")
    assert chosen.muscle_map == {"": Path("/m.tsv")}
    assert (chosen.train, chosen.profile, chosen.interactions) == ("first", "quick", "DYSF")
    assert chosen.readers == Path("/r.tsv")
    assert chosen.minimum_samples == 12


def test_rare_numbers_stand_in_the_configuration_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(
        "training:\n  trials: 4\n  space: {eta: {low: 0.1}}\nharmonization_options:\n"
        "  coverage: 0.5\nstudy:\n  london: /l\n"
    )
    chosen = settings("--config-file", str(path))
    assert chosen.training == {"trials": 4, "space": {"eta": {"low": 0.1}}}
    assert chosen.harmonization_options == {"coverage": 0.5}
    assert chosen.study == {"london": Path("/l")}


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("training: 4", "Write one line 'name: value' per choice, indented below the setting."),
        (
            "muscle_map: [a.tsv]",
            "Write one file, or one line 'NAME: FILE' per study, indented below it.",
        ),
        ("muscle_map: a=", "'a=' is not of the form NAME=PATH"),
        ("study: x", "Write one line 'NAME: PATH' per folder, indented below the setting."),
        ("minimum_samples: 1", "'1' is not a whole number of at least 2"),
        ("seed: -1", "'-1' is not a whole number of at least 0"),
        ("harmonization: guess", "Choose one of: paper, dither, ranks."),
    ],
)
def test_values_of_the_wrong_kind_are_refused(line: str, hint: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(line)
    with pytest.raises(AppError, match="cannot be") as caught:
        read_config_file(path)
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--study", "a=/x", "--study", "a=/y"], "--study names two folders 'a': /x and /y."),
        (
            ["--muscle-map", "/x", "/y"],
            "--muscle-map names two files for all studies: /x and /y.",
        ),
        (
            ["--diagnosis-map", "a=/x", "--diagnosis-map", "a=/y"],
            "--diagnosis-map names two files for study 'a': /x and /y.",
        ),
        (["--study", "raw=/x"], "'raw' cannot be the name of a folder in --study."),
        (
            ["--study", "a=/x", "--derivatives", "a=/y"],
            "--derivatives and --study both name a folder 'a'.",
        ),
        (
            ["--derivatives", "a=/x", "--derivatives", "a=/y"],
            "--derivatives names two folders 'a': /x and /y.",
        ),
        (["--train", "my model"], "'my model' cannot be the name of a model."),
        (
            ["--train", "m", "--diagnosis-model", "/m"],
            "--train and --diagnosis-model exclude each other.",
        ),
        (
            ["--diagnosis-model", "/m", "--harmonization", "ranks"],
            "--harmonization cannot be chosen with --diagnosis-model.",
        ),
        (
            ["--diagnosis-model", "/m", "--asymmetry-order", "scale_first"],
            "--asymmetry-order cannot be chosen with --diagnosis-model.",
        ),
    ],
)
def test_contradictions_are_usage_errors(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["/in", "/out", "group", *options]) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert f"myomids: error: {message}" in error
    assert "myomids: hint: " in error


@pytest.mark.parametrize(
    "option",
    [
        ["--study", "a=/x"],
        ["--muscle-map", "/m"],
        ["--diagnosis-map", "a=/m"],
        ["--harmonization", "paper"],
        ["--asymmetry-order", "scale_first"],
        ["--scale-thresholds", "/t"],
        ["--train", "m"],
        ["--profile", "fast"],
        ["--readers", "/r"],
        ["--interactions", "DYSF"],
        ["--minimum-samples", "5"],
        ["--seed", "1"],
    ],
)
def test_the_participant_level_refuses_what_it_would_ignore(option: list[str]) -> None:
    with pytest.raises(AppError) as caught:
        settings(*option, level="participant")
    assert caught.value.message == f"{option[0]} belongs to the group level."
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_diagnosis_model_is_for_both_levels() -> None:
    for level in ("participant", "group"):
        chosen = settings("--diagnosis-model", "/m", level=level)
        assert chosen.diagnosis_model == Path("/m")
