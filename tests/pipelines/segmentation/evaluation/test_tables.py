"""From rows to the summary, with every number known."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipelines.segmentation.evaluation.tables import (
    METRICS,
    EvaluationTables,
    agreement_table,
    summary_table,
)

FORMATS = {"string", "integer", "number"}


def row(muscle, side="left", status="compared", region="thigh", **values):
    return {"muscle": muscle, "side": side, "region": region, "status": status, **values}


@pytest.fixture
def muscles() -> pd.DataFrame:
    """Six muscles of two cases: four compared, one absent, one invented."""
    return agreement_table(
        {
            "sub-01": [
                row("sartorius", dice=0.9, ff_reference=5.0, ff_error=-1.0),
                row("sartorius", "right", dice=0.8, ff_reference=10.0, ff_error=1.0),
                row("gracilis", status="absent", ff_reference=50.0),
            ],
            "sub-02": [
                row("sartorius", dice=0.7, ff_reference=15.0, ff_error=3.0),
                row("soleus", region="leg", dice=0.4, ff_reference=60.0, ff_error=-5.0),
                row("gracilis", status="extra"),
            ],
        }
    )


def of(summary, name, metric):
    (found,) = summary[(summary["name"] == name) & (summary["metric"] == metric)].to_dict("records")
    return found


def test_muscle_table_has_all_columns_and_rows(muscles):
    assert list(muscles) == list(EvaluationTables.MUSCLES.columns)
    assert list(muscles["case"]) == ["sub-01"] * 3 + ["sub-02"] * 3
    assert muscles["t2_error"].isna().all()


def test_summary_over_all(muscles):
    found = of(summary_table(muscles), "all", "dice")
    assert (found["n_reference"], found["n_absent"], found["n_extra"]) == (5, 1, 1)
    assert found["absence_rate"] == pytest.approx(20)
    assert found["n"] == 4
    assert found["mean"] == pytest.approx(0.7)
    assert found["median"] == pytest.approx(0.75)
    assert np.isnan(found["loa_lower"]), "Dice is no difference"
    assert (found["g20_minus_n"], found["g20_plus_n"]) == (3, 1)
    assert found["g20_minus_mean"] == pytest.approx(0.8)
    assert found["test"] is None


def test_summary_of_one_muscle_pools_its_sides(muscles):
    found = of(summary_table(muscles), "sartorius", "ff_error")
    assert (found["scope"], found["n"], found["absence_rate"]) == ("muscle", 3, 0)
    assert (found["mean"], found["sd"]) == (1.0, 2.0)
    assert found["mean_absolute"] == pytest.approx(5 / 3)
    assert found["loa_lower"] == pytest.approx(1 - 3.92)
    assert found["loa_upper"] == pytest.approx(1 + 3.92)


def test_summary_of_a_region(muscles):
    summary = summary_table(muscles)
    assert of(summary, "leg", "dice")["mean"] == pytest.approx(0.4)
    assert of(summary, "thigh", "dice")["n"] == 3


def test_a_muscle_never_found_has_no_value(muscles):
    found = of(summary_table(muscles), "gracilis", "dice")
    assert (found["n"], found["n_absent"], found["absence_rate"]) == (0, 1, 100)
    for name in ("mean", "sd", "mean_absolute", "median", "outlier_rate", "p_value"):
        assert np.isnan(found[name]), name


def test_metrics_nobody_measured_are_left_out(muscles):
    assert set(summary_table(muscles)["metric"]) == {"dice", "ff_error"}


def test_significance_of_the_split():
    dice = [0.95, 0.94, 0.93, 0.96, 0.80, 0.79, 0.81, 0.78]
    fat = [5.0] * 4 + [40.0] * 4
    rows = [row("soleus", dice=d, ff_reference=f) for d, f in zip(dice, fat, strict=True)]
    found = of(summary_table(agreement_table({"x": rows})), "all", "dice")
    assert found["test"] == "t-test"
    # Means 0.945 and 0.795, both variances 1/6000, 6 degrees of freedom.
    t = 0.15 / math.sqrt(2 / 4 / 6000)
    assert found["p_value"] == pytest.approx(2 * stats.t.sf(t, df=6))


def test_no_cases_give_empty_tables():
    empty = agreement_table({})
    assert len(empty) == 0
    summary = summary_table(empty)
    assert len(summary) == 0
    assert list(summary) == list(EvaluationTables.SUMMARY.columns)


@pytest.mark.parametrize("table", list(EvaluationTables))
def test_every_column_is_described(table):
    for name, entry in table.columns.items():
        assert entry["Description"].endswith("."), name
        assert entry["Format"] in FORMATS, name


def test_metrics_are_columns():
    assert {metric.column for metric in METRICS} <= set(EvaluationTables.MUSCLES.columns)
