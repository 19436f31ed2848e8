"""Answers that readers did not give.

Readers sometimes name fewer diagnoses than asked. The Myo-Guide paper (section 2.7) fills missing
answers with a random diagnosis, once. Here the accuracy that this gives on average is computed
exactly, so that it does not depend on one draw: a missing answer is drawn evenly from the diagnoses
of the model that the reader has not named for the case, without repetition. Draws can be made too.
"""

import numpy as np

from pipelines.arrays import Float64, Int64
from pipelines.diagnosis.evaluation.reader_answers import NO_ANSWER


def expected_hits(answers: Int64, truth: Int64, n_classes: int) -> Float64:
    """Return the probability that the truth is among the first k answers once gaps are filled.

    `answers` and the result are (rows, ranks); `truth` is (rows,).
    """
    right = answers == truth[:, None]
    named = np.cumsum(right, axis=1) > 0
    gaps = np.cumsum(answers == NO_ANSWER, axis=1)
    unnamed = n_classes - (answers >= 0).sum(axis=1)
    chance = np.minimum(gaps / np.maximum(unnamed, 1)[:, None], 1.0)
    return np.where(right.any(axis=1)[:, None], named, chance).astype(np.float64)


def fill_at_random(answers: Int64, n_classes: int, rng: np.random.Generator) -> Int64:
    """Fill missing answers with diagnoses the reader has not named for the case.

    `answers` and the result are (rows, ranks).
    """
    row, rank = np.nonzero(answers >= 0)
    keys = rng.random((len(answers), n_classes))
    keys[row, answers[row, rank]] = np.inf
    shuffled = np.argsort(keys, axis=1)  # the diagnoses that are named already come last
    free = np.isfinite(keys).sum(axis=1)
    gaps = answers == NO_ANSWER
    turn = np.cumsum(gaps, axis=1) - 1
    filled = np.take_along_axis(shuffled, np.clip(turn, 0, n_classes - 1), axis=1)
    return np.where(gaps & (turn < free[:, None]), filled, answers)


def drawn_hits(
    answers: Int64,
    truth: Int64,
    n_classes: int,
    *,
    draws: int,
    seed: int,
) -> Float64:
    """Fill gaps at random several times and see whether the truth is among the first k answers.

    The result is (draws, rows, ranks).
    """
    rng = np.random.default_rng(seed)
    filled = fill_at_random(np.tile(answers, (draws, 1)), n_classes, rng)
    hits = np.cumsum(filled == np.tile(truth, draws)[:, None], axis=1)
    return hits.reshape(draws, *answers.shape).astype(np.float64)
