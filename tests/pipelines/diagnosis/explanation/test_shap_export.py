"""Our values as the shap package takes them."""

import numpy as np
import pandas as pd
import pytest

from pipelines.diagnosis.application.apply import ApplyOptions, apply_model
from pipelines.diagnosis.explanation.shap_export import (
    OTHER_FEATURES,
    listed_explanation,
    shap_explanations,
)
from pipelines.diagnosis.explanation.values import explain_native
from pipelines.errors import DataError
from tests.pipelines.diagnosis.stored_models import trained_model


def test_every_diagnosis_has_what_the_ensemble_says() -> None:
    model, cohort = trained_model()
    native = cohort.subset(np.arange(4))
    found = shap_explanations(model.ensemble, native)
    ours = explain_native(model.ensemble, native)
    assert tuple(found) == model.classes
    for k, explanation in enumerate(found.values()):
        np.testing.assert_array_equal(explanation.values, ours.values[:, k])
        np.testing.assert_array_equal(explanation.base_values, np.full(4, ours.base[k]))
        np.testing.assert_array_equal(
            explanation.data, model.ensemble.harmonization.transform(native)
        )
        assert tuple(explanation.feature_names) == model.ensemble.feature_names
    one = found["B"][2]
    assert one.base_values + one.values.sum() == pytest.approx(
        ours.member_margins[:, 2, 1].mean(), abs=1e-5
    )


def test_the_table_is_read_back() -> None:
    table = pd.DataFrame(
        {
            "sample": ["s/2", "s/2", "s/1", "s/1", "s/1"],
            "diagnosis": ["DMD", "DMD", "DMD", "DMD", "DYSF"],
            "feature": ["soleus", "age", "gracilis", "soleus", "age"],
            "value": [np.nan, 40.0, -1.5, 2.0, 30.0],
            "shap": [-0.5, 0.25, 0.75, 0.125, 9.0],
            "base": [0.5, 0.5, 0.5, 0.5, 0.0],
            "margin": [0.375, 0.375, 1.0, 1.0, 9.0],
        }
    )
    found = listed_explanation(table, "DMD")
    assert found.feature_names == ["gracilis", "soleus", "age", OTHER_FEATURES]
    np.testing.assert_array_equal(found.values, [[0, -0.5, 0.25, 0.125], [0.75, 0.125, 0, -0.375]])
    np.testing.assert_array_equal(
        found.data, [[np.nan, np.nan, 40, np.nan], [-1.5, 2, np.nan, np.nan]]
    )
    np.testing.assert_array_equal(found.base_values + found.values.sum(axis=1), [0.375, 1.0])
    with pytest.raises(DataError, match="explains no answer GAA"):
        listed_explanation(table, "GAA")


def test_a_complete_table_holds_the_same_as_the_ensemble() -> None:
    model, cohort = trained_model()
    native = cohort.subset(np.arange(0, 70, 7))
    options = ApplyOptions(top_classes=None, top_features=None, advise_at_most=0)
    table = apply_model(model, native, options).explanation
    found = listed_explanation(table, "C")
    direct = shap_explanations(model.ensemble, native)["C"]
    columns = [direct.feature_names.index(name) for name in found.feature_names[:-1]]
    np.testing.assert_array_equal(found.values[:, :-1], direct.values[:, columns])
    np.testing.assert_array_equal(found.data[:, :-1], direct.data[:, columns])
    np.testing.assert_allclose(found.values[:, -1], 0, atol=1e-5)
