"""Muscles and groups become features: what is merged, what expanded, and what wins."""

import time

import numpy as np
import pandas as pd
import pytest

from pipelines.anatomy.vocabulary import muscles
from pipelines.errors import DataError
from pipelines.harmonization.scores.native import NativeScores, to_native
from pipelines.harmonization.scores.regrouping import build_regrouping, default_regrouping
from pipelines.harmonization.scores.score_table import LONG_COLUMNS, ScoreTable
from tests.pipelines.harmonization.score_data import table_of


def mean_scores(scores, scale="0-4"):
    native = to_native(table_of({"p": (scale, scores)}))
    found = dict(zip(native.muscles, native.values[0, :, 2].tolist(), strict=True))
    return {name: value for name, value in found.items() if not np.isnan(value)}


def test_features_are_muscles_of_the_vocabulary() -> None:
    features = default_regrouping().features
    assert len(features) == len(set(features)) == 33
    assert set(features) <= set(muscles())


def test_parts_are_averaged_over_those_present() -> None:
    assert mean_scores({"iliacus": 1, "psoas_major": 4}) == {"iliopsoas": 2.5}
    assert mean_scores({"iliacus": 1}) == {"iliopsoas": 1}
    assert mean_scores({"fibularis_longus": 1, "fibularis_brevis": 2}) == {
        "fibularis_longus_and_brevis": 1.5
    }


def test_groups_are_expanded_only_where_a_muscle_is_missing() -> None:
    assert mean_scores({"biceps_femoris": 3}) == {
        "biceps_femoris_long_head": 3,
        "biceps_femoris_short_head": 3,
    }
    assert mean_scores({"biceps_femoris": 3, "biceps_femoris_long_head": 1}) == {
        "biceps_femoris_long_head": 1,
        "biceps_femoris_short_head": 3,
    }


def test_the_muscle_wins_over_its_parts_and_parts_over_groups() -> None:
    assert mean_scores({"iliopsoas": 4, "iliacus": 0}) == {"iliopsoas": 4}
    found = mean_scores({"extensor_digitorum_longus": 1, "anterior_compartment_leg_undivided": 4})
    assert found == {"extensor_digitorum_and_hallucis_longus": 1, "tibialis_anterior": 4}


def test_the_narrower_group_wins() -> None:
    found = mean_scores({"vasti_undivided": 1, "quadriceps_femoris_undivided": 4})
    assert found == {
        "rectus_femoris": 4,
        "vastus_lateralis": 1,
        "vastus_intermedius": 1,
        "vastus_medialis": 1,
    }


def test_sides_are_regrouped_apart() -> None:
    native = to_native(table_of({"p": ("0-4", {"iliacus": (1, 3), "psoas_major": (None, 4)})}))
    column = native.muscles.index("iliopsoas")
    np.testing.assert_array_equal(native.values[0, column], [1, 3.5, np.nan])


def test_muscles_that_are_no_feature_leave_no_trace() -> None:
    native = to_native(table_of({"p": ("0-4", {"deltoid": 4})}))
    assert native.values.shape == (1, 33, 3)
    assert np.isnan(native.values).all()


def test_subsets_and_selections() -> None:
    native = to_native(table_of({"a": ("0-4", {"soleus": 1}), "b": ("FF", {"soleus": 20})}))
    assert native.subset([1]).samples.index.tolist() == ["st/sub-b"]
    assert native.subset(np.array([True, False])).samples.index.tolist() == ["st/sub-a"]
    chosen = native.select(("soleus", "sartorius"))
    np.testing.assert_array_equal(chosen.values[:, :, 2], [[1, np.nan], [20, np.nan]])
    with pytest.raises(DataError, match="no column for tongue"):
        native.select(("tongue",))


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match=r"shape \(2, 1, 3\), but .* \(1, 1, 3\)"):
        NativeScores(pd.DataFrame(index=["a"]), ("soleus",), np.zeros((2, 1, 3)))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"operation": "copy", "source": "a", "muscle": "soleus"}, "row 2: operation 'copy'"),
        ({"operation": "merge", "source": "a", "muscle": "tongue"}, "'tongue' is no feature"),
        ({"operation": "merge", "source": "soleus", "muscle": "soleus"}, "already gives 'soleus'"),
    ],
)
def test_wrong_rules_are_named(rule, message) -> None:
    with pytest.raises(DataError, match=message):
        build_regrouping(("soleus",), [rule], "rules.tsv")


def test_a_million_scores_take_no_python_loop() -> None:
    """A loop over rows would take tens of seconds."""
    n, features = 16_000, default_regrouping().features
    sample, cell = np.divmod(np.arange(n * 66), 66)
    long = pd.DataFrame(
        {
            "study": "st",
            "participant": pd.Categorical.from_codes(sample, [f"{i}" for i in range(n)]),
            "session": "",
            "scale": "0-4",
            "muscle": pd.Categorical.from_codes(cell // 2, list(features)),
            "side": pd.Categorical.from_codes(cell % 2, ["left", "right"]),
            "score": (sample + cell) % 5.0,
            "source": "f.tsv",
            "row": sample + 2,
            "column": "c",
        }
    )[list(LONG_COLUMNS)]
    start = time.process_time()
    native = to_native(ScoreTable.from_long(long))
    seconds = time.process_time() - start
    assert native.values.shape == (n, 33, 3)
    expected = (np.arange(n)[:, None] + np.arange(66)) % 5
    np.testing.assert_array_equal(native.values[..., :2].reshape(n, 66), expected)
    assert seconds < 10
