"""Confidence beside the measurements."""

import numpy as np
import pandas as pd
import pytest

from pipelines.anatomy.vocabulary import muscles
from pipelines.quantification.confidence import add_confidence
from pipelines.quantification.table import muscle_table


@pytest.fixture
def table() -> pd.DataFrame:
    labels = np.zeros((12, 12, 3), np.uint16)
    labels[1:5, 1:11] = muscles()["semitendinosus"].value("left")
    labels[7:11, 1:11] = muscles()["semimembranosus"].value("right")
    ff = np.full(labels.shape, 10.0, np.float32)
    return muscle_table(labels, ff, np.diag([1.0, 1.0, 5.0, 1.0]))


def test_values_go_to_their_muscle_and_side_and_never_to_groups(table: pd.DataFrame) -> None:
    confidence = pd.DataFrame(
        {
            "muscle": ["semimembranosus", "semitendinosus"],
            "side": ["right", "left"],
            "soft_dice": [0.7, 0.9],
            "expected_dice": [0.6, 0.8],
        }
    )
    filled = add_confidence(table, confidence)
    by_muscle = filled[filled["level"] == "muscle"].set_index("muscle")
    assert by_muscle.loc["semitendinosus", "soft_dice"] == 0.9
    assert by_muscle.loc["semimembranosus", "expected_dice"] == 0.6
    assert filled.loc[filled["level"] == "group", "soft_dice"].isna().all()
    assert list(filled.columns) == list(table.columns)
    pd.testing.assert_series_equal(filled["volume_ml"], table["volume_ml"])


def test_a_muscle_the_confidence_does_not_know_stays_without(table: pd.DataFrame) -> None:
    confidence = pd.DataFrame({"muscle": ["semitendinosus"], "side": ["left"], "soft_dice": [0.9]})
    filled = add_confidence(table, confidence).set_index("muscle")
    assert np.isnan(filled.loc["semimembranosus", "soft_dice"])


def test_without_confidence_the_columns_are_there_and_empty(table: pd.DataFrame) -> None:
    assert table["expected_dice"].isna().all()
