import numpy as np
import pytest
from scipy.special import entr

from pipelines.diagnosis.trust.partial import gain_text, missing_muscle_gain, most_telling
from pipelines.errors import DataError

MUSCLES = ("seen", "telling", "idle")
NAN = np.nan


def predict_by_telling(rows):
    """Disease 1 is certain above 50 in 'telling', disease 0 below; missing: even."""
    p = np.where(np.isnan(rows[:, 1]), 0.5, (rows[:, 1] > 50).astype(float))
    return np.column_stack([1 - p, p])


def reference(n=40):
    rng = np.random.default_rng(0)
    return np.column_stack(
        [rng.uniform(0, 100, n), np.arange(n) % 2 * 100.0, rng.uniform(0, 100, n)]
    )


def test_the_muscle_that_decides_comes_first():
    table = missing_muscle_gain(
        predict_by_telling, [50, NAN, NAN], reference(), MUSCLES, neighbours=40
    )
    assert list(table["candidate"]) == ["telling", "idle"]
    # Half of all patients on each side: knowing the muscle removes log 2, all the entropy.
    assert table["reduction"][0] == pytest.approx(np.log(2))
    assert table["expected_entropy"][0] == 0
    assert table["reduction"][1] == 0
    assert table["expected_entropy"][1] == pytest.approx(np.log(2))
    np.testing.assert_allclose(table["entropy"], np.log(2))


def test_fillings_come_from_the_nearest_patients_with_the_muscle():
    asked = []

    def predict(rows):
        asked.append(rows)
        return predict_by_telling(rows)

    others = np.array([[10, 1, NAN], [11, 2, NAN], [12, NAN, NAN], [90, 3, 5], [NAN, 4, 6]])
    table = missing_muscle_gain(predict, [10, NAN, NAN], others, MUSCLES, neighbours=2)
    table = table.set_index("candidate")
    assert len(asked) == 1
    np.testing.assert_array_equal(asked[0], [[10, 1, NAN], [10, 2, NAN]])
    # Only one patient has 'idle' and shares a muscle: nothing can be said.
    assert np.isnan(table.loc["idle", "reduction"])
    assert list(table["n_neighbours"]) == [2, 0]


def test_reduction_is_the_mutual_information_of_the_fillings():
    values = np.array([0.1, 0.4, 0.8])

    def predict(rows):
        p = np.where(np.isnan(rows[:, 1]), 0.3, rows[:, 1])
        return np.column_stack([p, 1 - p])

    others = np.column_stack([np.full(3, 5.0), values, np.full(3, NAN)])
    table = missing_muscle_gain(predict, [5, NAN, 1], others, MUSCLES, neighbours=3)
    after = np.column_stack([values, 1 - values])
    expected = entr(after).sum(axis=1).mean()
    row = table.iloc[0]
    assert row["expected_entropy"] == pytest.approx(expected)
    assert row["reduction"] == pytest.approx(entr(after.mean(axis=0)).sum() - expected)
    assert row["entropy"] == pytest.approx(entr(after.mean(axis=0)).sum())


def test_candidates_are_filled_together_from_one_patient():
    asked = []

    def predict(rows):
        asked.append(rows)
        return np.full((len(rows), 2), 0.5)

    table = missing_muscle_gain(
        predict,
        [50, NAN, NAN],
        reference(),
        MUSCLES,
        candidates={"leg": ("telling", "idle"), "thigh": ("seen",), "half": ("seen", "idle")},
        neighbours=3,
    )
    assert dict(zip(table["candidate"], table["n_muscles"], strict=True)) == {"leg": 2, "half": 1}
    pairs = {tuple(row[1:]) for row in reference()}
    assert all(tuple(row[1:]) in pairs for row in asked[0][:3])
    assert len(asked[0]) == 3 + 3


def test_cost_is_bounded_by_candidates_and_neighbours():
    rng = np.random.default_rng(0)
    others = rng.uniform(0, 100, (2000, 33))
    values = np.where(np.arange(33) < 10, 40.0, NAN)
    rows_asked = []

    def predict(rows):
        rows_asked.append(len(rows))
        return np.full((len(rows), 20), 0.05)

    names = [f"muscle_{i}" for i in range(33)]
    assert len(missing_muscle_gain(predict, values, others, names)) == 23
    assert rows_asked == [23 * 10]


def test_gain_is_never_more_than_what_is_uncertain():
    """An answer can be sure of itself because one estimate stands for the muscle."""

    def predict(rows):
        likely = np.where(rows[:, 1] > 50, 0.99, 0.01)
        return np.column_stack([likely, 1 - likely])

    table = missing_muscle_gain(predict, [50, NAN, NAN], reference(), MUSCLES, neighbours=40)
    row = table.iloc[0]
    assert row["candidate"] == "telling"
    assert row["reduction"] == pytest.approx(row["entropy"] - row["expected_entropy"])
    assert row["entropy"] == pytest.approx(np.log(2))
    assert (table["reduction"] <= table["entropy"]).all()


def test_nothing_missing_gives_an_empty_table():
    table = missing_muscle_gain(predict_by_telling, [1, 2, 3], reference(), MUSCLES)
    assert table.empty
    assert gain_text(table) == "No missing muscle is expected to change the ranking much."


def test_text_names_the_most_telling_muscles():
    table = missing_muscle_gain(
        predict_by_telling, [50, NAN, NAN], reference(), MUSCLES, neighbours=40
    )
    assert list(most_telling(table)["candidate"]) == ["telling"]
    assert gain_text(table) == (
        "Scores that would be expected to lower the uncertainty most: telling (0.69 of 0.69 nats). "
        "Estimated from the training patients most like this one."
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": [NAN, NAN, NAN]}, "no scored muscle"),
        ({"values": [1, 2]}, r"values has shape \(2,\)"),
        ({"reference": np.ones((4, 2))}, r"reference has shape \(4, 2\); one column for each of 3"),
        ({"candidates": {"leg": ("soleus",)}}, "muscles the model does not use: soleus"),
        ({"neighbours": 1}, "1 neighbours asked for; at least 2 needed"),
        ({"predict": lambda rows: np.ones((len(rows), 2))}, "row sums 2.000 to 2.000"),
        ({"predict": lambda rows: np.full((1, 2), 0.5)}, "rows of probabilities are needed"),
        ({"predict": lambda rows: np.full((len(rows), 2), NAN)}, "the prediction has missing"),
    ],
)
def test_wrong_input(change, message):
    arguments = {"predict": predict_by_telling, "values": [50, NAN, NAN], "reference": reference()}
    arguments |= {"muscles": MUSCLES} | change
    with pytest.raises(DataError, match=message):
        missing_muscle_gain(**arguments)
