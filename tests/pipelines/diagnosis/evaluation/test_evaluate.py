import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from pipelines.columns import described_tables
from pipelines.diagnosis.evaluation.evaluate import EvaluationOptions, check_columns, evaluate
from pipelines.errors import DataError
from tests.pipelines.diagnosis.predicted_cohort import CLASSES, cohort

DESCRIBED = described_tables("pipelines.diagnosis.evaluation")
QUICK = EvaluationOptions(replicates=50, area_replicates=20, reader_draws=5)
READERS = pd.DataFrame(
    {
        "reader": ["R", "R", "S"],
        "participant": ["000", "130", "000"],
        "session": ["0", "1", "0"],
        "rank1": ["A", "B", None],
        "rank2": ["C", "A", "A"],
    }
)


def full(made, **changes):
    arguments = {
        "margins": made.margins,
        "features": made.features,
        "comparators": {"uniform": np.full((len(made.y), 4), 0.25)},
        "readers": READERS,
        "options": QUICK,
    }
    return evaluate(
        made.y, made.probabilities, CLASSES, made.fold, made.samples, **(arguments | changes)
    )


@pytest.fixture(scope="module")
def made():
    return cohort(visits=2)


@pytest.fixture(scope="module")
def evaluation(made):
    return full(made)


def test_every_described_table_is_there_with_its_columns(evaluation):
    assert set(evaluation.tables) == set(DESCRIBED)
    for name, table in evaluation.tables.items():
        described = [c for c in DESCRIBED[name] if c != "study" or name != "reader_cases"]
        assert list(table.columns) == described
        assert len(table)


def test_every_level_of_a_table_is_described(evaluation):
    for name, table in evaluation.tables.items():
        for column, entry in DESCRIBED[name].items():
            if "Levels" in entry:
                assert set(table[column]) <= set(entry["Levels"]), (name, column)


def test_formats_are_those_described(evaluation):
    for name, table in evaluation.tables.items():
        for column in table.columns:
            kind = DESCRIBED[name][column]["Format"]
            if kind == "integer":
                assert table[column].dtype.kind == "i", (name, column)
            elif kind == "number":
                assert table[column].dtype.kind == "f", (name, column)
            elif kind == "bool":
                assert table[column].dtype.kind == "b", (name, column)


def test_headline(evaluation, made):
    headline = json.loads(json.dumps(evaluation.headline, allow_nan=False))
    expected = balanced_accuracy_score(made.y, made.predictions.predicted)
    assert headline["balanced_accuracy"]["value"] == pytest.approx(expected)
    assert (headline["n_samples"], headline["n_patients"], headline["n_folds"]) == (570, 285, 5)
    sets = evaluation.tables["conformal"]
    first = sets[(sets["alpha"] == 0.1) & (sets["class"] == "all")].iloc[0]
    assert headline["conformal"]["coverage"] == first["coverage"]
    assert headline["conformal"]["target"] == 0.9
    assert headline["conformal"]["lowest_class_coverage"] <= first["coverage"]
    temperature = evaluation.tables["temperature"].set_index("fold")["temperature"]["all"]
    assert headline["temperature"] == temperature
    assert headline["novelty_flagged_rate"] == pytest.approx(0.05, abs=0.04)
    flagged = evaluation.tables["near_normal"].set_index("class")["n_flagged"]
    assert headline["near_normal_flagged_rate"] == flagged["all"] / 285
    assert 0 < flagged["all"] == flagged.drop("all").sum()


def test_the_same_seed_gives_the_same_tables(evaluation, made):
    again = full(made)
    for name, table in evaluation.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name])
    other = full(made, options=EvaluationOptions(replicates=50, area_replicates=20, seed=1))
    assert (
        other.headline["balanced_accuracy"]["lower"]
        != (evaluation.headline["balanced_accuracy"]["lower"])
    )


