"""Tables of the simulated cohort, read as any study's tables, give its scores back."""

import io

import numpy as np
import pytest

from pipelines.diagnosis.simulation.score_files import score_files
from pipelines.diagnosis.simulation.simulate import simulate_cohort
from pipelines.harmonization.scores.native import to_native
from pipelines.harmonization.scores.people import read_people
from pipelines.harmonization.scores.reading import read_scores
from pipelines.harmonization.scores.score_table import ScoreTable
from pipelines.text_table import read_text_table


@pytest.fixture(scope="module")
def cohort():
    return simulate_cohort(300, seed=2)


@pytest.fixture(scope="module")
def files(cohort):
    return score_files(cohort)


def as_text(table, source):
    text = table.to_csv(sep="\t", index=False, na_rep="n/a")
    return read_text_table(io.StringIO(text, newline=""), source)


def test_there_is_one_dataset_per_scale_and_one_table_per_kind_of_sides(files):
    assert set(files) == {f"simulated-{s}" for s in ("0-4", "0-5", "1-4", "2a2b", "FF")}
    assert set(files["simulated-0-4"].scores) == {
        "bilateral_scores",
        "average_scores",
        "unilateral_scores",
    }
    assert files["simulated-FF"].description["Units"] == "percent"
    assert files["simulated-0-4"].description["Scale"] == "0-4"
    for dataset in files.values():
        text = dataset.description["MeasurementToolMetadata"]["Description"]
        assert text.startswith("Simulated muscle scores, no patient's data.")


def test_reading_the_tables_gives_the_cohort_back(cohort, files):
    tables = []
    for name, dataset in files.items():
        people = read_people(as_text(dataset.participants, "participants.tsv"), "participants.tsv")
        for table_name, table in dataset.scores.items():
            scores = read_scores(
                as_text(table, f"{table_name}.tsv"),
                study=name,
                source=f"{table_name}.tsv",
                scale=dataset.description["Scale"],
                units=dataset.description.get("Units"),
            )
            tables.append(scores.with_people(people))
    native = to_native(ScoreTable.concat(tables))
    order = native.samples.index.get_indexer(cohort.native.samples.index)
    assert len(native.samples) == len(cohort.native.samples)
    np.testing.assert_allclose(native.values[order], cohort.native.values, atol=1e-9)
    found = native.samples.iloc[order]
    np.testing.assert_allclose(found["age"].astype(float), cohort.native.samples["age"])
    for column in ("patient", "scale", "sides", "sex", "diagnosis", "site", "study", "session"):
        expected = cohort.native.samples[column].fillna("?")
        assert (found[column].fillna("?") == expected).all(), column


def test_participants_stand_once_with_their_first_age(cohort, files):
    people = files["simulated-0-4"].participants
    assert people["participant_id"].is_unique
    samples = cohort.native.samples
    visits = samples[samples["session"] == "01"].set_index("participant")["age"]
    ages = people.set_index("participant_id")["age"]
    for participant, age in visits[visits.notna()].items():
        if f"sub-{participant}" in ages:
            assert ages[f"sub-{participant}"] == age
