import numpy as np
import pytest

from pipelines.diagnosis.explanation.importance import importance_table
from pipelines.errors import DataError


def test_order_and_direction():
    features = np.array([[0.0, 5, 1], [1, 5, np.nan], [2, 5, 3], [3, 5, 2]])
    values = np.zeros((4, 2, 3), np.float32)
    values[:, 0, 0] = [-1, 0, 1, 2]  # rises with the feature
    values[:, 0, 1] = [3, -3, 3, -3]  # the feature does not vary
    values[:, 1, 2] = [4, 100, 0, 2]  # falls where the feature is known
    table = importance_table(values, features, ("A", "B"), ("x", "y", "z"))
    first = table[table["diagnosis"] == "A"]
    assert first["feature"].tolist() == ["y", "x", "z"]
    assert first["importance"].tolist() == [3, 1, 0]
    assert first["rank"].tolist() == [1, 2, 3]
    assert first["direction"].iloc[1] == pytest.approx(1)
    assert first["direction"].isna().tolist() == [True, False, True]
    second = table[table["diagnosis"] == "B"].iloc[0]
    assert (second["feature"], second["importance"]) == ("z", 26.5)
    assert second["direction"] == pytest.approx(-1)


def test_shapes_are_checked():
    with pytest.raises(DataError, match=r"SHAP values have shape \(4, 2, 3\)"):
        importance_table(np.zeros((4, 2, 3), np.float32), np.zeros((4, 2)), "AB", "xyz")
    with pytest.raises(DataError, match="SHAP values have shape"):
        importance_table(np.zeros((0, 2, 3), np.float32), np.zeros((0, 3)), "AB", "xyz")
