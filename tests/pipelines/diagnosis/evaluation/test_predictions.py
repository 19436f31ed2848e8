import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.diagnosis.evaluation.predictions import check_predictions, true_ranks
from pipelines.errors import DataError
from tests.pipelines.diagnosis.predicted_cohort import predictions_of

HALF = [[0.5, 0.5], [0.2, 0.8]]


def test_rank_of_the_truth():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    np.testing.assert_array_equal(true_ranks(probabilities, np.array([0, 1, 2])), [1, 2, 3])


def test_equal_probabilities_rank_in_class_order():
    probabilities = np.full((3, 3), 1 / 3)
    np.testing.assert_array_equal(true_ranks(probabilities, np.array([0, 1, 2])), [1, 2, 3])


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_ranks_agree_with_a_stable_sort_under_ties(seed, levels):
    rng = np.random.default_rng(seed)
    scores = rng.integers(levels, size=(20, 6)).astype(float)
    y = rng.integers(6, size=20)
    order = np.argsort(-scores, axis=1, kind="stable")
    expected = [list(row).index(truth) + 1 for row, truth in zip(order, y, strict=True)]
    np.testing.assert_array_equal(true_ranks(scores, y), expected)


def test_rank_one_is_the_prediction():
    predictions = predictions_of([0, 1, 1], [[0.5, 0.5], [0.5, 0.5], [0.1, 0.9]])
    np.testing.assert_array_equal(predictions.predicted, [0, 0, 1])
    np.testing.assert_array_equal(predictions.ranks == 1, predictions.predicted == predictions.y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probabilities": [[0.5, 0.6], [0.2, 0.8]]}, "1 rows of probabilities.*row 0 sums to 1.1"),
        ({"probabilities": [[1.2, -0.2], [0.2, 0.8]]}, "1 rows of probabilities are no"),
        ({"probabilities": [[np.nan, 0.5], [0.2, 0.8]]}, "missing or infinite.*first in row 0"),
        ({"probabilities": [[0.5, 0.3, 0.2]] * 2}, "3 columns, 2 are needed"),
        ({"probabilities": [0.5, 0.5]}, r"shape \(2,\)"),
        ({"probabilities": np.empty((0, 2))}, "at least one row"),
        ({"y": [0, 2]}, "class numbers 0 to 2, but there are 2 classes"),
        ({"y": [0.0, 1.0]}, "type float64; 2 class numbers are needed"),
        ({"y": [0]}, r"y has shape \(1,\)"),
        ({"classes": ("A", "A")}, "classes are A, A; two or more different"),
        ({"fold": [0]}, r"fold has shape \(1,\)"),
        ({"patient": ["p", None]}, "patient is missing in row 1"),
        ({"patient": ["p", "p"]}, "1 patients have samples in more than one fold, e.g. p"),
    ],
)
def test_wrong_input_says_what_is_wrong(change, message):
    good = {"y": [0, 1], "probabilities": HALF, "classes": ("A", "B")}
    good |= {"fold": [0, 1], "patient": ["p", "q"]}
    arguments = good | change
    with pytest.raises(DataError, match=message):
        check_predictions(
            arguments["y"],
            arguments["probabilities"],
            arguments["classes"],
            fold=arguments["fold"],
            patient=arguments["patient"],
        )
