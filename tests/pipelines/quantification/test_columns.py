import numpy as np
import pandas as pd
import pytest

from pipelines.quantification.columns import MuscleTables, build_table


@pytest.mark.parametrize("table", list(MuscleTables))
def test_every_column_says_what_it_is(table):
    for name, entry in table.columns.items():
        assert entry["Description"].endswith("."), name
        assert entry["Format"] in {"string", "integer", "number", "bool"}, name
        # A number that is no count has a unit.
        assert ("Units" in entry) == (entry["Format"] == "number"), name


@pytest.mark.parametrize(
    ("column", "unit"),
    [("volume_ml", "mL"), ("csa_max_cm2", "cm^2"), ("ff_mean", "%"), ("asym_volume", "%")],
)
def test_units(column, unit):
    assert MuscleTables.MUSCLES.columns[column]["Units"] == unit


def test_built_tables_have_all_columns_in_order_and_types():
    data = pd.DataFrame({"n_voxels": [3], "muscle": ["soleus"], "ff_mean": [np.nan]}, index=[7])
    table = build_table(MuscleTables.PROFILE, data)
    assert list(table) == list(MuscleTables.PROFILE.columns)
    assert table.index.tolist() == [0]
    assert table["n_voxels"].dtype == "Int64"
    assert table["muscle"].dtype == "string"
    assert table["side"].isna().all()
    assert table["area_cm2"].isna().all()


def test_empty_table_keeps_its_types():
    empty = build_table(MuscleTables.MUSCLES, pd.DataFrame())
    full = build_table(MuscleTables.MUSCLES, pd.DataFrame([{"label": 2011}]))
    assert len(empty) == 0
    pd.testing.assert_series_equal(empty.dtypes, full.dtypes)


def test_a_column_nobody_described_is_refused():
    with pytest.raises(KeyError, match=r"columns\.json does not describe ff_mode"):
        build_table(MuscleTables.PROFILE, pd.DataFrame({"ff_mode": [1.0]}))
