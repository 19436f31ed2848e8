"""Training a model on a simulated cohort and applying it, as a user does."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bids_app.cli import main
from bids_app.errors import AppError, ExitCode
from bids_app.group import level
from bids_app.group.training import (
    _checkpoint_folder,
    _refuse_existing_model,
    end_training,
    model_folder,
    put_in_place,
)
from bids_app.options.listing import listing
from bids_app.options.settings import Settings
from bids_app.version import __version__
from pipelines.diagnosis.simulation.score_files import score_files
from pipelines.diagnosis.simulation.simulate import simulate_cohort
from pipelines.diagnosis.training import nested
from tests.bids_app.reports.html_page import parse
from tests.bids_app.score_study import write_study
from tests.bids_app.small_training import DIAGNOSES, die, never, options, read
from tools.simulate_cohort import write_dataset


def test_an_interrupted_training_goes_on_and_leaves_no_checkpoint(trained: Path) -> None:
    assert not (trained / "logs" / "training" / "first").exists()
    assert (trained / "models" / "first" / "model.json").is_file()
    assert not list((trained / "logs" / "staging").glob("*"))


def test_the_model_holds_its_evaluation_and_says_that_it_is_simulated(trained: Path) -> None:
    folder = trained / "models" / "first"
    about = json.loads((folder / "model.json").read_text())
    assert about["origin"] == "simulated"
    assert tuple(entry["name"] for entry in about["classes"]) == DIAGNOSES
    assert "simulated patients" in (folder / "MODEL_CARD.md").read_text()
    overall = read(folder / "tables" / "overall.tsv").set_index("metric")
    assert overall.loc["balanced_accuracy", "n_folds"] == 2
    assert overall.loc["balanced_accuracy", "value"] > 1 / 3
    tables = {path.stem for path in (folder / "tables").glob("*.tsv")}
    expected = {"comparison", "confusion", "conformal", "subgroups", "importance", "audit"}
    assert expected <= tables


def test_readers_are_compared_on_their_cases(trained: Path) -> None:
    table = read(trained / "models" / "first" / "tables" / "readers.tsv")
    first = table[(table["reader"] == "anna") & (table["k"] == 1)].iloc[0]
    assert (first["accuracy"], first["n_cases"]) == (1.0, 1)
    assert "Readers and model on the same cases" in (trained / "group.html").read_text()


def test_a_stored_model_is_compared_with_readers_on_new_cases_only(
    cohort: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = score_files(simulate_cohort(samples=130, least_patients=2, seed=9))["simulated-FF"]
    write_dataset(tmp_path / "new", "simulated-FF", dataset, {"samples": 130, "seed": 9})
    known = dataset.participants.set_index("participant_id")["diagnosis"]
    scores = next(iter(dataset.scores.values()))
    chosen = scores[scores["participant_id"].map(known) == "DYSF"].head(2)
    rows = [f"{row.participant_id}\t{row.session_id}\tDUX4\tDYSF" for row in chosen.itertuples()]
    table = "reader\tparticipant_id\tsession_id\trank1\trank2\n"
    (tmp_path / "readers.tsv").write_text(table + "".join(f"eva\t{row}\n" for row in rows))
    model = ["--diagnosis-model", str(trained / "models" / "first")]
    command = ["group", *model, "--omp-nthreads", "1", "--readers"]
    out = tmp_path / "out"
    assert main([str(tmp_path / "new"), str(out), *command, str(tmp_path / "readers.tsv")]) == 0
    found = read(out / "group_readers.tsv").set_index(["reader", "k"])
    assert found.loc[("eva", 1), "accuracy"] == 0
    assert found.loc[("eva", 2), "accuracy"] == 1
    assert (found.loc[("model", 1), "n_cases"], found.loc[("model", 3), "accuracy"]) == (2, 1)
    assert np.isfinite(found.loc[("model", 1), "sd"])
    answers = read(out / "group_reader_cases.tsv")
    assert set(answers["kind"]) == {"reader", "model"}
    assert "between members of the model" in (out / "group.html").read_text()
    capsys.readouterr()
    again = [str(cohort / "studies" / "simulated-FF"), str(tmp_path / "other"), *command]
    assert main([*again, str(cohort / "readers.tsv")]) == ExitCode.BAD_DATA
    assert "was trained on: the model would remember its answer" in capsys.readouterr().err
    assert not list((tmp_path / "other").glob("group*"))


@pytest.mark.parametrize(
    ("option", "value", "code", "piece"),
    [
        ("--readers", "wrong.tsv", ExitCode.BAD_DATA, "wrong.tsv: "),
        ("--readers", "nobody.tsv", ExitCode.BAD_DATA, "participant 999 of the table of readers"),
        ("--readers", "nowhere.tsv", ExitCode.INPUT_MISSING, "nowhere.tsv does not exist"),
        ("--interactions", "Dysferlin", ExitCode.USAGE, "is no diagnosis that is trained on"),
    ],
)
def test_wrong_readers_and_diagnoses_are_found_before_the_search(
    cohort: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    option: str,
    value: str,
    code: ExitCode,
    piece: str,
) -> None:
    monkeypatch.setattr(level, "audit", lambda *_: pd.DataFrame())
    monkeypatch.setattr(nested, "search", never)
    chosen = str(cohort / value) if option == "--readers" else value
    command = [str(cohort / "new"), str(tmp_path / "out"), "group", *options(cohort)]
    assert main([*command, "--train", "other", option, chosen]) == code
    assert piece in capsys.readouterr().err


def test_samples_that_were_not_trained_on_are_answered(trained: Path) -> None:
    scores = read(trained / "group_scores.tsv").set_index("sample")
    flags = read(trained / "group_flags.tsv").set_index("sample")
    known = scores["diagnosis"].isin(DIAGNOSES)
    assert set(flags.index) == set(scores.index[~known])
    # Four muscles of 33 are too few for an answer.
    assert flags.loc["raw/sub-01", "status"] == "refused"
    assert "only 4 of 33 muscles" in flags.loc["raw/sub-01", "reason"]
    ranked = read(trained / "group_diagnosis.tsv")
    assert set(ranked["sample"]) == set(flags.index[flags["status"] == "answered"])
    sums = ranked.groupby("sample")["probability"].sum()
    assert np.allclose(sums, 1, atol=1e-4)
    assert (ranked.groupby("sample")["probability"].diff().dropna() <= 1e-6).all()


def test_the_page_tells_what_the_model_does_and_names_simulated_data(trained: Path) -> None:
    page = (trained / "group.html").read_text()
    for piece in (
        "This cohort holds data that are not of people.",
        "first, trained in this run: 3 diagnoses, simulated patients",
        "Balanced accuracy",
        "Random forest",
        "Reliability",
        "What the features give away",
        "What is taken for what",
        "Features that act together for DYSF",
        "models/first/MODEL_CARD.md",
    ):
        assert piece in page, piece


def test_the_page_draws_what_the_answers_are_made_of(trained: Path) -> None:
    """Every picture is inside the page, says in words what it shows, and stands once."""
    page = parse((trained / "group.html").read_text())
    first = read(trained / "group_explanation.tsv").query("rank == 1 and order == 1")
    first = first.set_index("sample")["diagnosis"]
    patients, reasons = page.by_id("patients"), page.by_id("explanation")
    assert patients is not None
    assert reasons is not None
    answered = [h.text for h in patients.all("h3") if h.text in first.index]
    waterfalls = patients.all("img")
    assert answered
    assert [i.attributes["alt"].split(":")[0] for i in waterfalls] == list(first[answered])
    # The diagnosis whose interactions were asked for comes first.
    assert reasons.all("figure", "shap")[0].text.startswith("DYSF: ")
    pictures = [image.attributes["src"] for image in page.all("img")]
    assert all(picture.startswith("data:image/svg+xml;base64,") for picture in pictures)
    assert len(set(pictures)) == len(pictures) == len(waterfalls) + len(reasons.all("img"))


def test_every_table_of_the_group_level_is_described(trained: Path) -> None:
    names = {path.stem for path in trained.glob("group_*.tsv")}
    assert {"group_audit", "group_interactions", "group_clusters", "group_explanation"} <= names
    for name in names:
        described = json.loads((trained / f"{name}.json").read_text())
        assert set(read(trained / f"{name}.tsv").columns) <= set(described)


def test_a_model_is_not_replaced_unless_asked(
    cohort: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (trained / "models" / "first" / "model.json").read_bytes()
    command = [str(cohort / "new"), str(trained), "group", *options(cohort, "--train", "first")]
    assert main(command) == ExitCode.CANNOT_CREATE
    assert "There is a model first already" in capsys.readouterr().err
    assert (trained / "models" / "first" / "model.json").read_bytes() == before


def test_models_are_listed(trained: Path) -> None:
    text = listing("models", diagnosis_models=trained / "models")
    header, _, row = text.split("\n\n")[1].splitlines()
    assert header.split()[:4] == ["name", "created", "origin", "diagnoses"]
    assert row.split()[0] == "first"
    assert row.split()[2:4] == ["simulated", "3"]
    rows = json.loads(
        listing("models", as_json=True, diagnosis_models=trained / "models" / "first")
    )
    assert rows[-1]["classes"] == list(DIAGNOSES)


def test_the_stored_model_gives_the_same_answers(
    cohort: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = "simulated-FF"
    command = [str(cohort / "studies" / study), str(tmp_path / "out"), "group"]
    model = ["--diagnosis-model", str(trained / "models" / "first"), "--omp-nthreads", "1"]
    assert main([*command, *model]) == ExitCode.OK
    assert "was trained on studies named" in capsys.readouterr().err
    again = read(tmp_path / "out" / "group_diagnosis.tsv")
    first = read(trained / "group_diagnosis.tsv")
    both = first.merge(again, on=["sample", "diagnosis"])
    assert len(both) > 0
    assert both["probability_x"].to_numpy() == pytest.approx(both["probability_y"].to_numpy())
    page = (tmp_path / "out" / "group.html").read_text()
    assert "first, applied: 3 diagnoses, simulated patients" in page
    assert "Balanced accuracy" in page


def test_a_damaged_model_is_refused_before_anything_is_written(
    cohort: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(trained / "models" / "first", folder)
    (folder / "arrays.npz").write_bytes(b"no arrays")
    command = [str(cohort / "new"), str(tmp_path / "out"), "group"]
    assert main([*command, "--diagnosis-model", str(folder)]) == ExitCode.UNAVAILABLE
    assert "arrays.npz has changed since the model was stored" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("group*"))


def test_real_fat_fractions_of_ten_people_go_through(
    shared_data: Path, trained: Path, tmp_path: Path
) -> None:
    """Fractions under abbreviated names, as a phenotype table."""
    with (shared_data / "scores" / "thigh_ff_ten_people.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    muscles = [name for name in rows[0] if name.isupper()]
    labels = {row["participant"]: "sub-" + row["participant"].replace("_", "") for row in rows}
    scores = ["\t".join(["participant_id", *muscles])]
    scores += ["\t".join([labels[r["participant"]], *(r[m] for m in muscles)]) for r in rows]
    people = ["participant_id\tsex\tage\tdiagnosis"]
    people += [
        f"{labels[r['participant']]}\t{r['sex']}\t{r['age']}\t{r['phenotype']}" for r in rows
    ]
    dataset = write_study(
        tmp_path / "in",
        scores="\n".join(scores) + "\n",
        sidecar={"Scale": "FF", "Units": "fraction"},
        people="\n".join(people) + "\n",
    )
    model = ["--diagnosis-model", str(trained / "models" / "first"), "--omp-nthreads", "1"]
    assert main([str(dataset), str(tmp_path / "out"), "group", *model]) == ExitCode.OK
    table = read(tmp_path / "out" / "group_muscles.tsv")
    assert len(table) == len(rows) * len(muscles)
    first = table[table["participant"] == labels[rows[0]["participant"]].removeprefix("sub-")]
    assert first["score"].tolist() == pytest.approx([100 * float(rows[0][m]) for m in muscles])
    flags = read(tmp_path / "out" / "group_flags.tsv")
    assert flags["status"].tolist() == ["answered"] * len(rows)
    assert flags["partial"].all()
    assert flags["message"].str.contains("trained on simulated patients").all()


@pytest.mark.parametrize(
    ("change", "code", "piece"),
    [
        ("{outer_foldz: 2}", ExitCode.USAGE, "outer_foldz"),
        ("{trials: 0}", ExitCode.USAGE, "trials is 0"),
        ("{outer_folds: 40}", ExitCode.BAD_DATA, "folds"),
        ("{minimum_samples: 500}", ExitCode.BAD_DATA, "needs two diagnoses"),
    ],
)
def test_what_cannot_be_trained_is_said(
    cohort: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    change: str,
    code: ExitCode,
    piece: str,
) -> None:
    monkeypatch.setattr(level, "audit", lambda *_: pd.DataFrame())
    config = tmp_path / "settings.yaml"
    config.write_text(f"training: {change}\nprofile: quick\n")
    command = [str(cohort / "new"), str(tmp_path / "out"), "group", *options(cohort)]
    command[command.index("--config-file") + 1] = str(config)
    assert main([*command, "--train", "other"]) == code
    assert piece in capsys.readouterr().err
    assert not (tmp_path / "out" / "models").exists()
    assert not list((tmp_path / "out").glob("group*"))


def test_a_worker_that_dies_twice_asks_for_another_try(
    cohort: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(level, "_audit", lambda *_: {})
    monkeypatch.setattr(nested, "run_fold", die)
    command = [str(cohort / "new"), str(tmp_path / "out"), "group", *options(cohort)]
    several = ["--train", "other", "--nprocs", "2", "--mem", "100GB"]
    assert main([*command, *several]) == ExitCode.TRY_AGAIN
    said = capsys.readouterr().err
    assert "A worker process died, and so did a second one over the same work" in said
    assert "hint: Run the same command again with fewer --nprocs or more memory" in said
    assert "what is finished is kept" in said
    assert "unforeseen" not in said
    assert said.splitlines()[-1].endswith("exit code 75 (TRY_AGAIN)")
    # What the folds leave while they search is kept.
    assert list((tmp_path / "out" / "logs" / "training" / "other").glob("*/search-*"))
    assert not list((tmp_path / "out").glob("group*"))


def test_a_diagnosis_with_two_samples_is_left_out_and_named(cohort: Path, trained: Path) -> None:
    log = next(
        text
        for path in (trained / "logs").glob("run-*.log")
        if "model stored" in (text := path.read_text())
    )
    assert "diagnoses with fewer than 12 samples are left out: ANO5" in log


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "in", tmp_path / "out", "group", train="first")


def stage(settings: Settings, content: str) -> Path:
    """Store a model in a staging folder."""
    staging = settings.output_dir / "logs" / "staging" / "group"
    (staging / "models" / "first").mkdir(parents=True)
    (staging / "models" / "first" / "model.json").write_text(content)
    return staging


def assert_refused(settings: Settings) -> None:
    with pytest.raises(AppError) as caught:
        _refuse_existing_model(settings)
    assert caught.value.message == (
        f"There is a model first already: {settings.output_dir / 'models' / 'first'}."
    )
    assert caught.value.exit_code is ExitCode.CANNOT_CREATE
    assert "--overwrite" in caught.value.hint


def test_a_model_may_be_replaced_until_its_training_has_ended(settings: Settings) -> None:
    _refuse_existing_model(settings)
    put_in_place(settings, stage(settings, "{}"))
    assert (model_folder(settings) / "model.json").read_text() == "{}"
    _refuse_existing_model(settings)
    end_training(settings)
    assert not (settings.output_dir / "logs" / "training" / "first").exists()
    assert_refused(settings)
    _refuse_existing_model(replace(settings, overwrite=True))


def test_an_earlier_model_is_not_taken_for_that_of_a_killed_run(settings: Settings) -> None:
    put_in_place(settings, stage(settings, '{"model": 1}'))
    end_training(settings)
    # A second training was killed while it replaced the model, which then was put back.
    put_in_place(settings, stage(settings, '{"model": 2}'))
    (model_folder(settings) / "model.json").write_text('{"model": 1}')
    assert_refused(settings)


def test_checkpoints_of_a_search_alone_protect_nothing_and_free_nothing(
    settings: Settings,
) -> None:
    _checkpoint_folder(settings).mkdir(parents=True)
    _refuse_existing_model(settings)
    model_folder(settings).mkdir(parents=True)
    assert_refused(settings)


def test_versions_have_their_own_checkpoints(settings: Settings) -> None:
    assert _checkpoint_folder(settings) == (
        settings.output_dir / "logs" / "training" / "first" / __version__
    )
