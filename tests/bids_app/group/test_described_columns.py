"""JSON files beside the tables of a study: units, codes, and two columns that mean the same."""

import json
from pathlib import Path

import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from tests.bids_app.score_study import PEOPLE, people_text, score_text, write_study
from tests.bids_app.small_training import read


def run(dataset: Path, *options: str) -> int:
    return main([str(dataset), str(dataset.parent / "out"), "group", *options])


def cautions(dataset: Path) -> list[str]:
    summary: list[str] = json.loads((dataset.parent / "out" / "group_summary.json").read_text())[
        "Cautions"
    ]
    return summary


def test_bids_decides_between_sex_and_gender(tmp_path: Path) -> None:
    header, *rows = people_text().splitlines()
    people = [f"{header}\tgender", *(f"{row}\twoman" for row in rows)]
    dataset = write_study(tmp_path / "in", people="\n".join(people) + "\n")
    assert run(dataset) == ExitCode.OK
    scores = read(tmp_path / "out" / "group_scores.tsv")
    assert scores["sex"].fillna("n/a").tolist() == [person[1] for person in PEOPLE]
    said = (
        "bids:raw:participants.tsv: column gender is not read, because column sex means the same "
        "and is the one that BIDS defines."
    )
    assert said in cautions(dataset)
    assert said in (tmp_path / "out" / "group.html").read_text()


def test_units_of_columns_are_read_and_a_value_above_one_hides_nothing(tmp_path: Path) -> None:
    scores = "participant_id\tvastus_lateralis\tsoleus\tgracilis\nsub-01\t0.756\t1.01\t24\n"
    fraction = {"Description": "mean fat fraction", "Units": "fraction"}
    sidecar = {"Scale": "FF", "vastus_lateralis": fraction, "soleus": fraction}
    dataset = write_study(tmp_path / "in", scores=scores, sidecar=sidecar)
    assert run(dataset) == ExitCode.OK
    table = read(tmp_path / "out" / "group_muscles.tsv")
    assert table["score"].tolist() == pytest.approx([75.6, 101, 24])
    assert (
        "bids:raw:phenotype/mri.tsv: 1 fat fraction(s) lie a little outside 0 to 100 %, as noise "
        "can put them, and are used as they are; the first: row 2, column soleus, 101 %."
    ) in cautions(dataset)


def test_ages_in_months_and_coded_sexes_are_read(tmp_path: Path) -> None:
    people = "participant_id\tsex\tage\nsub-01\t1\t18\nsub-02\t2\t480\n"
    dataset = write_study(tmp_path / "in", people=people)
    described = {
        "age": {"Units": "months"},
        "sex": {"Levels": {"1": "male", "2": "female"}},
        "agee": {"Units": "weeks"},
    }
    (dataset / "participants.json").write_text(json.dumps(described))
    assert run(dataset) == ExitCode.OK
    scores = read(tmp_path / "out" / "group_scores.tsv").set_index("sample")
    assert scores.loc["raw/sub-01", ["sex", "age"]].tolist() == ["M", 1.5]
    assert scores.loc["raw/sub-02", ["sex", "age"]].tolist() == ["F", 40.0]
    assert (
        "bids:raw:participants.tsv: its JSON file gives units of columns it does not have: agee."
        in cautions(dataset)
    )


def test_sessions_of_a_participant_inherit_the_description_of_sessions(tmp_path: Path) -> None:
    scores = "participant_id\tsession_id\tsoleus\nsub-01\tses-1\t3\nsub-02\tses-1\t3\n"
    dataset = write_study(tmp_path / "in", scores=scores)
    (dataset / "sessions.json").write_text(json.dumps({"age": {"Units": "months"}}))
    for label in ("sub-01", "sub-02"):
        (dataset / label).mkdir()
        (dataset / label / f"{label}_sessions.tsv").write_text("session_id\tage\nses-1\t84\n")
    own = {"age": {"Units": "weeks"}}
    (dataset / "sub-02" / "sub-02_sessions.json").write_text(json.dumps(own))
    assert run(dataset) == ExitCode.OK
    ages = read(tmp_path / "out" / "group_scores.tsv")["age"]
    assert ages.tolist() == pytest.approx([7, 84 * 7 / 365.25], abs=1e-4)


