"""Partial scans: the missing muscles that would tell most about the diagnosis.

A muscle that was not scanned is filled in with the values it has in the training patients that
look most like this one in the muscles that were scanned. Each filling gives a prediction. When the
predictions differ, knowing the muscle would settle the matter: the expected fall in entropy is the
entropy of the average prediction minus the average entropy of the predictions (the mutual
information of muscle and diagnosis, Lindley 1956). It is neither negative nor more than the entropy
of the average prediction. That is not the entropy of the answer as it is given, in which one
estimate stands for the muscle, as if it were known.

This is an approximation: the neighbours stand for the distribution of the muscle, their number
bounds its resolution (k neighbours show at most log k nats), and the muscles that stay missing are
filled in by the model's own imputation. The cost is one call of the model with at most
``len(candidates) * neighbours`` rows.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import entr

from pipelines.arrays import Float64, Int64
from pipelines.diagnosis.trust.checks import check_length, check_matrix
from pipelines.errors import DataError

Predict = Callable[[Float64], Float64]

# Fewer neighbours than this say nothing about a distribution.
_LEAST_NEIGHBOURS = 2
# A smaller expected fall (nats) is not worth another scan.
_LEAST_REDUCTION = 0.01
_COLUMNS = ("candidate", "n_muscles", "n_neighbours", "entropy", "expected_entropy", "reduction")


def missing_muscle_gain(
    predict: Predict,
    values: npt.ArrayLike,
    reference: npt.ArrayLike,
    muscles: Sequence[str],
    *,
    candidates: Mapping[str, Sequence[str]] | None = None,
    neighbours: int = 10,
) -> pd.DataFrame:
    """Rank missing muscles by how much knowing them would reduce the uncertainty.

    Parameters
    ----------
    predict : callable
        Takes muscle values, shape (q, m) with NaN for missing, and returns probabilities, shape
        (q, K). It closes over age, sex and all that is known of the patient, and over the model's
        own preparation.
    values : array_like, shape (m,)
        The patient's muscles on the 0-100 axis, NaN where missing.
    reference : array_like, shape (r, m)
        Training patients on the same axis, NaN where missing.
    muscles : sequence of str
        Names of the m muscles.
    candidates : mapping of str to sequence of str, optional
        What could be scanned together, e.g. a region and its muscles; filled in from the same
        neighbour, so that muscles of one candidate keep going together. Default: every missing
        muscle alone.
    neighbours : int
        Number of training patients to fill in from.

    Returns
    -------
    DataFrame
        ``candidate``, ``n_muscles`` (missing ones it would add), ``n_neighbours``, ``entropy``
        (of the average prediction over the fillings, nats: the uncertainty while the muscle is not
        known), ``expected_entropy`` (mean over the fillings), ``reduction`` (expected fall, at most
        ``entropy``; see the module's text), largest first. NaN where fewer than
        two training patients have these muscles and any scanned muscle in common.

    Raises
    ------
    DataError
        If shapes do not fit, a candidate names an unknown muscle, no muscle is known, or
        ``predict`` returns something else than probabilities.
    """
    names = list(muscles)
    known = check_length("values", np.asarray(values, dtype=np.float64), len(names))
    others = np.asarray(reference, dtype=np.float64)
    if others.ndim != 2 or others.shape[1] != len(names):
        raise DataError(
            f"reference has shape {others.shape}; one column for each of {len(names)} muscles "
            "is needed"
        )
    if np.isnan(known).all():
        raise DataError("the patient has no scored muscle, so that no training patient is alike")
    if neighbours < _LEAST_NEIGHBOURS:
        raise DataError(f"{neighbours} neighbours asked for; at least {_LEAST_NEIGHBOURS} needed")
    missing = _missing_of_candidates(candidates, names, known)
    order = _nearest_first(known, others)
    donors = {
        name: order[np.isfinite(others[order][:, columns]).all(axis=1)][:neighbours]
        for name, columns in missing.items()
    }
    donors = {
        name: rows if len(rows) >= _LEAST_NEIGHBOURS else rows[:0] for name, rows in donors.items()
    }
    filled = _fill(known, others, missing, donors)
    probabilities = _predicted(predict, filled) if len(filled) else np.empty((0, 1))
    starts = np.cumsum([0, *(len(rows) for rows in donors.values())])
    rows = []
    for name, first in zip(missing, starts[:-1], strict=True):
        own = probabilities[first : first + len(donors[name])]
        rows.append((name, len(missing[name]), len(own), *_expected(own)))
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return table.sort_values("reduction", ascending=False, kind="stable", ignore_index=True)


def most_telling(table: pd.DataFrame, most: int = 3) -> pd.DataFrame:
    """Return the candidates worth naming.

    Returns first rows of the table, as far as their expected reduction is above 0.01 nats.
    """
    return table[table["reduction"] > _LEAST_REDUCTION].head(most)


def gain_text(table: pd.DataFrame, most: int = 3) -> str:
    """Say for people which missing muscles would help most.

    Parameters
    ----------
    table : DataFrame
        From :func:`missing_muscle_gain`.
    most : int
        Largest number of candidates to name.

    Returns
    -------
    str
    """
    useful = most_telling(table, most)
    if useful.empty:
        return "No missing muscle is expected to change the ranking much."
    named = ", ".join(
        f"{str(row.candidate).replace('_', ' ')} ({row.reduction:.2f} of {row.entropy:.2f} nats)"
        for row in useful.itertuples()
    )
    return (
        f"Scores that would be expected to lower the uncertainty most: {named}. Estimated from "
        "the training patients most like this one."
    )


def _missing_of_candidates(
    candidates: Mapping[str, Sequence[str]] | None,
    names: list[str],
    known: Float64,
) -> dict[str, Int64]:
    """Return the columns each candidate would add; candidates that add none are left out."""
    wanted = {name: (name,) for name in names} if candidates is None else candidates
    unknown = sorted({m for members in wanted.values() for m in members} - set(names))
    if unknown:
        raise DataError(
            f"candidates name muscles the model does not use: {', '.join(unknown)}",
            f"Known muscles: {', '.join(names)}",
        )
    columns = {
        name: np.array([names.index(m) for m in members], dtype=np.int64)
        for name, members in wanted.items()
    }
    missing = {name: own[np.isnan(known[own])] for name, own in columns.items()}
    return {name: own for name, own in missing.items() if len(own)}


def _nearest_first(known: Float64, others: Float64) -> Int64:
    """Order training patients by root mean square difference over the muscles in common."""
    squares = (others - known) ** 2
    shared = np.isfinite(squares).sum(axis=1)
    distance = np.nansum(squares, axis=1) / np.maximum(shared, 1)
    order = np.argsort(np.where(shared > 0, distance, np.inf), kind="stable")
    return np.asarray(order[: int((shared > 0).sum())], dtype=np.int64)


def _fill(
    known: Float64,
    others: Float64,
    missing: Mapping[str, Int64],
    donors: Mapping[str, Int64],
) -> Float64:
    """Return one row per candidate and donor."""
    blocks = [np.empty((0, len(known)))]
    for name, columns in missing.items():
        block = np.repeat(known[None, :], len(donors[name]), axis=0)
        block[:, columns] = others[np.ix_(donors[name], columns)]
        blocks.append(block)
    return np.concatenate(blocks)


def _predicted(predict: Predict, rows: Float64) -> Float64:
    probabilities = check_matrix("the prediction", predict(rows))
    sums = probabilities.sum(axis=1)
    if len(probabilities) != len(rows) or probabilities.min() < 0 or abs(sums - 1).max() > 1e-3:
        raise DataError(
            f"predict returned shape {probabilities.shape} with row sums "
            f"{sums.min():.3f} to {sums.max():.3f}; {len(rows)} rows of probabilities are needed"
        )
    return probabilities


def _expected(probabilities: Float64) -> tuple[float, float, float]:
    """Return the entropy of the mean of the rows, their mean entropy, and the difference."""
    if not len(probabilities):
        return np.nan, np.nan, np.nan
    unknown = float(entr(probabilities.mean(axis=0)).sum())
    expected = float(entr(probabilities).sum(axis=1).mean())
    return unknown, expected, max(0.0, unknown - expected)
