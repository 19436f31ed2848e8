"""The harmonized features: golden values, orders, sides, and what must not change them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pipelines.errors import DataError
from pipelines.harmonization.harmonize import (
    PATIENT_FEATURES,
    Harmonization,
    HarmonizationOptions,
    fit_harmonization,
)
from pipelines.harmonization.scaling import (
    asymmetry,
    leave_one_out,
    mean_involvement,
    patient_ranks,
    side_mean,
)
from pipelines.harmonization.scores.native import to_native
from tests.pipelines.harmonization.score_data import native_of, table_of

# The reference implementation's values: a, b, c are sartorius, gracilis, soleus; grp is iliopsoas,
# merged from iliacus and psoas major; g2 is popliteus.
GOLDEN = {
    "p1": (
        "0-4",
        {
            "sartorius": (0, 2),
            "gracilis": (4, 4),
            "soleus": (1, 1),
            "iliacus": (2, 2),
            "psoas_major": (4, 0),
            "popliteus": (3, 3),
        },
    ),
    "p2": ("FF", {"sartorius": 10, "gracilis": 50, "iliopsoas": 40, "popliteus": 25}),
    "p3": ("1-4", {"sartorius": (1, None), "gracilis": (4, None), "soleus": (2.5, None)}),
    "p4": ("0-5", {"sartorius": (5, 5)}),
    "p5": ("2a2b", {"sartorius": (2, 2), "gracilis": (4, 3)}),
}
COLUMNS = ["sartorius", "gracilis", "soleus", "iliopsoas", "popliteus"]
NAN = np.nan
BEFORE = [
    [25, 100, 25, 50, 75],
    [10, 50, NAN, 40, 25],
    [0, 100, 50, NAN, NAN],
    [100, NAN, NAN, NAN, NAN],
    [50, 87.5, NAN, NAN, NAN],
]
AFTER = [
    [-37.5, 56.25, -37.5, -6.25, 25],
    [-85 / 3, 25, NAN, 35 / 3, -25 / 3],
    [-75, 75, 0, NAN, NAN],
    [NAN] * 5,
    [-37.5, 37.5, NAN, NAN, NAN],
]
MEAN = [55, 31.25, 50, 100, 68.75]
ASYMMETRY = [(20, np.sqrt(600)), (NAN, NAN), (NAN, NAN), (0, 0), (12.5, 12.5)]

scores_0_100 = npst.arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 9)),
    elements=st.one_of(st.just(NAN), st.floats(0, 100)),
)


def features(native, options=None, **transform):
    harmonization = fit_harmonization(native, options)
    return pd.DataFrame(
        harmonization.transform(native, **transform), columns=harmonization.feature_names
    )


def test_golden_values_of_the_published_code() -> None:
    native = to_native(table_of(GOLDEN))
    absolute = features(native, HarmonizationOptions(relative=False))
    relative = features(native)
    np.testing.assert_allclose(absolute[COLUMNS], BEFORE, rtol=0, atol=1e-9)
    np.testing.assert_allclose(relative[COLUMNS], AFTER, rtol=0, atol=1e-9)
    for table in (absolute, relative):
        np.testing.assert_allclose(table["mean_involvement"], MEAN, rtol=0, atol=1e-9)
        found = table[["asymmetry_mean", "asymmetry_sd"]]
        np.testing.assert_allclose(found, ASYMMETRY, rtol=0, atol=1e-9)
    assert relative.drop(columns=[*COLUMNS, *PATIENT_FEATURES]).isna().all(axis=None)


def test_the_papers_order_takes_asymmetry_of_raw_grades() -> None:
    native = to_native(table_of(GOLDEN))
    raw = features(native, HarmonizationOptions(order="sides_first"))
    np.testing.assert_allclose(raw[COLUMNS], AFTER, rtol=0, atol=1e-9)
    # One grade of 0-4 is 25 percent, so differences are 1/25 of the scaled ones.
    np.testing.assert_allclose(raw["asymmetry_mean"], [0.8, NAN, NAN, 0, 0.5], atol=1e-12)


def test_age_and_sex_are_coded_and_may_be_missing() -> None:
    people = pd.DataFrame(
        {"participant": ["p1", "p2", "p3"], "sex": ["M", "F", None], "age": [30, 41.5, np.nan]}
    )
    found = features(to_native(table_of(GOLDEN).with_people(people)))
    np.testing.assert_array_equal(found["sex"], [0, 1, NAN, NAN, NAN])
    np.testing.assert_array_equal(found["age"], [30, 41.5, NAN, NAN, NAN])


def test_thirty_three_muscles_and_five_features_of_the_patient() -> None:
    names = fit_harmonization(to_native(table_of(GOLDEN))).feature_names
    assert len(names) == 38
    assert names[33:] == ("mean_involvement", "asymmetry_mean", "asymmetry_sd", "age", "sex")


@settings(max_examples=60, deadline=None)
@given(scores_0_100)
def test_relative_scores_sum_to_zero_and_follow_the_identity(values) -> None:
    found = leave_one_out(values)
    n = (~np.isnan(values)).sum(axis=1, keepdims=True)
    several = (n > 1).ravel()
    assert np.isnan(found[~several]).all()
    np.testing.assert_allclose(np.nansum(found[several], axis=1), 0, atol=1e-9)
    assert (np.abs(found[~np.isnan(found)]) <= 100 + 1e-9).all()
    mean = mean_involvement(values)[:, None]
    expected = (n / np.maximum(n - 1, 1) * (values - mean))[several]
    np.testing.assert_allclose(found[several], expected, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(scores_0_100, st.floats(-20, 20))
def test_relative_scores_do_not_know_the_stage(values, shift) -> None:
    np.testing.assert_allclose(leave_one_out(values + shift), leave_one_out(values), atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(npst.arrays(np.float64, (4, 6), elements=st.sampled_from([0, 1, 2, 3, NAN])))
def test_the_same_grades_on_a_scale_that_starts_elsewhere_are_the_same_features(grades) -> None:
    grades[0] = [0, 3, 1, 2, 0, 3]
    from_zero = features(native_of(grades, ["0-3"] * 4))
    from_one = features(native_of(grades + 1, ["1-4"] * 4))
    np.testing.assert_allclose(from_zero, from_one, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(npst.arrays(np.float64, (3, 5, 3), elements=st.one_of(st.just(NAN), st.floats(0, 100))))
def test_swapping_the_sides_changes_nothing(values) -> None:
    values[0, 0] = [1, 2, NAN]
    swapped = values[..., [1, 0, 2]]
    np.testing.assert_allclose(side_mean(values), side_mean(swapped))
    np.testing.assert_allclose(asymmetry(values), asymmetry(swapped))


def test_a_mean_that_was_given_wins_over_the_sides() -> None:
    assert side_mean(np.array([[[0.0, 4.0, 3.0], [0.0, 4.0, NAN], [NAN, 4.0, NAN]]])).tolist() == [
        [3.0, 2.0, 4.0]
    ]


@settings(max_examples=40, deadline=None)
@given(scores_0_100, st.integers(0, 100))
def test_ranks_are_evenly_spaced_and_keep_the_order(values, seed) -> None:
    ranks = patient_ranks(values, np.random.default_rng(seed).random(values.shape))
    for row, ranked in zip(values, ranks, strict=True):
        scored = ~np.isnan(row)
        assert (np.isnan(ranked) == ~scored).all()
        n = int(scored.sum())
        expected = np.linspace(-100, 100, n) if n > 1 else np.zeros(n)
        np.testing.assert_allclose(np.sort(ranked[scored]), expected, atol=1e-9)
        in_order = row[scored][np.argsort(ranked[scored])]
        assert (np.diff(in_order) >= 0).all()


def test_ranks_and_their_draws() -> None:
    native = native_of(np.array([[0, 0, 0, 0, 0, 4.0]]), ["0-4"])
    harmonization = fit_harmonization(native, HarmonizationOptions(method="ranks", draws=5))
    assert harmonization.draws == 5
    drawn = [harmonization.transform(native, draw=i)[0, :6] for i in range(5)]
    assert all(d[5] == 100 for d in drawn)
    assert len({tuple(d) for d in drawn}) > 1  # ties fall differently
    assert fit_harmonization(native).draws == 1


def test_only_the_given_rows_decide_what_is_kept() -> None:
    values = np.array([[1.0, NAN], [1.0, NAN], [1.0, 2.0], [1.0, 2.0]])
    native = native_of(values, ["0-4"] * 4)
    options = HarmonizationOptions(coverage=0.6)
    assert fit_harmonization(native, options, [2, 3]).muscles == native.muscles
    assert fit_harmonization(native, options, [0, 1, 2]).muscles == native.muscles[:1]
    # The mean is one of kept muscles, or it would tell of the others.
    kept = fit_harmonization(native, options, [0, 1, 2]).transform(native)
    np.testing.assert_array_equal(kept[:, 1], [25, 25, 25, 25])


def test_a_harmonization_survives_json() -> None:
    import json

    edges = {"0-4": (0.0, 8.0, 25.0, 50.0, 75.0, 100.0)}
    native = native_of(np.array([[0, 1, 2, 3.0]]), ["0-4"])
    for options in (
        HarmonizationOptions(),
        HarmonizationOptions(method="dither", thresholds=edges, seed=3, order="sides_first"),
    ):
        fitted = fit_harmonization(native, options)
        again = Harmonization.from_dict(json.loads(json.dumps(fitted.as_dict())))
        assert again == fitted
        np.testing.assert_array_equal(again.transform(native), fitted.transform(native))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "guess"}, "Harmonization method 'guess' is unknown."),
        ({"order": "both"}, "Harmonization order 'both' is unknown."),
        ({"coverage": 80.0}, "Coverage 80.0 is not between 0 and 1."),
        ({"draws": 0}, "Number of draws 0 is below 1."),
    ],
)
def test_wrong_options_are_named(options, message) -> None:
    with pytest.raises(DataError) as error:
        HarmonizationOptions(**options)
    assert error.value.message == message


def test_coverage_that_no_muscle_reaches() -> None:
    native = native_of(np.array([[1.0, NAN], [NAN, 1.0], [NAN, 1.0]]), ["0-4"] * 3)
    with pytest.raises(DataError, match="No muscle is scored in 90% of the samples; the most"):
        fit_harmonization(native, HarmonizationOptions(coverage=0.9))


def test_a_table_without_the_muscles_of_the_model_is_refused() -> None:
    native = native_of(np.ones((1, 3)), ["0-4"])
    fitted = fit_harmonization(native)
    with pytest.raises(DataError, match="have no column for gluteus_minimus"):
        fitted.transform(native_of(np.ones((1, 2)), ["0-4"]))


@pytest.mark.parametrize(("scale", "score"), [("0-4", 7.0), ("1-4", 0.0), ("FF", 140.0)])
def test_a_score_outside_its_scale_is_refused(scale, score) -> None:
    native = native_of(np.array([[score]]), [scale])
    with pytest.raises(DataError, match=f"Score {score:g} lies outside scale {scale}"):
        fit_harmonization(native).transform(native)


def test_fat_fractions_that_noise_put_outside_the_scale_are_used_as_they_are() -> None:
    native = native_of(np.array([[101.0, 50.0, -1.0]]), ["FF"])
    features = fit_harmonization(native).transform(native)[0]
    assert features[:4] == pytest.approx([101 - 24.5, 0.0, -1 - 75.5, 50.0])


def test_an_unknown_scale_is_refused() -> None:
    native = native_of(np.ones((1, 1)), ["0-9"])
    with pytest.raises(DataError, match="Unknown scale '0-9'"):
        fit_harmonization(native).transform(native)