@pytest.mark.parametrize(
    ("name", "described", "pieces"),
    [
        (
            "participants.json",
            {"age": {"Units": "months"}, "sex": {"Units": "n/a"}},
            ("row 3, column 'age': '1500' is no age in months (0 to 1440)",),
        ),
        (
            "participants.json",
            {"age": {"Units": "moons"}},
            ("participants.tsv, column 'age'", "unknown unit 'moons'", "years, months, weeks"),
        ),
        (
            "phenotype/mri.json",
            {"Scale": "FF", "gracilis_L": {"Units": "mm"}},
            ("mri.tsv, column 'gracilis_L'", "unknown unit 'mm'", "percent, fraction, permille"),
        ),
    ],
)
def test_units_that_cannot_be_are_refused(
    name: str,
    described: dict[str, object],
    pieces: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    people = people_text().replace("\t41\t", "\t1500\t")
    dataset = write_study(tmp_path / "in", people=people if "months" in str(described) else None)
    (dataset / name).write_text(json.dumps(described))
    assert run(dataset) == ExitCode.BAD_DATA
    error = capsys.readouterr().err
    assert not [piece for piece in pieces if piece not in error], error


def test_numbers_as_diagnoses_are_codes_of_their_study(tmp_path: Path) -> None:
    numbered = people_text().replace("DYSF", "1").replace("DMD", "2")
    dataset = write_study(tmp_path / "in", people=numbered)
    levels = {"1": "DYSF", "FKRP": "LGMD R9"}
    (dataset / "participants.json").write_text(json.dumps({"diagnosis": {"Levels": levels}}))
    assert run(dataset) == ExitCode.OK
    scores = read(tmp_path / "out" / "group_scores.tsv")
    assert scores["diagnosis"].fillna("n/a").tolist() == ["DYSF", "DYSF", "2", "n/a"]
    said = [sentence for sentence in cautions(dataset) if "are numbers" in sentence]
    assert said == [
        "Diagnoses that are numbers count as the same in all studies: 2. Say in participants.json "
        "below diagnosis and Levels what they mean."
    ]


def test_what_two_tables_say_of_a_person_is_compared(tmp_path: Path) -> None:
    scores = "participant_id\tgender\tdiagnosis\tsoleus\nsub-01\twoman\tDMD\t3\n"
    scores += "sub-02\tman\tDYSF\t1\nsub-04\tman\tDMD\t1\n"
    dataset = write_study(tmp_path / "in", scores=scores)
    assert run(dataset) == ExitCode.OK
    table = read(tmp_path / "out" / "group_scores.tsv")
    assert table["sex"].fillna("n/a").tolist() == ["F", "M", "n/a"]
    assert table["diagnosis"].tolist() == ["DMD", "DYSF", "DMD"]
    source = "bids:raw:phenotype/mri.tsv"
    assert {
        f"{source}: column gender is not read, because participants.tsv gives the sex.",
        f"{source}: 1 sample(s) have another diagnosis here than in participants.tsv; the one here "
        "is used: raw/sub-01.",
    } <= set(cautions(dataset))


def test_one_abbreviation_with_two_full_names_is_named(tmp_path: Path) -> None:
    here = write_study(tmp_path / "in")
    there = write_study(tmp_path / "there", scores=score_text().replace("sub-01\t1", "sub-01\t2"))
    for dataset, name in ((here, "Dysferlinopathy"), (there, "Dysphagia")):
        levels = {"diagnosis": {"Levels": {"DYSF": name, "XY": name}}}
        (dataset / "participants.json").write_text(json.dumps(levels))
    assert run(here, "--study", f"rome={there}") == ExitCode.OK
    said = [text for text in cautions(here) if "full names" in text]
    assert said == [
        "Diagnosis DYSF has several full names, and counts as one: Dysferlinopathy; Dysphagia."
    ]
    summary = json.loads((tmp_path / "out" / "group_summary.json").read_text())
    assert set(summary["Inputs"]) == {
        f"bids:{study}:{name}"
        for study in ("raw", "rome")
        for name in (
            "phenotype/mri.tsv",
            "phenotype/mri.json",
            "participants.tsv",
            "participants.json",
        )
    }
