from dataclasses import replace

import numpy as np
import pytest

from pipelines.diagnosis.application.apply import ApplyOptions, apply_model
from pipelines.diagnosis.application.tables import (
    EXPLANATION_COLUMNS,
    RESULT_COLUMNS,
    SAMPLE_COLUMNS,
)
from pipelines.diagnosis.ensemble.average import softmax
from pipelines.errors import ModelError
from pipelines.harmonization.scores.native import NativeScores
from tests.pipelines.diagnosis.small_cohorts import MUSCLES
from tests.pipelines.diagnosis.stored_models import trained_model


@pytest.fixture(scope="module")
def model():
    return trained_model()[0]


@pytest.fixture(scope="module")
def native():
    return trained_model()[1].subset(np.arange(0, 70, 7))


@pytest.fixture(scope="module")
def applied(model, native):
    return apply_model(
        model, native, ApplyOptions(top_classes=None, top_features=None, advise_at_most=1)
    )


def with_values(native, change):
    values = native.values.copy()
    change(values)
    return NativeScores(native.samples, native.muscles, values)


def test_ranking_is_that_of_the_ensemble(model, native, applied):
    margins = model.ensemble.predict(native)
    expected = model.ensemble.probabilities(margins)
    spread = softmax(margins / np.float32(model.ensemble.temperature)).std(axis=0)
    table = applied.results
    assert tuple(table.columns) == RESULT_COLUMNS
    assert len(table) == 10 * 3
    for i, sample in enumerate(native.samples.index):
        rows = table[table["sample"] == sample]
        assert rows["rank"].tolist() == [1, 2, 3]
        assert rows["probability"].is_monotonic_decreasing
        assert rows["probability"].sum() == pytest.approx(1, abs=1e-6)
        columns = [model.classes.index(name) for name in rows["diagnosis"]]
        np.testing.assert_allclose(rows["probability"], expected[i, columns], atol=1e-5)
        np.testing.assert_allclose(rows["spread"], spread[i, columns], atol=1e-5)
    assert set(table.loc[table["diagnosis"] == "A", "long_name"]) == {"Disease of A"}
    assert set(table.loc[table["diagnosis"] == "B", "long_name"]) == {"B"}
    assert table["participant"].tolist()[:3] == [native.samples["participant"].iloc[0]] * 3


def test_patients_are_recognized(native, applied):
    best = applied.results[applied.results["rank"] == 1]["diagnosis"]
    assert (best.to_numpy() == native.samples["diagnosis"].to_numpy()).mean() > 0.6


def test_conformal_sets(model, native, applied):
    raw = model.ensemble.predict(native).mean(axis=0)
    p_values = model.conformal.p_values(raw)
    table = applied.results
    for i, sample in enumerate(native.samples.index):
        rows = table[table["sample"] == sample].set_index("diagnosis")
        np.testing.assert_allclose(rows.loc[list("ABC"), "p_value"], p_values[i], atol=1e-3)
        held = rows.index[rows["in_set"].astype(bool)]
        row = applied.samples.iloc[i]
        assert set(row["conformal_set"].split(", ")) == set(held)
        assert (rows["p_value"] > model.conformal.alpha).equals(rows["in_set"].astype(bool))


def test_explanation_adds_up_and_is_complete(model, native, applied):
    table = applied.explanation
    assert tuple(table.columns) == EXPLANATION_COLUMNS
    assert len(table) == 10 * 3 * len(model.ensemble.feature_names)
    groups = table.groupby(["sample", "diagnosis"])
    sums = groups["shap"].sum() + groups["base"].first()
    np.testing.assert_allclose(sums, groups["margin"].first(), atol=1e-5)
    features = model.ensemble.harmonization.transform(native)
    one = table[(table["sample"] == native.samples.index[2]) & (table["rank"] == 1)]
    assert set(one["feature"]) == set(model.ensemble.feature_names)
    assert (one["shap"].abs().diff().dropna() <= 0).all()
    stored = one.set_index("feature").loc[list(model.ensemble.feature_names)]
    np.testing.assert_array_equal(stored["value"], features[2])
    np.testing.assert_array_equal(stored["imputed"], np.isnan(features[2]))


def test_fewer_classes_and_features(model, native, applied):
    part = apply_model(model, native, ApplyOptions(top_classes=2, top_features=4)).explanation
    assert len(part) == 10 * 2 * 4
    whole = applied.explanation
    chosen = whole[(whole["rank"] <= 2) & (whole["order"] <= 4)].reset_index(drop=True)
    assert part.equals(chosen)
    none = apply_model(model, native, ApplyOptions(explain=False))
    assert none.explanation.empty
    assert tuple(none.explanation.columns) == EXPLANATION_COLUMNS
    assert none.results.equals(applied.results)


def test_each_sample_is_answered_alone(model, native, applied):
    one = apply_model(model, native.subset([4]))
    rows = applied.results[applied.results["sample"] == native.samples.index[4]]
    np.testing.assert_allclose(one.results["probability"], rows["probability"], atol=1e-6)


def test_partial_scan_is_answered_and_advised(model, native):
    def remove(values):
        values[0, [1, 2, 4]] = np.nan

    table = apply_model(model, with_values(native.subset([1]), remove)).samples
    row = table.iloc[0]
    assert tuple(table.columns) == SAMPLE_COLUMNS
    assert (row["status"], row["partial"]) == ("answered", True)
    missing = row["missing"].split(", ")
    assert {"muscle_1", "muscle_2", "muscle_4"} <= set(missing)
    assert row["coverage"] == pytest.approx(1 - len(missing) / 8)
    usual = np.median((~np.isnan(model.muscle_reference)).sum(axis=1))
    assert row["message"].startswith(
        f"Partial scan: {8 - len(missing)} of 8 muscles are scored, training patients have "
        f"{usual:.0f} (median)"
    )
    assert row["helpful"] is None or set(row["helpful"].split(", ")) <= set(missing)
    assert ("lower the uncertainty most" in row["message"]) == (row["helpful"] is not None)


