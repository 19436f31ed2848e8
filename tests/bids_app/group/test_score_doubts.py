"""What is said about gathered scores before they are used."""

import pandas as pd
import pytest

from bids_app.group.score_doubts import likely_duplicates, missing_lowest_grades
from pipelines.diagnosis.simulation.simulate import simulate_cohort
from pipelines.harmonization import duplicates
from pipelines.harmonization.scores.score_table import ScoreTable


def scores(
    scale: str, values: list[float], source: str = "bids::phenotype/mri.tsv"
) -> pd.DataFrame:
    return pd.DataFrame({"source": source, "scale": scale, "score": values})


def test_a_table_without_the_lowest_grade_is_doubted() -> None:
    doubted = scores("0-4", [1.0, 2, 3, 4] * 20)
    sound = scores("0-4", [0.0, 1, 2, 3, 4] * 20, "bids::phenotype/other.tsv")
    (sentence,) = missing_lowest_grades(pd.concat([doubted, sound]))
    assert sentence.startswith(
        "bids::phenotype/mri.tsv: scale 0-4 is stated, but none of 80 scores is 0, which normal "
        "muscle would have; they go from 1 to 4. They fit scale 1-4."
    )


@pytest.mark.parametrize(
    "table",
    [
        scores("1-4", [1.0, 2, 3, 4] * 20),
        scores("FF", [1.0, 2, 3, 4] * 20),
        scores("0-4", [1.0, 2, 3, 4] * 5),
        scores("0-5", [0.0] + [3.0] * 80),
    ],
    ids=["lowest used", "measured", "few", "one is enough"],
)
def test_other_tables_are_not(table: pd.DataFrame) -> None:
    assert missing_lowest_grades(table) == []


def test_five_grades_without_a_scale_that_fits() -> None:
    (sentence,) = missing_lowest_grades(scores("0-5", [1.0, 2, 3, 4, 5] * 20))
    assert "They fit" not in sentence


def test_copies_of_patients_are_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    table = simulate_cohort(samples=150, seed=1).score_table()
    assert likely_duplicates(table) == ([], [])
    chosen = list(table.samples.index[[4, 50]])
    copied = table.scores[table.scores["sample"].isin(chosen)].drop(columns="sample")
    both = ScoreTable.concat([table, ScoreTable.from_long(copied.assign(study="copy"))])
    (sentence,), (nameless,) = likely_duplicates(both)
    assert sentence.startswith("2 pair(s) of samples of different patients have equal scores")
    assert f"{chosen[0]} = copy/sub-" in sentence
    assert "patient_id" in sentence
    assert nameless.startswith(sentence.partition(": ")[0] + ". A model would be tested on")
    assert chosen[0] not in nameless
    monkeypatch.setattr(duplicates, "MOST_SAMPLES", 100)
    (sentence,), _ = likely_duplicates(both)
    assert sentence.startswith("Patients who stand under two labels were not looked for")
