"""Grades become fat fractions: thresholds that are read or estimated, and seeded dither."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import DataError
from pipelines.harmonization.dither import ROUNDING, dither, random_numbers
from pipelines.harmonization.harmonize import HarmonizationOptions, fit_harmonization
from pipelines.harmonization.threshold_estimation import estimate_thresholds
from pipelines.harmonization.thresholds import check_thresholds, read_thresholds
from pipelines.text_table import read_text_table
from tests.pipelines.harmonization.score_data import native_of

EDGES = {"0-4": (0.0, 8.0, 25.0, 50.0, 75.0, 100.0), "1-4": (0.0, 12.0, 35.0, 65.0, 100.0)}


def grade(fat, scale, edges=EDGES):
    """Read fat fractions as a reader with these thresholds does."""
    lowest = 1 if scale == "1-4" else 0
    return np.digitize(fat, edges[scale][1:-1]) + float(lowest)


def names(*scales):
    return np.array(scales, dtype=object)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 4), st.floats(0, 1, exclude_max=True))
def test_a_grade_stays_in_its_bin(score, number) -> None:
    value = dither(np.array([[float(score)]]), names("0-4"), EDGES, np.array([[number]]))[0, 0]
    assert EDGES["0-4"][score] <= value <= EDGES["0-4"][score + 1]
    assert number >= 0.999 or grade(value, "0-4") == score


def test_the_bin_of_a_mean_of_grades_lies_between() -> None:
    ends = dither(np.full((1, 2), 1.5), names("0-4"), EDGES, np.array([[0.0, 1.0]]))
    np.testing.assert_allclose(ends, [[(8 + 25) / 2, (25 + 50) / 2]])


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 100), st.floats(0, 1, exclude_max=True))
def test_measured_values_move_by_less_than_their_rounding(fat, number) -> None:
    value = dither(np.array([[fat]]), names("FF"), {}, np.array([[number]]))[0, 0]
    assert 0 <= value <= 100
    assert abs(value - fat) <= ROUNDING / 2 + 1e-9


def test_missing_scores_stay_missing() -> None:
    value = dither(np.array([[np.nan]]), names("0-4"), EDGES, np.zeros((1, 1)))
    assert np.isnan(value).all()


def test_numbers_are_uniform_and_depend_on_seed_and_draw() -> None:
    index = native_of(np.zeros((500, 1)), ["FF"] * 500).samples.index
    muscles = tuple(f"m{i}" for i in range(20))
    first = random_numbers(index, muscles, 3, 0, 0)
    assert first.shape == (500, 20, 3)
    np.testing.assert_allclose(np.quantile(first, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.01)
    assert first.std() == pytest.approx(np.sqrt(1 / 12), rel=0.01)
    for other in (random_numbers(index, muscles, 3, 1, 0), random_numbers(index, muscles, 3, 0, 1)):
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(first[..., 0].ravel(), first[..., 1].ravel())[0, 1]) < 0.03
    np.testing.assert_array_equal(first, random_numbers(index, muscles, 3, 0, 0))


def test_a_patient_gets_the_same_features_in_any_company() -> None:
    rng = np.random.default_rng(0)
    native = native_of(rng.integers(0, 5, (20, 6)).astype(float), ["0-4"] * 20)
    fitted = fit_harmonization(native, HarmonizationOptions(method="dither", thresholds=EDGES))
    together = fitted.transform(native, draw=3)
    alone = fitted.transform(native.subset([7]), draw=3)
    np.testing.assert_array_equal(together[[7]], alone)
    assert not np.array_equal(together, fitted.transform(native, draw=4), equal_nan=True)
    assert fitted.draws == 8


def test_the_mean_over_draws_is_the_middle_of_the_bin() -> None:
    native = native_of(np.array([[3.0, 0.0]]), ["0-4"])
    options = HarmonizationOptions(method="dither", thresholds=EDGES, relative=False)
    fitted = fit_harmonization(native, options)
    mean = np.mean([fitted.transform(native, draw=i)[0, :2] for i in range(400)], axis=0)
    np.testing.assert_allclose(mean, [62.5, 4.0], atol=1.5)


def test_thresholds_are_estimated_from_fat_fractions_of_the_same_disease() -> None:
    """Two diseases of different severity; scale 1-4 shares its only disease with 0-4."""
    rng = np.random.default_rng(1)
    scales, diagnoses, values = [], [], []
    plan = [("FF", "A"), ("0-4", "A"), ("FF", "B"), ("0-4", "B"), ("0-4", "C"), ("1-4", "C")]
    for scale, disease in plan:
        fat = 100 * rng.beta(*{"A": (1, 3), "B": (2, 2), "C": (1, 1.5)}[disease], (400, 5))
        values.append(fat if scale == "FF" else grade(fat, scale))
        scales += [scale] * 400
        diagnoses += [disease] * 400
    native = native_of(np.vstack(values), scales, diagnoses)
    found = estimate_thresholds(native, {})
    np.testing.assert_allclose(found["0-4"][1:-1], EDGES["0-4"][1:-1], atol=2)
    np.testing.assert_allclose(found["1-4"][1:-1], EDGES["1-4"][1:-1], atol=4)
    # What is known is not estimated again.
    assert set(estimate_thresholds(native, {"0-4": EDGES["0-4"]})) == {"1-4"}


def test_estimates_use_the_fitted_rows_only() -> None:
    rng = np.random.default_rng(2)
    fat = 100 * rng.random((200, 4))
    values = np.vstack([fat[:100], grade(fat[100:], "0-4")])
    native = native_of(values, ["FF"] * 100 + ["0-4"] * 100, ["A"] * 200)
    options = HarmonizationOptions(method="dither")
    rows = np.r_[0:50, 100:150]
    fitted = fit_harmonization(native, options, rows)
    changed = values.copy()
    changed[50:100] = 0
    changed[150:] = 4
    other = native_of(changed, ["FF"] * 100 + ["0-4"] * 100, ["A"] * 200)
    assert fit_harmonization(other, options, rows) == fitted
    assert fit_harmonization(other, options) != fitted


def test_a_grade_nobody_has_still_has_a_bin() -> None:
    fat = np.linspace(1, 60, 50)[:, None]
    native = native_of(np.vstack([fat, grade(fat, "0-4")]), ["FF"] * 50 + ["0-4"] * 50, ["A"] * 100)
    edges = np.array(estimate_thresholds(native, {})["0-4"])
    assert (np.diff(edges) > 0).all()
    np.testing.assert_allclose(edges[1:4], [8, 25, 50], atol=2)


@pytest.mark.parametrize("diagnoses", [["A", "B"], None])
def test_without_fat_fractions_of_the_disease_there_is_no_estimate(diagnoses) -> None:
    labels = None if diagnoses is None else [diagnoses[0]] * 10 + [diagnoses[1]] * 10
    native = native_of(np.ones((20, 3)), ["FF"] * 10 + ["0-4"] * 10, labels)
    with pytest.raises(DataError) as error:
        fit_harmonization(native, HarmonizationOptions(method="dither"))
    assert error.value.message == (
        "Thresholds of scale 0-4 cannot be estimated: no diagnosis has 5 samples both on this "
        "scale and with measured fat fractions (FF)."
    )
    assert "Give a threshold table" in error.value.hint


def test_a_scale_that_was_not_fitted_is_refused() -> None:
    native = native_of(np.ones((2, 3)), ["0-4", "2a2b"])
    fitted = fit_harmonization(native, HarmonizationOptions(method="dither", thresholds=EDGES), [0])
    with pytest.raises(
        DataError, match="There are no fat fraction thresholds for scale 2a2b: it was"
    ):
        fitted.transform(native)


def thresholds(text):
    table = read_text_table(io.StringIO(text.replace(" ", "\t")), "t.tsv")
    return read_thresholds(table, "t.tsv")


def test_thresholds_are_read_in_any_order() -> None:
    text = "scale grade lower upper\n1-4 2 12 35\n1-4 1 0 12\n1-4 3 35 65\n1-4 4 65 100\n"
    assert thresholds(text) == {"1-4": EDGES["1-4"]}


H = "scale grade lower upper\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scale grade\n1-4 1\n", "t.tsv lacks the column(s) lower, upper."),
        (H + "9 1 0 1\n", "t.tsv: Unknown scale '9'."),
        (H + "1-4 1 0 12\n1-4 x 12 35\n", "t.tsv, row 3: grade, lower and upper must be numbers."),
        (H + "1-4 1 0 12\n1-4 2 12 35\n", "t.tsv: scale 1-4 has grades 1, 2, not 1, 2, 3, 4."),
        (
            H + "1-4 1 0 12\n1-4 2 13 35\n1-4 3 35 65\n1-4 4 65 100\n",
            "t.tsv: the bins of scale 1-4 overlap or leave gaps.",
        ),
        (
            H + "1-4 1 0 40\n1-4 2 40 35\n1-4 3 35 65\n1-4 4 65 100\n",
            "t.tsv: Thresholds of scale 1-4 do not rise within 0-100: 0, 40, 35, 65, 100.",
        ),
    ],
)
def test_wrong_threshold_tables_are_named(text, message) -> None:
    with pytest.raises(DataError) as error:
        thresholds(text)
    assert error.value.message == message


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ({"FF": (0.0, 100.0)}, "Scale FF is measured and has no grades."),
        ({"1-4": (0.0, 100.0)}, "Scale 1-4 needs 5 thresholds, not 2."),
        ({"1-4": (-1.0, 1.0, 2.0, 3.0, 4.0)}, "Thresholds of scale 1-4 do not rise within 0-100"),
    ],
)
def test_wrong_thresholds_are_named(edges, message) -> None:
    with pytest.raises(DataError, match=message):
        check_thresholds(edges)


def test_equal_grades_of_both_sides_are_no_asymmetry() -> None:
    values = np.full((30, 4, 3), np.nan)
    values[..., 0] = values[..., 1] = np.arange(30)[:, None] % 5
    values[7, 2, 1] = (values[7, 2, 0] + 1) % 5
    options = HarmonizationOptions("dither", thresholds=EDGES)
    native = native_of(values, ["0-4"] * 30)
    fitted = fit_harmonization(native, options)
    column = fitted.feature_names.index("asymmetry_mean")
    asymmetry = fitted.transform(native, draw=3)[:, column]
    assert asymmetry[7] > 0
    assert np.delete(asymmetry, 7).tolist() == [0.0] * 29
