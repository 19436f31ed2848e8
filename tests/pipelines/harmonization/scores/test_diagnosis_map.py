"""Diagnoses that count as others."""

import pytest

from pipelines.errors import DataError
from pipelines.harmonization.scores.diagnosis_map import DiagnosisMap
from pipelines.harmonization.scores.reading import read_scores
from tests.pipelines.harmonization.scores.test_reading import frame

TEXT = (
    "participant_id diagnosis VL\n1 Duchenne_MD 1\n2 duchenne-md 2\n3 SMA? 1\n4 SMA 1\n5 n/a 1\n"
    "6 DYSF 3\n"
)


def rows(*pairs):
    return [{"source_name": name, "diagnosis": diagnosis} for name, diagnosis in pairs]


def test_spellings_and_groups_are_looked_up_once() -> None:
    table = read_scores(frame(TEXT), study="st", source="s.tsv", scale="0-4")
    known = DiagnosisMap({}).with_map(
        rows(("Duchenne MD", "DMD"), ("SMA?", "n/a"), ("DMD", "BMD"), ("SMA", "DYSF")), "m.tsv"
    )
    mapped, used = known.apply(table)
    assert mapped.samples["diagnosis"].fillna("n/a").tolist() == [
        "DMD",
        "DMD",
        "n/a",
        "DYSF",
        "n/a",
        "DYSF",
    ]
    assert {name: (row.place, n) for name, (row, n) in used.items()} == {
        "Duchenne_MD": ("m.tsv, row 2", 1),
        "duchenne-md": ("m.tsv, row 2", 1),
        "SMA?": ("m.tsv, row 3", 1),
        "SMA": ("m.tsv, row 5", 1),
    }
    assert table.samples["diagnosis"].iloc[0] == "Duchenne_MD"


def test_a_later_file_comes_first() -> None:
    known = DiagnosisMap({}).with_map(rows(("SMA", "a"), ("SMA?", "b")), "all.tsv")
    both = known.with_map(rows(("sma", "c")), "own.tsv")
    table = read_scores(frame(TEXT), study="st", source="s.tsv", scale="0-4")
    assert both.apply(table)[0].samples["diagnosis"].tolist()[2:4] == ["b", "c"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (rows(("SMA", "a"), ("sma", "b")), "m.tsv, row 3: 'sma' already counts as a."),
        (rows(("SMA", "n/a"), ("SMA", "b")), "m.tsv, row 3: 'SMA' already counts as n/a."),
        (rows(("SMA", " ")), "m.tsv, row 2: no diagnosis."),
        ([{"name": "SMA"}], "m.tsv, row 2: no source_name and no diagnosis."),
    ],
)
def test_a_damaged_map_is_refused(given, message) -> None:
    with pytest.raises(DataError) as error:
        DiagnosisMap({}).with_map(given, "m.tsv")
    assert error.value.message == message
