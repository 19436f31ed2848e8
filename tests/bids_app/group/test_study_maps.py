"""Maps of names: for all studies, and for one in which names mean something else."""

import json
from pathlib import Path

import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from tests.bids_app.score_study import people_text, score_text, write_study
from tests.bids_app.small_training import read


def with_gm(root: Path, people: str | None = None) -> Path:
    """Write a study that calls a muscle GM."""
    return write_study(root, scores=score_text().replace("gracilis", "GM"), people=people)


def write_map(path: Path, column: str, *rows: tuple[str, str]) -> str:
    lines = [f"source_name\t{column}", *(f"{name}\t{meaning}" for name, meaning in rows)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_one_abbreviation_means_different_muscles_in_two_studies(tmp_path: Path) -> None:
    here = with_gm(tmp_path / "here")
    there = with_gm(tmp_path / "there", people_text().replace("DYSF", "FSHD"))
    # One cell differs, or it would be the same table twice.
    table = there / "phenotype" / "mri.tsv"
    table.write_text(table.read_text().replace("sub-01\t1", "sub-01\t2"))
    everywhere = write_map(tmp_path / "all.tsv", "muscle", ("GM", "gluteus_maximus"))
    own = write_map(tmp_path / "own.tsv", "muscle", ("gm", "gastrocnemius_medial_head"))
    command = [str(here), str(tmp_path / "out"), "group", "--study", f"rome={there}"]
    assert main([*command, "--muscle-map", everywhere, f"rome={own}"]) == ExitCode.OK
    scores = read(tmp_path / "out" / "group_muscles.tsv")
    meant = scores[scores["column"] == "GM_L"].groupby("study")["muscle"].unique()
    assert meant["raw"].tolist() == ["gluteus_maximus"]
    assert meant["rome"].tolist() == ["gastrocnemius_medial_head"]


def test_diagnoses_of_one_study_count_as_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = write_study(tmp_path / "here", people=people_text().replace("DMD", "dmd"))
    there = write_study(tmp_path / "there", scores=score_text().replace("sub-01\t1", "sub-01\t2"))
    everywhere = write_map(
        tmp_path / "all.tsv", "diagnosis", ("DMD", "dystrophinopathy"), ("DMDD", "x")
    )
    own = write_map(tmp_path / "own.tsv", "diagnosis", ("DYSF", "n/a"))
    command = [str(here), str(tmp_path / "out"), "group", "--study", f"rome={there}"]
    assert main([*command, "--diagnosis-map", everywhere, f"rome={own}"]) == ExitCode.OK
    scores = read(tmp_path / "out" / "group_scores.tsv")
    of_study = scores["diagnosis"].fillna("n/a").groupby(scores["study"]).agg(list)
    assert of_study["raw"] == ["DYSF", "DYSF", "dystrophinopathy", "n/a"]
    assert of_study["rome"] == ["n/a", "n/a", "dystrophinopathy", "n/a"]
    said = json.loads((tmp_path / "out" / "group_summary.json").read_text())["Cautions"]
    for sentence in (
        "raw: diagnosis dmd counts as dystrophinopathy, 1 sample(s) (all.tsv, row 2).",
        "rome: diagnosis DYSF counts as none, 2 sample(s) (own.tsv, row 2).",
        "all.tsv, row 3: no sample has the diagnosis 'DMDD'.",
    ):
        assert sentence in said
    assert not [sentence for sentence in said if "taken as different" in sentence]


@pytest.mark.parametrize("option", ["--muscle-map", "--diagnosis-map"])
def test_a_map_of_a_study_that_is_not_gathered_is_refused(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = write_study(tmp_path / "here")
    command = [str(here), str(tmp_path / "out"), "group", option, "rom=/map.tsv"]
    assert main(command) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert f"{option} names 'rom', which is no study of this run." in error
    assert "Studies: raw (raw is BIDS_DIR)" in error