def test_only_what_the_input_allows(made):
    found = evaluate(
        made.y,
        made.probabilities,
        CLASSES,
        made.fold,
        made.samples[["patient", "sex"]],
        options=QUICK,
    )
    missing = {"temperature", "conformal", "novelty", "near_normal", "comparison"}
    assert set(DESCRIBED) - set(found.tables) == missing | {"readers", "reader_cases"}
    assert set(found.tables["calibration"]["probabilities"]) == {"as predicted"}
    assert "temperature" not in found.headline


def test_averaged_probabilities_have_sets_but_no_temperature(made):
    found = full(made, options=replace(QUICK, temperature=False))
    assert "temperature" not in found.tables
    assert set(found.tables["calibration"]["probabilities"]) == {"as predicted"}
    assert set(found.tables["reliability"]["probabilities"]) == {"as predicted"}
    assert "conformal" in found.tables
    assert not {"temperature", "expected_calibration_error_calibrated"} & set(found.headline)


def test_one_study_left_out_at_a_time(made):
    studies = made.samples["study"].to_numpy()
    found = evaluate(
        made.y, made.probabilities, CLASSES, studies, made.samples, options=QUICK
    ).tables["folds"]
    assert set(found["fold"]) == {"north", "south"}


def test_a_cohort_too_small_for_sets_goes_without_them_and_says_so(caplog):
    made = cohort(patients=(6, 5, 5, 4), folds=3)
    found = full(made, readers=None)
    assert "conformal" not in found.tables
    assert "conformal" not in found.headline
    assert "temperature" in found.tables
    assert "Conformal sets are not evaluated: " in caplog.text
    assert "patients are too few to calibrate conformal sets" in caplog.text


def test_one_fold_cannot_be_cross_fitted(made):
    fold = np.zeros(570, int)
    arguments = (made.y, made.probabilities, CLASSES, fold, made.samples)
    with pytest.raises(DataError, match="there is one fold only") as error:
        evaluate(*arguments, margins=made.margins, options=QUICK)
    assert error.value.hint.startswith("Leave the margins out")


def test_one_fold_of_one_class_has_figures_all_the_same(made):
    keep = made.y == 1
    samples = made.samples[keep][["patient", "sex"]]
    found = evaluate(
        made.y[keep], made.probabilities[keep], CLASSES, np.zeros(160), samples, options=QUICK
    )
    sensitivity = (made.predictions.predicted[keep] == 1).mean()
    assert found.headline["balanced_accuracy"]["value"] == pytest.approx(sensitivity)
    assert found.headline["balanced_accuracy"]["fold_sd"] is None
    assert found.headline["roc_auc_macro"]["value"] is None


def test_a_patient_in_two_folds_is_refused(made):
    with pytest.raises(DataError, match="285 patients have samples in more than one fold") as error:
        evaluate(
            made.y, made.probabilities, CLASSES, np.arange(570) % 2, made.samples, options=QUICK
        )
    assert error.value.hint.startswith("Group the folds by patient")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"margins": np.zeros((3, 4))}, r"margins has shape \(3,\); one value for each of 570"),
        ({"margins": np.zeros((570, 3))}, "margins has 3 columns, 4 are needed"),
        ({"features": np.zeros((3, 4))}, r"features has shape \(3,\); one value for each of 570"),
        ({"comparators": {"knn": np.zeros((570, 4))}}, "570 rows of probabilities of knn are no"),
        ({"comparators": {"knn": np.full((9, 4), 0.25)}}, r"probabilities has shape \(9,\)"),
        ({"readers": READERS.assign(rank1="X")}, "rank1 is 'X'"),
    ],
)
def test_arrays_that_do_not_fit(made, change, message):
    with pytest.raises(DataError, match=message):
        full(made, **change)


def test_samples_without_patients(made):
    with pytest.raises(DataError, match="samples has no column patient"):
        evaluate(made.y, made.probabilities, CLASSES, made.fold, made.samples[["sex"]])


def test_columns_that_are_not_described_are_a_mistake():
    with pytest.raises(KeyError, match="table temperature has columns"):
        check_columns("temperature", pd.DataFrame(columns=["fold", "temperature"]))
