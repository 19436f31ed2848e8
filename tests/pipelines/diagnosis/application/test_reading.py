from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipelines.diagnosis.application.reading import compare_with_readers, trained_samples
from pipelines.diagnosis.ensemble.average import softmax
from pipelines.errors import DataError
from pipelines.harmonization.scores.native import NativeScores
from tests.pipelines.diagnosis.small_cohorts import small_training_cohort
from tests.pipelines.diagnosis.stored_models import trained_model


@pytest.fixture(scope="module")
def model():
    return trained_model()[0]


@pytest.fixture(scope="module")
def new():
    """Samples of patients that the model has not seen, with their diagnoses."""
    cohort = small_training_cohort((6, 6, 6), seed=11)
    names = np.array(cohort.classes, dtype=object)[cohort.y]
    native = cohort.native
    return NativeScores(native.samples.assign(diagnosis=names), native.muscles, native.values)


def answers(native, rows=(0, 7, 14), first="A"):
    people = native.samples["participant"].iloc[list(rows)]
    return pd.DataFrame({"reader": "anna", "participant": people, "rank1": first, "rank2": None})


def test_readers_and_model_on_the_same_new_cases(model, new):
    tables = compare_with_readers(model, new, answers(new))
    table = tables["readers"].set_index(["kind", "k"])
    assert table.loc[("reader", 1), "accuracy"] == pytest.approx(
        (new.samples["diagnosis"].iloc[[0, 7, 14]] == "A").mean()
    )
    cases = new.subset([0, 7, 14])
    margins = model.ensemble.predict(cases)
    truth = [model.classes.index(name) for name in cases.samples["diagnosis"]]
    right = model.ensemble.probabilities(margins).argmax(axis=1) == truth
    assert table.loc[("model", 1), "accuracy"] == pytest.approx(right.mean())
    members = softmax(margins / np.float32(model.ensemble.temperature)).argmax(axis=2) == truth
    assert table.loc[("model", 1), "sd"] == pytest.approx(np.std(members.mean(axis=1), ddof=1))
    shown = tables["reader_cases"]
    assert set(shown["kind"]) == {"reader", "model"}
    assert (shown[shown["kind"] == "model"]["rank"] == 1).sum() == 3


def test_samples_of_the_training_are_recognized(model, new):
    trained = trained_model()[1]
    assert trained_samples(model, trained).all()
    assert not trained_samples(model, new).any()
    renamed = trained.samples.set_axis([f"other-{i}" for i in range(len(trained.samples))])
    assert trained_samples(model, replace(trained, samples=renamed)).all()
    older = trained.samples.assign(age=trained.samples["age"] + 1)
    same = trained_samples(model, replace(trained, samples=older))
    assert not same[trained.samples["age"].notna()].any()


def test_cases_that_prove_nothing_are_refused(model, new):
    trained = trained_model()[1]
    known = trained.samples.assign(diagnosis="A")
    with pytest.raises(DataError, match="was trained on: the model would remember"):
        compare_with_readers(model, replace(trained, samples=known), answers(trained))
    unknown = replace(new, samples=new.samples.assign(diagnosis="Z"))
    with pytest.raises(DataError, match="has no diagnosis that the model knows") as error:
        compare_with_readers(model, unknown, answers(new))
    assert "A, B, C" in error.value.hint
    values = new.values.copy()
    values[7, 1:] = np.nan
    with pytest.raises(DataError, match="has too few muscles for an answer"):
        compare_with_readers(model, replace(new, values=values), answers(new))
    nobody = answers(new, rows=(0,)).assign(participant="nobody")
    with pytest.raises(DataError, match="is not among the samples") as error:
        compare_with_readers(model, new, nobody)
    assert error.value.hint == "Cases are samples that are answered."
