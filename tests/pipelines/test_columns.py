"""Reading what the columns of tables mean."""

import json
from enum import StrEnum

import pytest

from pipelines.columns import DescribedTable, described_tables
from pipelines.quantification.columns import MuscleTables
from pipelines.segmentation.evaluation.tables import EvaluationTables


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with two tables that share a column."""
    folder = tmp_path / "some_measures"
    folder.mkdir()
    (folder / "__init__.py").touch()
    content = {
        "shared": {"muscle": {"Description": "Name."}},
        "volumes": {"volume": {"Description": "Volume.", "Units": "mL"}, "muscle": {}},
        "widths": {"muscle": {}, "width": {"Description": "Width."}},
    }
    (folder / "columns.json").write_text(json.dumps(content))
    monkeypatch.syspath_prepend(tmp_path)
    return "some_measures"


def test_shared_columns_are_filled_in_and_the_order_stays(package):
    tables = described_tables(package)
    assert list(tables) == ["volumes", "widths"]
    assert list(tables["volumes"]) == ["volume", "muscle"]
    assert tables["volumes"]["volume"] == {"Description": "Volume.", "Units": "mL"}
    assert tables["volumes"]["muscle"] == tables["widths"]["muscle"] == {"Description": "Name."}


@pytest.mark.parametrize(
    ("tables", "package", "first"),
    [
        (MuscleTables, "pipelines.quantification", "level"),
        (EvaluationTables, "pipelines.segmentation.evaluation", "case"),
    ],
)
def test_tables_of_the_same_name_have_the_columns_of_their_own_package(tables, package, first):
    assert issubclass(tables, DescribedTable)
    assert issubclass(tables, StrEnum)
    assert [table.value for table in tables] == list(described_tables(package))
    for table in tables:
        assert table.columns is described_tables(package)[table.value]
    assert next(iter(tables.MUSCLES.columns)) == first


def test_a_table_that_is_not_described_is_an_error():
    other = DescribedTable("other", {"NOWHERE": "nowhere"}, module="pipelines.quantification.x")
    with pytest.raises(KeyError, match="nowhere"):
        _ = other.NOWHERE.columns
