"""A stored model beside readers, on cases that it was not trained on."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.arrays import Bool, Float64
from pipelines.diagnosis.application.admission import MINIMUM_COVERAGE, admit
from pipelines.diagnosis.ensemble.average import softmax
from pipelines.diagnosis.evaluation.reader_answers import ReaderAnswers, read_answers
from pipelines.diagnosis.evaluation.readers import (
    ReadCases,
    find_cases,
    reader_case_table,
    reader_table,
)
from pipelines.diagnosis.model.diagnosis_model import DiagnosisModel
from pipelines.errors import DataError
from pipelines.harmonization.scores.native import NativeScores

# Decimals of z-scores to which a sample equals one of training.
_DECIMALS = 3


def trained_samples(model: DiagnosisModel, native: NativeScores) -> Bool:
    """Return which of n samples have the scores, age and sex of a sample of the training, (n,)."""
    preparation = model.ensemble.preparation
    features = model.ensemble.harmonization.transform(native)
    scaled = ((features - preparation.mean) / preparation.sd).astype(np.float32)
    known = {row.tobytes() for row in _rounded(preparation.reference)}
    return np.array([row.tobytes() in known for row in _rounded(scaled)], dtype=bool)


def check_read_cases(
    model: DiagnosisModel, native: NativeScores, readers: pd.DataFrame
) -> tuple[ReaderAnswers, NativeScores, npt.NDArray[np.int64]]:
    """Find the cases of readers among some samples, and refuse those that prove nothing.

    Parameters
    ----------
    model : DiagnosisModel
        The model.
    native : NativeScores
        Samples with their diagnosis.
    readers : DataFrame
        As :func:`.reader_answers.read_answers` takes it.

    Returns
    -------
    answers : ReaderAnswers
        The readers' answers.
    cases : NativeScores
        The samples that were read.
    row : ndarray of int64
        Which of them each row of the answers is about.

    Raises
    ------
    DataError
        If the table is wrong, a case is not among the samples, its diagnosis is not known or not
        one of the model, too few of its muscles are scored, or the model was trained on it.
    """
    answers = read_answers(readers, model.classes)
    found, row = find_cases(answers, native.samples, hint="Cases are samples that are answered.")
    cases = native.subset(found)
    truth = cases.samples["diagnosis"]
    outside = ~truth.isin(model.classes).to_numpy()
    few = np.array([bool(reason) for reason in admit(model, native, MINIMUM_COVERAGE).reasons])
    for problem, what, hint in (
        (outside, "has no diagnosis that the model knows",
         f"Fill the column diagnosis of participants.tsv. The model knows: "
         f"{', '.join(model.classes)}."),
        (few[found], "has too few muscles for an answer of the model", "Leave it out."),
        (trained_samples(model, cases), "was trained on: the model would remember its answer",
         "Compare with readers on cases that are new to the model."),
    ):  # fmt: skip
        if problem.any():
            raise DataError(f"the case {cases.samples.index[problem][0]} {what}", hint)
    return answers, cases, row


def compare_with_readers(
    model: DiagnosisModel, native: NativeScores, readers: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Compare a model with readers on the cases they read.

    Parameters
    ----------
    model, native, readers
        As for :func:`check_read_cases`.

    Returns
    -------
    dict of str to DataFrame
        ``readers`` and ``reader_cases``, see :mod:`pipelines.diagnosis.evaluation.readers`; the
        spread of the model is that between its members.
    """
    answers, cases, row = check_read_cases(model, native, readers)
    margins = model.ensemble.predict(cases)
    numbers = {name: k for k, name in enumerate(model.classes)}
    truth = cases.samples["diagnosis"].map(numbers).to_numpy().astype(np.int64)
    probabilities = model.ensemble.probabilities(margins).astype(np.float64)
    members = softmax(margins / np.float32(model.ensemble.temperature))
    read = ReadCases(truth, probabilities, row)
    return {
        "readers": reader_table(answers, read, member_probabilities=members),
        "reader_cases": reader_case_table(answers, read, model.classes),
    }


def _rounded(rows: npt.NDArray[np.float32]) -> Float64:
    """Return rows that are equal byte by byte where their features are."""
    filled = np.where(np.isnan(rows), 1e6, np.round(rows.astype(np.float64), _DECIMALS))
    return filled + 0.0  # -0 is 0
