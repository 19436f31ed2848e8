"""Exactly which files the group level leaves, for every way of running it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from tests.bids_app.golden import group_files
from tests.bids_app.score_study import write_study
from tests.bids_app.small_training import options

MUSCLES = (
    "vastus_lateralis",
    "gracilis",
    "semitendinosus",
    "soleus",
    "sartorius",
    "gluteus_medius",
)
RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")


def written(out: Path) -> list[str]:
    """Return the files of an output folder; those of every run under one name."""
    names = (p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
    return sorted({RUN_ID.sub("RUN", name) for name in names})


def two_studies(root: Path) -> Path:
    """Write scores of two diseases in two studies, nobody of whom lacks a diagnosis."""
    random = np.random.default_rng(0)
    scores = ["\t".join(["participant_id", "study", *MUSCLES])]
    people = ["participant_id\tsex\tage\tdiagnosis"]
    for number in range(48):
        disease, study = ("DMD", "DYSF")[number % 2], ("north", "south")[number // 2 % 2]
        high = [number % 2 == place % 2 for place in range(len(MUSCLES))]
        grades = [str(random.integers(2, 5) if fatty else random.integers(0, 3)) for fatty in high]
        scores.append("\t".join([f"sub-{number:02d}", study, *grades]))
        people.append(f"sub-{number:02d}\t{'MF'[number // 4 % 2]}\t{20 + number}\t{disease}")
    return write_study(root, scores="\n".join(scores) + "\n", people="\n".join(people) + "\n")


def test_gathering(cohort: Path, tmp_path: Path) -> None:
    assert main([str(cohort / "new"), str(tmp_path), "group", *options(cohort)]) == ExitCode.OK
    assert written(tmp_path) == group_files("gather")


def test_training_on_all_samples(cohort: Path, tmp_path: Path) -> None:
    dataset, out = two_studies(tmp_path / "in"), tmp_path / "out"
    configuration = ["--config-file", str(cohort / "tiny.yaml")]
    command = [str(dataset), str(out), "group", *configuration]
    assert main([*command, "--train", "first"]) == ExitCode.OK
    assert written(out) == group_files("train")
    # The model stays when the tables are made anew without it.
    assert main(command) == ExitCode.OK
    assert written(out) == sorted(
        {
            *group_files("gather"),
            *(name for name in group_files("train") if name.startswith("models/")),
        }
    )


def test_training_with_readers_samples_to_answer_and_interactions(trained: Path) -> None:
    assert written(trained) == group_files("train_and_apply")


def test_applying_a_model(cohort: Path, trained: Path, tmp_path: Path) -> None:
    model = ["--diagnosis-model", str(trained / "models" / "first"), "--omp-nthreads", "1"]
    command = [str(cohort / "studies" / "simulated-FF"), str(tmp_path), "group", *model]
    assert main(command) == ExitCode.OK
    assert written(tmp_path) == group_files("apply")
    # Interactions come with their own tables, and go with them.
    assert main([*command, "--interactions", "DYSF"]) == ExitCode.OK
    extra = {
        f"group_{name}.{end}" for name in ("interactions", "clusters") for end in ("tsv", "json")
    }
    assert set(written(tmp_path)) - set(group_files("apply")) == extra
    assert main(command) == ExitCode.OK
    assert written(tmp_path) == group_files("apply")


@pytest.mark.parametrize("way", ["gather", "train", "train_and_apply", "apply"])
def test_every_listed_file_is_one_that_the_documentation_names(way: str, repository: Path) -> None:
    text = (repository / "docs" / "outputs.md").read_text()
    stems = {Path(name).stem for name in group_files(way) if name.startswith("group_")}
    short = {stem.removeprefix("group_") for stem in stems}
    assert {name for name in short if name not in text} == set()
    for name in ("group.html", "complete/group.json", "models/"):
        assert name in text


def test_the_marker_lists_the_files(trained: Path) -> None:
    marker = json.loads((trained / "logs" / "complete" / "group.json").read_text())
    expected = [name for name in group_files("train_and_apply") if name.startswith("group")]
    assert sorted(marker["Files"]) == expected
