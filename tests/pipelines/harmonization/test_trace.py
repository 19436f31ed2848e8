"""Every score can be followed from its cell to its feature."""

import numpy as np
import pandas as pd

from pipelines.harmonization.harmonize import HarmonizationOptions, fit_harmonization
from pipelines.harmonization.scores.native import to_native
from pipelines.harmonization.trace import TRACE_COLUMNS, trace_scores
from tests.pipelines.harmonization.score_data import table_of


def traced(scores, options=None):
    table = table_of({"p": ("0-4", scores)})
    return trace_scores(table, fit_harmonization(to_native(table), options))


def test_merged_expanded_and_unused_scores() -> None:
    found = traced(
        {
            "iliacus": (2, 3),
            "psoas_major": (4, None),
            "biceps_femoris": 4,
            "biceps_femoris_long_head": 0,
            "deltoid": 1,
        }
    )
    assert found.columns.tolist() == list(TRACE_COLUMNS)
    columns = ["scored_muscle", "side", "score", "muscle", "operation", "used", "merged_score"]
    expected = [
        ["iliacus", "left", 2.0, "iliopsoas", "merge", True, 3.0],
        ["iliacus", "right", 3.0, "iliopsoas", "merge", True, 3.0],
        ["psoas_major", "left", 4.0, "iliopsoas", "merge", True, 3.0],
        ["biceps_femoris", "mean", 4.0, "biceps_femoris_long_head", "expand", False, 0.0],
        ["biceps_femoris", "mean", 4.0, "biceps_femoris_short_head", "expand", True, 4.0],
        ["biceps_femoris_long_head", "mean", 0.0, "biceps_femoris_long_head", "as scored", True, 0],
    ]
    assert found[columns].iloc[:-1].astype(object).to_numpy().tolist() == expected
    # Iliopsoas 75, long head 0, short head 100: each minus the mean of the other two.
    np.testing.assert_allclose(found["score_0_100"][:6], [75, 75, 75, 0, 100, 0])
    np.testing.assert_allclose(found["relative"][:6], [25, 25, 25, -87.5, 62.5, -87.5])
    last = found.iloc[-1]
    assert (last["scored_muscle"], last["column"], bool(last["used"])) == (
        "deltoid",
        "deltoid",
        False,
    )
    assert pd.isna([last["muscle"], last["merged_score"], last["relative"]]).all()


def test_every_score_is_traced_once_for_each_feature_it_serves() -> None:
    scores = {"deltoid": 1, "adductors_undivided": (1, 2), "soleus": 3, "trapezius": (0, 1)}
    found = traced(scores)
    assert found["row"].is_monotonic_increasing
    rows = found.groupby(["column", "side"], observed=True).size()
    assert rows.to_dict() == {
        ("deltoid", "mean"): 1,
        ("adductors_undivided", "left"): 3,
        ("adductors_undivided", "right"): 3,
        ("soleus", "mean"): 1,
        ("trapezius", "left"): 1,
        ("trapezius", "right"): 1,
    }
    unserved = found[found["column"].isin(["deltoid", "trapezius"])]
    assert unserved[["muscle", "operation", "merged_score", "score_0_100"]].isna().all(axis=None)
    assert not unserved["used"].any()


def test_a_muscle_dropped_for_its_coverage_is_not_used() -> None:
    table = table_of({"p": ("0-4", {"soleus": 1, "gracilis": 2}), "q": ("0-4", {"soleus": 1})})
    options = HarmonizationOptions(coverage=1.0)
    found = trace_scores(table, fit_harmonization(to_native(table), options))
    assert found["used"].tolist() == [True, False, True]
    assert np.isnan(found["score_0_100"].iloc[1])
    assert found["row"].tolist() == [2, 2, 3]
