"""A simulated cohort as a user has it on the disk, and training on it in seconds."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from bids_app.group import level, training
from pipelines.diagnosis.simulation.score_files import score_files
from pipelines.diagnosis.simulation.simulate import simulate_cohort
from pipelines.diagnosis.training import nested
from tests.bids_app.score_study import people_text, write_study
from tools.simulate_cohort import write_dataset

# As small as a nested cross-validation can be; three diagnoses have so many samples.
PROTOCOL = "outer_folds: 2, inner_folds: 2, trials: 2, random_trials: 1, minimum_samples: 12"
DIAGNOSES = ("DUX4", "DYSF", "PABPN1")


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", keep_default_na=False, na_values=["n/a"])


def write_cohort(root: Path) -> Path:
    """Write simulated studies, a study without diagnoses, readers and a configuration file."""
    for name, dataset in score_files(simulate_cohort(samples=130, least_patients=2)).items():
        write_dataset(root / "studies" / name, name, dataset, {"samples": 130, "seed": 0})
    write_study(root / "new", people=people_text().replace("DYSF", "n/a").replace("DMD", "n/a"))
    people = read(root / "studies" / "simulated-FF" / "participants.tsv").set_index(
        "participant_id"
    )
    scores = read(root / "studies" / "simulated-FF" / "phenotype" / "average_scores.tsv")
    case = scores[scores["participant_id"].map(people["diagnosis"]) == "DYSF"].iloc[0]
    place = "\t".join(case[["study", "participant_id", "session_id"]])
    header = "reader\tstudy\tparticipant_id\tsession_id\trank1\trank2\n"
    (root / "readers.tsv").write_text(f"{header}anna\t{place}\tDYSF\tn/a\n")
    (root / "wrong.tsv").write_text(f"{header}anna\t{place}\tDysferlin\tn/a\n")
    (root / "nobody.tsv").write_text("reader\tparticipant_id\trank1\nanna\tsub-999\tDYSF\n")
    (root / "tiny.yaml").write_text(f"training: {{{PROTOCOL}}}\nprofile: quick\nomp_nthreads: 1\n")
    return root


def options(cohort: Path, *more: str) -> list[str]:
    """Return the options that gather the cohort."""
    studies = [f"{path.name}={path}" for path in sorted((cohort / "studies").iterdir())]
    return ["--study", *studies, "--config-file", str(cohort / "tiny.yaml"), *more]


# A run that is killed when model and staged tables are there, but no table is in place.
_KILLED = """
import os, signal, sys
from bids_app.group import level
from bids_app.cli import main
from bids_app.files.result_writer import SessionWriter
from pipelines.diagnosis.training import nested
from tests.bids_app.small_training import never

nested.search = never
level._audit = lambda *_: {}
SessionWriter.commit = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
main(sys.argv[1:])
"""


def train_interrupted(cohort: Path, repository: Path) -> Path:
    """Train a model, interrupted after the search and killed before the tables are in place."""
    out = cohort / "out"
    more = ("--train", "first", "--readers", str(cohort / "readers.tsv"))
    command = [str(cohort / "new"), str(out), "group", *options(cohort, *more)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_without_studies", interrupt)
        patch.setattr(level, "_audit", lambda *_: {})
        assert main(command) == ExitCode.TRY_AGAIN
    assert not list(out.glob("group*"))
    assert not (out / "models").exists()
    killed = subprocess.run([sys.executable, "-c", _KILLED, *command], cwd=repository, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not list(out.glob("group*"))
    assert (out / "models" / "first" / "model.json").is_file()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nested, "search", never)
        patch.setattr(nested, "train_ensemble", never)
        assert main([*command, "--interactions", "DYSF"]) == ExitCode.OK
    return out


def interrupt(*_: object, **__: object) -> None:
    """End a run as a person does."""
    raise KeyboardInterrupt


def never(*_: object, **__: object) -> None:
    """Stand for what must not be done a second time."""
    raise AssertionError("done again what had been done")


def die(*_: object) -> None:
    """End the process that works on a task, as one without memory does."""
    os._exit(3)
