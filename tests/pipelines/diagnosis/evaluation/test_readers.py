import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.diagnosis.evaluation.missing_answers import (
    drawn_hits,
    expected_hits,
    fill_at_random,
)
from pipelines.diagnosis.evaluation.reader_answers import NO_ANSWER, OTHER, read_answers
from pipelines.diagnosis.evaluation.readers import match_cases, reader_case_table, reader_table
from pipelines.errors import DataError

CLASSES = ("A", "B", "C", "D", "E")
SAMPLES = pd.DataFrame({"participant": ["1", "2", "3"], "session": ["x", "x", "x"]})
Y = np.array([0, 1, 2])
PROBABILITIES = np.array(
    [[0.6, 0.1, 0.1, 0.1, 0.1], [0.4, 0.3, 0.1, 0.1, 0.1], [0.3, 0.3, 0.2, 0.1, 0.1]]
)
TABLE = pd.DataFrame(
    {
        "reader": ["R", "R", "S", "S"],
        "participant": ["1", "2", "1", "3"],
        "rank1": ["A", "C", None, "A"],
        "rank2": ["B", None, None, "C"],
    }
)


@pytest.fixture(scope="module")
def answers():
    return read_answers(TABLE, CLASSES)


@pytest.fixture(scope="module")
def cases(answers):
    return match_cases(answers, SAMPLES, Y, PROBABILITIES)


def test_expectation_by_hand(answers):
    # Truths 0, 1, 0, 2. Row 1 names C only: its gap hits B with 1/4. Row 2 names none of five.
    found = expected_hits(answers.answers, np.array([0, 1, 0, 2]), 5)
    np.testing.assert_allclose(found, [[1, 1], [0, 0.25], [0.2, 0.4], [0, 1]])


def test_a_named_truth_cannot_be_hit_earlier_by_a_gap():
    found = expected_hits(np.array([[NO_ANSWER, 3]]), np.array([3]), 5)
    np.testing.assert_array_equal(found, [[0, 1]])


def test_a_diagnosis_outside_the_model_takes_no_place_among_the_random_ones():
    found = expected_hits(np.array([[OTHER, NO_ANSWER]]), np.array([3]), 5)
    np.testing.assert_allclose(found, [[0, 0.2]])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_draws_tend_to_the_expectation(seed):
    rng = np.random.default_rng(seed)
    answers = np.array([rng.permutation(5)[:3] for _ in range(4)])
    answers[rng.random(answers.shape) < 0.5] = NO_ANSWER
    truth = rng.integers(5, size=4)
    hits = drawn_hits(answers, truth, 5, draws=3000, seed=seed)
    np.testing.assert_allclose(hits.mean(axis=0), expected_hits(answers, truth, 5), atol=0.05)


def test_filling_names_no_diagnosis_twice_and_follows_the_seed():
    answers = np.array([[2, NO_ANSWER, NO_ANSWER, NO_ANSWER]] * 20)
    filled = fill_at_random(answers, 4, np.random.default_rng(0))
    assert all(sorted(row) == [0, 1, 2, 3] for row in filled)
    np.testing.assert_array_equal(filled, fill_at_random(answers, 4, np.random.default_rng(0)))
    assert len({tuple(row) for row in filled}) > 3
    more_gaps = fill_at_random(np.full((1, 3), NO_ANSWER), 2, np.random.default_rng(0))
    assert sorted(more_gaps[0].tolist()) == [NO_ANSWER, 0, 1]


def test_curves_by_hand(answers, cases):
    table = reader_table(answers, cases).set_index(["reader", "k"])
    assert table.loc[("R", 1), "accuracy"] == 0.5
    assert table.loc[("R", 2), "accuracy"] == (1 + 0.25) / 2
    assert table.loc[("S", 1), "accuracy"] == pytest.approx(0.1)
    assert table.loc[("S", 2), "accuracy"] == pytest.approx(0.7)
    # Only gaps are random: variance of a reader is the sum of p (1 - p) over n squared.
    assert table.loc[("R", 2), "sd"] == pytest.approx(np.sqrt(0.25 * 0.75) / 2)
    assert table.loc[("R", 1), "sd"] == 0
    assert list(table.loc["R", "n_missing"]) == [0, 1]
    assert list(table.loc["S", "n_missing"]) == [1, 2]
    assert list(table.loc["mean of readers", "n_missing"]) == [1, 3]
    both = table.loc[("mean of readers", 2)]
    assert both["accuracy"] == pytest.approx((0.625 + 0.7) / 2)
    assert both["sd"] == pytest.approx(abs(0.625 - 0.7) / np.sqrt(2))


def test_model_and_chance_stand_beside_the_readers(answers, cases):
    # Ranks of the truth: 1, 2, 3 (of two equal probabilities the earlier class wins).
    table = reader_table(answers, cases).set_index(["reader", "k"])
    np.testing.assert_allclose(table.loc["model", "accuracy"], [1 / 3, 2 / 3, 1, 1, 1])
    np.testing.assert_allclose(table.loc["random classifier", "accuracy"], [0.2, 0.4, 0.6, 0.8, 1])
    # Reader S read cases 1 and 3, the model has ranks 1 and 3 there.
    assert table.loc[("S", 2), "model_accuracy"] == 0.5
    assert table.loc[("S", 2), "n_cases"] == 2
    assert table.loc[("model", 1), "n_cases"] == 3


def test_spread_of_the_members(answers, cases):
    members = np.stack([PROBABILITIES, np.eye(5)[[0, 1, 2]], np.eye(5)[[4, 4, 4]]])
    table = reader_table(answers, cases, member_probabilities=members).set_index(["reader", "k"])
    assert table.loc[("model", 1), "sd"] == pytest.approx(np.std([1 / 3, 1, 0], ddof=1))
    with pytest.raises(DataError, match=r"\(3, 2, 5\); \(members, 3, 5\) is needed"):
        reader_table(answers, cases, member_probabilities=members[:, :2])


def test_seeded_draws_stand_beside_the_expectation(answers, cases):
    table = reader_table(answers, cases, draws=4000, seed=1).set_index(["reader", "k"])
    row = table.loc[("R", 2)]
    assert row["drawn_mean"] == pytest.approx(row["accuracy"], abs=0.02)
    assert row["drawn_sd"] == pytest.approx(row["sd"], abs=0.01)
    assert np.isnan(reader_table(answers, cases)["drawn_mean"]).all()


def test_every_answer_is_listed(answers, cases):
    table = reader_case_table(answers, cases, CLASSES)
    assert len(table) == (4 + 3) * 2
    row = table[(table["reader"] == "S") & (table["participant"] == "3") & (table["rank"] == 2)]
    assert row[["truth", "diagnosis", "right"]].iloc[0].tolist() == ["C", "C", True]
    gap = table[(table["reader"] == "S") & (table["participant"] == "1")]
    assert gap["diagnosis"].isna().all()
    assert not gap["right"].any()
    model = table[(table["kind"] == "model") & (table["participant"] == "2")]
    assert model.sort_values("rank")["diagnosis"].tolist() == ["A", "B"]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (SAMPLES.iloc[:2], "the case participant 3 .* is not among the samples"),
        (pd.concat([SAMPLES, SAMPLES]), "participant 1 .* fits several samples; add columns study"),
        (SAMPLES[["session"]], "the samples have no column participant"),
    ],
)
def test_unmatched_cases(answers, samples, message):
    n = len(samples)
    with pytest.raises(DataError, match=message):
        match_cases(answers, samples, np.resize(Y, n), np.resize(PROBABILITIES, (n, 5)))
