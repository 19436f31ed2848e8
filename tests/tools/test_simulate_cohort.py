"""The command that writes the simulated cohort."""

import json

import pandas as pd
import pytest

from tools.simulate_cohort import main


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    assert main([str(folder), "--samples", "120", "--seed", "1"]) == 0
    return folder


def test_datasets_hold_the_samples_asked_for(written):
    tables = list(written.glob("*/phenotype/*.tsv"))
    assert sum(len(pd.read_csv(path, sep="\t")) for path in tables) == 120
    for path in tables:
        assert json.loads(path.with_suffix(".json").read_text())["Scale"] in str(path)


def test_every_dataset_says_that_it_is_simulated(written):
    roots = sorted(written.iterdir())
    assert [root.name for root in roots] == [
        f"simulated-{scale}" for scale in ("0-4", "0-5", "1-4", "2a2b", "FF")
    ]
    for root in roots:
        about = json.loads((root / "dataset_description.json").read_text())
        assert "simulated" in about["Name"]
        assert about["GeneratedBy"][0]["Parameters"]["samples"] == 120
        assert (root / "README").read_text().startswith("Simulated muscle scores.")


def test_participants_table_has_what_the_diagnosis_needs(written):
    table = pd.read_csv(written / "simulated-0-4" / "participants.tsv", sep="\t")
    assert list(table) == ["participant_id", "age", "sex", "diagnosis", "site"]
    described = json.loads((written / "simulated-0-4" / "participants.json").read_text())
    assert set(described) == set(table) - {"participant_id"}


def test_nothing_is_overwritten(written, capsys):
    before = (written / "simulated-FF" / "participants.tsv").read_bytes()
    assert main([str(written), "--samples", "60"]) == 1
    assert "is already there; choose another folder" in capsys.readouterr().out
    assert (written / "simulated-FF" / "participants.tsv").read_bytes() == before
