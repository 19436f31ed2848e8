"""The audit finds planted leaks, and finds none where there is none."""

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.harmonization.audit import probes
from pipelines.harmonization.audit.findings import limits
from pipelines.harmonization.audit.leakage import AUDIT_COLUMNS, leakage_audit
from pipelines.harmonization.audit.probes import class_auc, lattice
from pipelines.harmonization.audit.stages import fill_gaps, hide_gaps, thin_muscles
from pipelines.harmonization.harmonize import HarmonizationOptions
from pipelines.harmonization.scaling import leave_one_out
from tests.pipelines.harmonization.score_data import native_of
from tests.pipelines.harmonization.test_dither import EDGES, grade

N, M = 240, 12


def cohort(rng, mask_by_study=False):
    """Simulate two diseases, each half read on 0-4 and half measured, in four studies."""
    disease = np.repeat([0, 1], N // 2)
    measured = np.tile([False, True], N // 2)
    pattern = rng.uniform(-25, 25, (2, M))
    stage = rng.uniform(15, 75, N)
    fat = np.clip(stage[:, None] + pattern[disease] + rng.normal(0, 12, (N, M)), 0, 100)
    values = np.where(measured[:, None], fat, grade(fat, "0-4"))
    if mask_by_study:
        values[np.ix_(measured, range(3))] = np.nan
        values[np.ix_(~measured, range(3, 6))] = np.nan
    scales = np.where(measured, "FF", "0-4").tolist()
    studies = [f"{d}{m}" for d, m in zip(disease, measured, strict=True)]
    return native_of(values, scales, [f"d{d}" for d in disease], studies)


@pytest.fixture(scope="module", autouse=True)
def _few_trees():
    """Planted leaks are plain enough for a small probe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probes, "TREES", 12)
        patch.setattr(probes, "FOLDS", 2)
        yield


@pytest.fixture(scope="module")
def complete():
    return leakage_audit(cohort(np.random.default_rng(0)))


@pytest.fixture(scope="module")
def masked():
    return leakage_audit(cohort(np.random.default_rng(0), mask_by_study=True))


def found(audit, target, stage, attacker="trees", within="disease"):
    rows = audit[
        (audit["target"] == target)
        & (audit["stage"] == stage)
        & (audit["attacker"] == attacker)
        & (audit["within"] == within)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


def test_relative_scores_keep_the_lattice_and_dither_hides_it(complete) -> None:
    row = found(complete, "scale", "relative", "lattice")
    assert row["auc"] > 0.98
    assert row["level"] == "warn"
    assert row["text"].startswith(
        "The number and the spacing of a patient's values tells the scale from relative scores "
        "within a disease (AUC "
    )
    assert "Harmonize with dither or ranks" in row["text"]
    for stage in ("dithered", "ranked"):
        row = found(complete, "scale", stage, "lattice")
        assert row["auc"] < 0.62
        assert row["level"] == "info"  # the model does not see it


def test_trees_tell_raw_scores_better_than_dithered_ones(complete) -> None:
    scaled, dithered = (found(complete, "scale", s)["auc"] for s in ("scaled", "dithered"))
    assert scaled > 0.8
    assert dithered < 0.65


def test_what_was_not_scored_tells_the_scale_even_after_imputation(masked) -> None:
    assert found(masked, "scale", "missingness")["auc"] == 1
    assert found(masked, "scale", "imputed")["auc"] > 0.65
    gaps = masked[masked["target"].str.startswith("missing:")]
    assert len(gaps) == 6
    assert (gaps["auc"] > 0.6).all()
    assert ((gaps["auc"] > 0.7) == (gaps["level"] == "warn")).all()
    worst = gaps.loc[gaps["auc"].idxmax()]
    muscle = worst["target"].partition(":")[2]
    assert f"tells whether {muscle} was scored from imputed features" in worst["text"]


def test_the_diagnosis_is_not_told_where_the_mask_does_not_depend_on_it(masked) -> None:
    row = found(masked, "diagnosis", "missingness", within="all")
    assert row["auc"] == pytest.approx(0.5, abs=0.1)
    assert row["level"] == "pass"


def test_the_diagnosis_is_told_by_a_mask_that_depends_on_it() -> None:
    native = cohort(np.random.default_rng(3))
    values = native.values.copy()
    values[: N // 2, :4] = np.nan
    leaky = type(native)(native.samples, native.muscles, values)
    row = found(leakage_audit(leaky), "diagnosis", "missingness", within="all")
    assert row["auc"] == 1
    assert row["level"] == "warn"
    assert "never let the classifier see missing values" in row["text"]


def test_one_diagnosis_that_gaps_tell_is_named_though_the_average_is_fine() -> None:
    native = cohort(np.random.default_rng(5))
    names = np.array([f"d{i % 8}" for i in range(N)], dtype=object)
    values = native.values.copy()
    rng = np.random.default_rng(1)
    values[rng.random(values.shape[:2]) < 0.1] = np.nan
    values[np.ix_(np.flatnonzero(names == "d3"), range(4))] = np.nan
    audit = leakage_audit(type(native)(native.samples, native.muscles, values), labels=names)
    assert len(audit[audit["target"].str.startswith("diagnosis:")]) == 8
    row = found(audit, "diagnosis:d3", "missingness", within="all")
    assert row["auc"] > 0.95
    assert row["level"] == "warn"
    assert "tells the diagnosis d3 from what is missing alone" in row["text"]
    others = audit[audit["target"].isin([f"diagnosis:d{i}" for i in (0, 1, 2, 4, 5, 6, 7)])]
    # That a patient is not of d3 is told too.
    assert (others["auc"] < 0.75).all()
    assert "pass" in set(others["level"])
    average = found(audit, "diagnosis", "missingness", within="all")
    assert average["auc"] == pytest.approx(np.mean([row["auc"], *others["auc"]]))


def test_nothing_is_missing_nothing_to_find(complete) -> None:
    row = found(complete, "missing", "imputed", within="all")
    assert row["level"] == "skipped"
    assert row["text"] == "Not measured: no muscle is missing in some samples only."


def test_rows_are_complete_and_repeatable(complete) -> None:
    assert complete.columns.tolist() == list(AUDIT_COLUMNS)
    assert set(complete["level"]) <= {"pass", "warn", "info", "skipped"}
    measured = complete[complete["level"] != "skipped"]
    assert (measured["lower"] <= measured["auc"]).all()
    assert (measured["auc"] <= measured["upper"]).all()
    again = leakage_audit(cohort(np.random.default_rng(0)))
    pd.testing.assert_frame_equal(again, complete)


def test_one_scale_without_diagnoses() -> None:
    rng = np.random.default_rng(5)
    native = native_of(rng.integers(0, 5, (60, 8)).astype(float), ["0-4"] * 60)
    audit = leakage_audit(native)
    row = found(audit, "scale", "relative", within="all")
    assert row["level"] == "skipped"
    assert row["text"] == "Not measured: there are no two of a kind to compare."
    dithered = audit[audit["stage"] == "dithered"]
    assert dithered["text"].str.startswith("Not measured: Thresholds of scale 0-4 cannot").all()


def test_the_method_of_the_model_is_judged() -> None:
    options = HarmonizationOptions(method="dither", thresholds=EDGES)
    audit = leakage_audit(cohort(np.random.default_rng(0)), options)
    assert found(audit, "scale", "dithered", "lattice")["level"] == "pass"
    assert found(audit, "scale", "relative", "lattice")["level"] == "info"


def test_a_handful_of_samples_is_refused() -> None:
    with pytest.raises(DataError, match="5 samples are too few for a leakage audit"):
        leakage_audit(native_of(np.ones((5, 3)), ["0-4"] * 5))


def test_limits_are_those_of_the_table() -> None:
    assert {kind: limit.value for kind, limit in limits().items()} == {
        ("scale", "trees"): 0.6,
        ("scale", "lattice"): 0.6,
        ("study", "trees"): 0.6,
        ("missing", "trees"): 0.7,
        ("diagnosis", "trees"): 0.6,
    }


def test_area_under_the_curve_against_counting_pairs() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 90)
    scores = np.round(rng.random((90, 3)) + np.eye(3)[classes] * 0.4, 1)  # with ties
    auc = class_auc(classes, scores, np.arange(90), 0)
    expected = [roc_auc_score(classes == k, scores[:, k]) for k in range(3)]
    assert auc.value == pytest.approx(np.mean(expected), abs=1e-12)
    assert auc.lower < auc.value < auc.upper
    assert auc.n == 90


def test_within_strata_a_difference_between_strata_counts_nothing() -> None:
    strata = np.repeat([0, 1], 50)
    classes = np.r_[np.repeat([0, 1], [40, 10]), np.repeat([0, 1], [10, 40])]
    scores = np.column_stack([-strata, strata]).astype(float)  # knows the stratum only
    assert class_auc(classes, scores, np.arange(100), 0).value == pytest.approx(0.8)
    assert class_auc(classes, scores, np.arange(100), 0, strata).value == 0.5
    assert class_auc(np.zeros(9, int), np.ones((9, 1)), np.arange(9), 0) is None


def test_the_lattice_of_relative_grades() -> None:
    values = leave_one_out(np.array([[0, 25, 25, 100.0, np.nan], [1, 2.5, 4, 7, np.nan]]))
    np.testing.assert_allclose(lattice(values), [[3, 25 * 4 / 3], [4, 1.5 * 4 / 3]])
    assert lattice(np.zeros((1, 3))).tolist() == [[1, 200]]


def test_thinned_samples_have_equally_many_muscles() -> None:
    rng = np.random.default_rng(0)
    values = np.where(rng.random((50, 20)) < 0.5, 1.0, np.nan)
    thinned, enough = thin_muscles(native_of(values, ["0-4"] * 50), 0)
    counts = (~np.isnan(thinned.values)).any(axis=2).sum(axis=1)
    assert len(set(counts.tolist())) == 1
    assert counts[0] >= 5
    assert enough.sum() == len(counts) >= 40


def test_hidden_gaps_hold_values_of_the_same_disease() -> None:
    values = np.array([[1.0, np.nan], [np.nan, np.nan], [5, np.nan], [np.nan, 3]])
    filled = hide_gaps(values, np.array([0, 0, 1, 1]), 0)
    np.testing.assert_array_equal(filled, [[1, 3], [1, 3], [5, 3], [5, 3]])


def test_imputed_values_come_from_the_nearest_samples() -> None:
    values = np.vstack([np.tile([0.0, 10, 1], (6, 1)), np.tile([100.0, 90, 5], (6, 1))])
    values[0, 1] = values[11, 2] = np.nan
    filled = fill_gaps(values)
    assert filled[0, 1] == pytest.approx(10)
    assert filled[11, 2] == pytest.approx(5)
    assert fill_gaps(np.full((3, 1), np.nan)).tolist() == [[0], [0], [0]]