def test_a_scan_with_as_many_muscles_as_training_had_is_not_partial(model, native):
    """Of eight muscles training patients had five: a scan of five is an ordinary one."""

    def remove(values):
        values[:, :5, 0] = 2
        values[:, 5:] = np.nan

    reference = model.muscle_reference.copy()
    reference[:, 5:] = np.nan
    table = apply_model(
        replace(model, muscle_reference=reference), with_values(native.subset([1]), remove)
    ).samples
    assert not table["partial"].iloc[0]
    assert apply_model(model, with_values(native.subset([1]), remove)).samples["partial"].iloc[0]


def test_a_muscle_that_decides_is_named(model, native):
    """Disease A has its fat in muscles 0, 3 and 6: without them it cannot be told."""

    def remove(values):
        values[:, [0, 3, 6]] = np.nan
        values[:, [1, 2, 4, 5, 7], :2] = 1
        values[:, [1, 2, 4, 5, 7], 2] = np.nan

    row = apply_model(model, with_values(native.subset([0]), remove)).samples.iloc[0]
    assert set(row["helpful"].split(", ")) <= {"muscle_0", "muscle_3", "muscle_6"}


def test_one_sided_scan_is_no_partial_scan(model, native):
    def one_leg(values):
        values[:, :, 0] = np.where(np.isnan(values[:, :, 0]), 1.0, values[:, :, 0])
        values[:, :, 1] = np.nan

    table = apply_model(model, with_values(native, one_leg)).samples
    assert not table["partial"].any()
    assert (table["status"] == "answered").all()


def test_too_few_muscles_refuse_the_sample_not_the_run(model, native):
    def remove(values):
        values[0] = np.nan
        values[1, 1:] = np.nan
        values[1, 0, 0] = 2

    applied = apply_model(model, with_values(native, remove))
    first, second, third = (applied.samples.iloc[i] for i in range(3))
    assert (first["status"], first["reason"]) == ("refused", "no muscle of the model is scored")
    assert second["reason"] == "only 1 of 8 muscles of the model are scored; at least 2 are needed"
    assert second["message"] == f"Not answered: {second['reason']}."
    assert (third["status"], third["reason"]) == ("answered", None)
    assert set(applied.results["sample"]) == set(native.samples.index[2:])
    assert applied.samples["sample"].tolist() == native.samples.index.tolist()
    all_refused = apply_model(model, with_values(native, lambda v: v.fill(np.nan)))
    assert (all_refused.samples["status"] == "refused").all()
    assert all_refused.results.empty
    assert tuple(all_refused.results.columns) == RESULT_COLUMNS


def test_scale_without_thresholds_refuses_the_sample():
    model, native = trained_model("dither")
    some = native.subset([0, 1])
    some = NativeScores(
        some.samples.assign(scale=["0-4", "1-4"]), some.muscles, some.values.clip(1)
    )
    table = apply_model(model, some).samples
    assert table["status"].tolist() == ["answered", "refused"]
    assert table["reason"].iloc[1] == (
        "the model was trained without scale 1-4 and knows no thresholds of it"
    )


def test_flags(model, native):
    def healthy(values):
        values[0, :, :2] = 0

    applied = apply_model(model, with_values(native, healthy))
    assert applied.samples["near_normal"].iloc[0] is True
    assert "Little fat in the muscles scored" in applied.samples["message"].iloc[0]
    assert applied.samples["typicality"].between(0, 100).all()
    strange = replace(model, novelty=replace(model.novelty, false_positive_rate=0.999))
    flagged = apply_model(strange, native).samples
    assert flagged["unlike_training"].sum() > 5
    assert flagged["message"].str.contains("Unlike the patients the model was trained on").sum() > 5


def test_simulated_models_say_so_on_every_sample(model, native):
    messages = apply_model(model, native).samples["message"]
    assert messages.str.contains("trained on simulated patients: not for any real patient").all()
    real = apply_model(replace(model, origin="real"), native).samples["message"]
    assert not real.fillna("").str.contains("simulated").any()


def test_model_without_sets_and_novelty(model, native):
    applied = apply_model(replace(model, conformal=None, novelty=None), native)
    assert applied.results["p_value"].isna().all()
    assert applied.results["in_set"].isna().all()
    assert applied.samples["typicality"].isna().all()
    assert applied.samples["conformal_set"].isna().all()


def renamed(native, names):
    return NativeScores(native.samples, tuple(names), native.values)


def test_lacking_muscles_are_named(model, native):
    names = ["muscle_0", "other", *MUSCLES[2:]]
    with pytest.raises(ModelError) as raised:
        apply_model(model, renamed(native, names))
    assert raised.value.message == (
        "The scores have no column for 1 of the 8 muscles of model small: muscle_1. Columns the "
        "model does not know: other."
    )
    assert "filled with n/a" in raised.value.hint


def test_other_names_are_recognized(model, native):
    with pytest.raises(ModelError) as raised:
        apply_model(model, renamed(native, [f"{name}_total" for name in MUSCLES]))
    assert "none of the 8 muscles of model small" in raised.value.message
    assert "muscle_3_total for muscle_3" in raised.value.hint
    assert "--muscle-map" in raised.value.hint


def test_more_muscles_than_needed_change_nothing(model, native, applied):
    values = np.concatenate([native.values, native.values[:, :1]], axis=1)
    more = NativeScores(native.samples, (*MUSCLES, "tongue"), values)
    assert apply_model(model, more).results.equals(applied.results)
