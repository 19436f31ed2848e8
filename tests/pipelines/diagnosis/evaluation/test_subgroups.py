import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from pipelines.diagnosis.evaluation.intervals import resamples
from pipelines.diagnosis.evaluation.subgroups import subgroup_levels, subgroup_table
from tests.pipelines.diagnosis.predicted_cohort import cohort


def test_bands_begin_at_their_edges():
    samples = pd.DataFrame(
        {
            "age": [0, 17.99, 18, 39.9, 40, 59.9, 60, np.nan],
            "mean_involvement": [0, 9.9, 10, 24.9, 25, 49.9, 50, np.nan],
        }
    )
    levels = subgroup_levels(samples)
    assert list(levels["age_band"]) == [
        *("<18", "<18", "18-39", "18-39", "40-59", "40-59", "60+", "unknown")
    ]
    assert list(levels["mean_involvement_band"]) == [
        *("<10", "<10", "10-24", "10-24", "25-49", "25-49", "50+", "unknown")
    ]


def test_only_columns_of_the_table_make_subgroups():
    levels = subgroup_levels(pd.DataFrame({"sex": ["M", None, "F"]}))
    assert list(levels) == ["sex"]
    assert list(levels["sex"]) == ["M", "unknown", "F"]


def test_figures_are_those_of_the_subset():
    made = cohort(visits=2)
    predictions = made.predictions
    table = subgroup_table(predictions, made.samples, resamples(predictions, 100))
    table = table.set_index(["variable", "level", "measure"])
    inside = (made.samples["scale"] == "FF").to_numpy()
    row = table.loc[("scale", "FF", "balanced_accuracy")]
    assert row["value"] == pytest.approx(
        balanced_accuracy_score(made.y[inside], predictions.predicted[inside])
    )
    assert row["lower"] < row["value"] < row["upper"]
    assert row["n_samples"] == inside.sum() == 2 * row["n_patients"]
    assert row["n_smallest_class"] == np.bincount(made.y[inside]).min()
    levels = table.index.to_frame()[["variable", "level"]].drop_duplicates()
    assert list(levels[levels["variable"] == "age_band"]["level"]) == [
        "<18",
        "18-39",
        "40-59",
        "60+",
    ]
    assert list(levels[levels["variable"] == "sex"]["level"]) == ["F", "M", "unknown"]
    sizes = table.xs("accuracy", level="measure").groupby("variable")["n_samples"].sum()
    assert (sizes == predictions.n).all()


def test_means_are_over_the_classes_of_the_subgroup():
    made = cohort()
    samples = pd.DataFrame({"study": np.where(made.y == 0, "one", "other")})
    table = subgroup_table(made.predictions, samples, resamples(made.predictions, 20))
    one = table[(table["level"] == "one") & (table["measure"] == "balanced_accuracy")].iloc[0]
    assert (one["n_classes"], one["n_smallest_class"]) == (1, 120)
    assert one["value"] == pytest.approx((made.predictions.predicted[made.y == 0] == 0).mean())


def test_no_columns_no_rows():
    made = cohort()
    table = subgroup_table(
        made.predictions, made.samples[["patient"]], resamples(made.predictions, 5)
    )
    assert table.empty
    assert list(table.columns[:3]) == ["variable", "level", "measure"]
