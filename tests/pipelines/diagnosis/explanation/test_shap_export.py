"""Our values as the shap package takes them."""

import numpy as np

from pipelines.diagnosis.explanation.shap_export import to_shap
from pipelines.diagnosis.explanation.values import Explanation

CLASSES = ("ANO5", "CAPN3", "DYSF")


def test_one_patient_and_one_diagnosis_can_be_drawn() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 3, 5)).astype(np.float32)
    base = np.array([0.1, -0.2, 0.5])
    features = rng.normal(size=(4, 5))
    ours = Explanation(values, base, np.zeros((1, 4, 3), np.float32))
    names = [f"muscle_{i}" for i in range(5)]
    one = to_shap(ours, features, names, CLASSES)[2, :, CLASSES.index("DYSF")]
    np.testing.assert_allclose(one.values, values[2, 2], rtol=1e-6)
    np.testing.assert_allclose(one.base_values, 0.5)
    np.testing.assert_allclose(one.data, features[2])
    assert list(one.feature_names) == names


def test_shap_draws_it() -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    import shap

    ours = Explanation(np.ones((1, 3, 2), np.float32), np.zeros(3), np.zeros((1, 1, 3), np.float32))
    axes = shap.plots.waterfall(
        to_shap(ours, np.zeros((1, 2)), ["age", "soleus"], CLASSES)[0, :, 0], show=False
    )
    texts = " ".join(t.get_text() for t in axes.get_yticklabels())
    assert "soleus" in texts
    plt.close("all")
