"""The model beside readers: top-k accuracy on the cases that readers have read.

Missing answers count with the probability that a random diagnosis is right; see
:mod:`pipelines.diagnosis.evaluation.missing_answers`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.arrays import Float64, Int64
from pipelines.diagnosis.evaluation.intervals import mean_and_sd, wilson_interval
from pipelines.diagnosis.evaluation.missing_answers import drawn_hits, expected_hits
from pipelines.diagnosis.evaluation.predictions import check_probabilities, true_ranks
from pipelines.diagnosis.evaluation.reader_answers import NO_ANSWER, ReaderAnswers
from pipelines.diagnosis.trust.checks import check_labels, check_length
from pipelines.errors import DataError

MODEL, READERS, CHANCE = "model", "mean of readers", "random classifier"


@dataclass(frozen=True)
class ReadCases:
    """Cases that were read, with their truth and the model's answer.

    Attributes
    ----------
    truth : ndarray of int64, shape (n,)
        True class of each case.
    probabilities : ndarray of float64, shape (n, K)
        The model's answer.
    row : ndarray of int64, shape (rows of the answers,)
        Which case each row of the readers' answers is about.
    """

    truth: Int64
    probabilities: Float64
    row: Int64


def match_cases(
    answers: ReaderAnswers,
    samples: pd.DataFrame,
    y: npt.ArrayLike,
    probabilities: npt.ArrayLike,
) -> ReadCases:
    """Find the sample that each answer is about.

    `y` is (n,); `probabilities` is (n, K).
    """
    rows = np.asarray(probabilities, dtype=np.float64)
    check_length("y", y, len(samples))
    found, row = find_cases(answers, samples)
    probabilities_read = check_probabilities("probabilities", rows[found], rows.shape[1])
    truth = check_labels(np.asarray(y)[found], *probabilities_read.shape)
    return ReadCases(truth, probabilities_read, row)


def find_cases(
    answers: ReaderAnswers, samples: pd.DataFrame, *, hint: str = ""
) -> tuple[Int64, Int64]:
    """Find the samples that were read.

    Parameters
    ----------
    answers : ReaderAnswers
        From :func:`pipelines.diagnosis.evaluation.reader_answers.read_answers`.
    samples : DataFrame
        Samples with the case columns of the answers.
    hint : str
        Which samples can be cases, for messages.

    Returns
    -------
    found : ndarray of int64, shape (cases,)
        Positions of the samples that were read.
    row : ndarray of int64, shape (rows of the answers,)
        Which of these each row of the answers is about.

    Raises
    ------
    DataError
        If a case is not among the samples or fits several.
    """
    keys = answers.case_columns
    lacking = [name for name in keys if name not in samples]
    if lacking:
        raise DataError(f"the samples have no column {', '.join(lacking)} to find read cases by")
    known = samples[keys].astype("object").astype(str).reset_index(drop=True)
    known["_row"] = np.arange(len(known))
    wanted = answers.cases[keys].drop_duplicates().merge(known, on=keys, how="left")
    for problem, what in (
        (wanted["_row"].isna(), "is not among the samples"),
        (wanted.duplicated(keys), "fits several samples; add columns study or session"),
    ):
        if problem.any():
            case = ", ".join(f"{name} {wanted[name][problem].iloc[0]}" for name in keys)
            raise DataError(f"the case {case} of the table of readers {what}", hint)
    found = wanted["_row"].to_numpy(dtype=np.int64)
    numbered = wanted[keys].assign(_case=np.arange(len(wanted)))
    row = answers.cases[keys].merge(numbered, on=keys, how="left")["_case"]
    return found, row.to_numpy(dtype=np.int64)


def reader_table(
    answers: ReaderAnswers,
    cases: ReadCases,
    *,
    member_probabilities: npt.ArrayLike | None = None,
    draws: int = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """Return top-k accuracy of every reader, of the readers together, the model and chance.

    `member_probabilities` is (members, n, K).
    Returns one row per reader and k: ``reader``, ``kind`` ('reader', 'readers', 'model', 'chance'),
    ``k``, ``accuracy`` (expected where answers are missing), ``sd`` (reader: of the random filling;
    readers: between readers; model: between members), ``lower``, ``upper`` (Wilson interval over
    the cases), ``model_accuracy`` (of the model on the same cases), ``drawn_mean``, ``drawn_sd``
    (over draws), ``n_cases``, ``n_missing`` (answers up to k).
    """
    classes = cases.probabilities.shape[1]
    ranks = answers.answers.shape[1]
    truth = cases.truth[cases.row]
    hits = expected_hits(answers.answers, truth, classes)
    drawn = drawn_hits(answers.answers, truth, classes, draws=draws, seed=seed)
    model_rank = true_ranks(cases.probabilities, cases.truth)
    readers = answers.cases["reader"].to_numpy()
    rows, curves = [], []
    for reader in dict.fromkeys(readers):
        own = np.flatnonzero(readers == reader)
        curves.append(hits[own].mean(axis=0))
        spread = np.sqrt((hits[own] * (1 - hits[own])).sum(axis=0)) / len(own)
        mean, sd = mean_and_sd(drawn[:, own].mean(axis=1))
        for k in range(1, ranks + 1):
            accuracy = float(curves[-1][k - 1])
            rows.append(
                _row(str(reader), "reader", k, accuracy, len(own))
                | {
                    "sd": float(spread[k - 1]),
                    "model_accuracy": float((model_rank[cases.row[own]] <= k).mean()),
                    "drawn_mean": float(mean[k - 1]),
                    "drawn_sd": float(sd[k - 1]),
                    "n_missing": int((answers.answers[own, :k] == NO_ANSWER).sum()),
                }
            )
    rows += _readers_rows(np.stack(curves), model_rank, answers)
    rows += _model_rows(model_rank, classes, _member_spread(member_probabilities, cases))
    rows += [_row(CHANCE, "chance", k, k / classes, len(truth)) for k in range(1, classes + 1)]
    return pd.DataFrame(rows, columns=_COLUMNS)


def reader_case_table(
    answers: ReaderAnswers, cases: ReadCases, classes: Sequence[str]
) -> pd.DataFrame:
    """Return every answer of readers and model, one row per case, reader and rank.

    Returns the case columns, ``truth``, ``reader``, ``kind`` ('reader' or 'model'), ``rank``,
    ``diagnosis`` (missing where none was given; ``'other'`` outside the model), ``right``.
    """
    ranks = answers.answers.shape[1]
    names = np.asarray([*classes, "other", None], dtype=object)  # OTHER is -2, NO_ANSWER is -1
    model = np.argsort(-cases.probabilities, axis=1, kind="stable")[:, :ranks]
    _, first = np.unique(cases.row, return_index=True)
    own_cases = answers.cases.iloc[first].assign(reader=MODEL, kind="model")
    blocks = (
        (answers.cases.assign(kind="reader"), answers.answers, cases.truth[cases.row]),
        (own_cases, model, cases.truth),
    )
    parts = [
        block.assign(
            truth=names[truth],
            rank=rank + 1,
            diagnosis=names[given[:, rank]],
            right=given[:, rank] == truth,
        )
        for block, given, truth in blocks
        for rank in range(given.shape[1])
    ]
    columns = [*answers.case_columns, "truth", "reader", "kind", "rank", "diagnosis", "right"]
    return pd.concat(parts, ignore_index=True)[columns]


_COLUMNS = [
    *("reader", "kind", "k", "accuracy", "sd", "lower", "upper", "model_accuracy"),
    *("drawn_mean", "drawn_sd", "n_cases", "n_missing"),
]


def _row(reader: str, kind: str, k: int, accuracy: float, n_cases: int) -> dict[str, object]:
    lower, upper = wilson_interval(accuracy, n_cases)
    return {
        "reader": reader,
        "kind": kind,
        "k": k,
        "accuracy": accuracy,
        "lower": float(lower),
        "upper": float(upper),
        "n_cases": n_cases,
        "n_missing": 0,
    }


def _readers_rows(
    curves: Float64, model_rank: Int64, answers: ReaderAnswers
) -> list[dict[str, object]]:
    mean, sd = mean_and_sd(curves)
    # Readers share their cases: an interval over cases of the mean would need their agreement.
    return [
        {
            "reader": READERS,
            "kind": "readers",
            "k": k,
            "accuracy": float(mean[k - 1]),
            "sd": float(sd[k - 1]),
            "model_accuracy": float((model_rank <= k).mean()),
            "n_cases": len(model_rank),
            "n_missing": int((answers.answers[:, :k] == NO_ANSWER).sum()),
        }
        for k in range(1, curves.shape[1] + 1)
    ]


def _model_rows(model_rank: Int64, n_classes: int, spread: Float64) -> list[dict[str, object]]:
    curve = [(model_rank <= k).mean() for k in range(1, n_classes + 1)]
    return [
        _row(MODEL, "model", k, float(curve[k - 1]), len(model_rank))
        | {"sd": float(spread[k - 1]), "model_accuracy": float(curve[k - 1])}
        for k in range(1, n_classes + 1)
    ]


def _member_spread(member_probabilities: npt.ArrayLike | None, cases: ReadCases) -> Float64:
    """Return the SD over members of top-k accuracy for k = 1 ... K; NaN without members."""
    classes = cases.probabilities.shape[1]
    if member_probabilities is None:
        return np.full(classes, np.nan)
    members = np.asarray(member_probabilities, dtype=np.float64)
    if members.ndim != 3 or members.shape[1:] != cases.probabilities.shape:
        raise DataError(
            f"member_probabilities has shape {members.shape}; "
            f"(members, {len(cases.truth)}, {classes}) is needed"
        )
    ranks = np.stack([true_ranks(member, cases.truth) for member in members])
    curves = (ranks[:, :, None] <= np.arange(1, classes + 1)).mean(axis=1)
    return mean_and_sd(curves)[1]
