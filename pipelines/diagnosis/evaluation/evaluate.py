"""The whole evaluation of a diagnosis model in one call: named tables and headline figures."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.arrays import Float64
from pipelines.columns import described_tables
from pipelines.diagnosis.evaluation.coverage import coverage_table, measured_sets
from pipelines.diagnosis.evaluation.flags import near_normal_table, novelty_table
from pipelines.diagnosis.evaluation.intervals import Resamples, resamples
from pipelines.diagnosis.evaluation.one_vs_one import one_vs_one_curves, one_vs_one_table
from pipelines.diagnosis.evaluation.one_vs_rest import (
    micro_areas,
    one_vs_rest_areas,
    one_vs_rest_curves,
)
from pipelines.diagnosis.evaluation.overall import (
    comparison_table,
    counts,
    figures,
    fold_table,
    overall_table,
    quick_figures,
)
from pipelines.diagnosis.evaluation.per_class import class_table, confusion_table
from pipelines.diagnosis.evaluation.predictions import (
    ALL,
    Predictions,
    check_predictions,
    check_probabilities,
)
from pipelines.diagnosis.evaluation.reader_answers import CASE_COLUMNS, read_answers
from pipelines.diagnosis.evaluation.readers import match_cases, reader_case_table, reader_table
from pipelines.diagnosis.evaluation.reliability import (
    calibrated_probabilities,
    calibration_table,
    reliability_table,
)
from pipelines.diagnosis.evaluation.subgroups import subgroup_table
from pipelines.diagnosis.trust.checks import check_length, check_matrix
from pipelines.errors import DataError

_PACKAGE = "pipelines.diagnosis.evaluation"


logger = logging.getLogger(__name__)

AS_PREDICTED, CALIBRATED = "as predicted", "temperature"


@dataclass(frozen=True)
class EvaluationOptions:
    """Settings of an evaluation.

    Attributes
    ----------
    replicates : int
        Bootstrap replicates of cheap figures.
    area_replicates : int
        Bootstrap replicates of areas under curves; at most ``replicates``.
    alphas : tuple of float
        Error rates of conformal sets; the first one is that of the headline.
    randomised_sets : bool
        Whether conformal p-values are smoothed by seeded draws.
    false_positive_rate : float
        Of the flag for patients unlike the training data.
    temperature : bool
        Whether the model divides margins by a temperature; if not, margins serve conformal sets
        only.
    reader_draws : int
        Random fillings of readers' missing answers beside the exact expectation.
    seed : int
        Of everything random.
    """

    replicates: int = 1000
    area_replicates: int = 200
    alphas: tuple[float, ...] = (0.1, 0.05, 0.2)
    randomised_sets: bool = False
    false_positive_rate: float = 0.05
    temperature: bool = True
    reader_draws: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Evaluation:
    """Result of an evaluation.

    Attributes
    ----------
    tables : dict of str to DataFrame
        Described by ``columns.json``; only those that the input allows.
    headline : dict
        Figures for a report's first lines and a model card, JSON types.
    """

    tables: dict[str, pd.DataFrame]
    headline: dict[str, Any]


def evaluate(
    y: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    classes: Sequence[str],
    fold: npt.ArrayLike,
    samples: pd.DataFrame,
    *,
    margins: npt.ArrayLike | None = None,
    features: npt.ArrayLike | None = None,
    comparators: Mapping[str, npt.ArrayLike] | None = None,
    readers: pd.DataFrame | None = None,
    options: EvaluationOptions | None = None,
) -> Evaluation:
    """Evaluate out-of-fold predictions of a diagnosis model.

    The figures are about the training procedure, measured on patients that each fold's model had
    not seen; the model refitted on all data has no figures of its own. With ``fold`` naming the
    study of each sample and predictions of models trained without it, this is the
    leave-one-study-out evaluation.

    Parameters
    ----------
    y : array_like of int, shape (n,)
        True classes.
    probabilities : array_like, shape (n, K)
        Out-of-fold probabilities.
    classes : sequence of str
        Names of the K classes.
    fold : array_like, shape (n,)
        Outer fold of each sample; no patient is in two.
    samples : DataFrame, n rows in the same order
        ``patient``; subgroups by ``sex``, ``age``, ``scale``, ``study``, ``sides`` and
        ``mean_involvement`` where present; with ``max_involvement`` also the near-normal flag;
        ``participant``, ``session`` and ``study`` to find the cases of readers.
    margins : array_like, shape (n, K), optional
        Raw out-of-fold margins: adds temperature scaling (see the options) and, unless patients
        are too few (a warning says so), conformal sets.
    features : array_like, shape (n, p), optional
        Prepared features without gaps: adds the flag for patients unlike the training data.
        Scaling and imputation fitted on all samples make held-out distances slightly too small.
    comparators : mapping of str to array_like, shape (n, K), optional
        Out-of-fold probabilities of other models on the same folds.
    readers : DataFrame, optional
        Readers' ranked answers; see
        :func:`pipelines.diagnosis.evaluation.reader_answers.read_answers`.
    options : EvaluationOptions, optional
        Settings.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError
        If arrays do not fit together, values are missing, a patient is in two folds, or a table
        of readers is wrong.
    """
    chosen = options or EvaluationOptions()
    if "patient" not in samples:
        raise DataError("samples has no column patient; folds and intervals are grouped by it")
    predictions = check_predictions(
        y, probabilities, classes, fold=fold, patient=samples["patient"].to_numpy()
    )
    drawn = resamples(predictions, chosen.replicates, chosen.seed)
    tables = _core_tables(predictions, samples, drawn, chosen)
    variants = {AS_PREDICTED: predictions}
    if margins is not None:
        raw = _check_margins(predictions, margins)
        tables |= _set_tables(predictions, raw, chosen)
        if chosen.temperature:
            scaled, tables["temperature"] = calibrated_probabilities(predictions, raw)
            variants[CALIBRATED] = _with_probabilities(predictions, scaled)
    tables["calibration"] = calibration_table(variants, drawn)
    tables["reliability"] = reliability_table(variants)
    if features is not None:
        prepared = check_matrix("features", features)
        check_length("features", prepared[:, 0], predictions.n)
        tables["novelty"] = novelty_table(
            predictions,
            prepared,
            false_positive_rate=chosen.false_positive_rate,
            seed=chosen.seed,
        )
    if "mean_involvement" in samples and "max_involvement" in samples:
        tables["near_normal"] = near_normal_table(
            predictions,
            samples["mean_involvement"].to_numpy(np.float64, na_value=np.nan),
            samples["max_involvement"].to_numpy(np.float64, na_value=np.nan),
            seed=chosen.seed,
        )
    if comparators:
        others = {
            name: _with_probabilities(
                predictions,
                check_probabilities(f"probabilities of {name}", other, len(predictions.classes)),
            )
            for name, other in comparators.items()
        }
        tables["comparison"] = comparison_table(predictions, others, drawn)
    if readers is not None:
        tables |= _reader_tables(readers, samples, predictions, chosen)
    checked = {name: check_columns(name, table) for name, table in tables.items()}
    return Evaluation(checked, _headline(predictions, checked, chosen))


def _check_margins(predictions: Predictions, margins: npt.ArrayLike) -> Float64:
    raw = check_matrix("margins", margins, columns=len(predictions.classes))
    check_length("margins", raw[:, 0], predictions.n)
    if len(predictions.fold_names) < 2:
        raise DataError(
            "there is one fold only, so that no other fold can fit temperature or conformal sets",
            "Leave the margins out or evaluate several folds.",
        )
    return raw


def _set_tables(
    predictions: Predictions, raw: Float64, options: EvaluationOptions
) -> dict[str, pd.DataFrame]:
    """Return the table of conformal sets, unless there are too few patients for them."""
    try:
        sets = measured_sets(
            predictions,
            raw,
            alpha=min(options.alphas),
            randomised=options.randomised_sets,
            seed=options.seed,
        )
    except DataError as error:  # all arrays are checked: only patients can be too few
        logger.warning("Conformal sets are not evaluated: %s", error.message)
        return {}
    return {"conformal": coverage_table(predictions, sets, options.alphas)}


def _core_tables(
    predictions: Predictions,
    samples: pd.DataFrame,
    drawn: Resamples,
    options: EvaluationOptions,
) -> dict[str, pd.DataFrame]:
    """Return the tables that need nothing but predictions and the sample table."""
    area_draws = drawn.first(options.area_replicates)
    areas = one_vs_rest_areas(predictions, area_draws.weights)
    micro = micro_areas(predictions, area_draws.weights)
    values = figures(quick_figures(predictions, drawn.weights), areas, micro)
    return {
        "overall": overall_table(values, predictions, drawn),
        "folds": fold_table(values, predictions, drawn),
        "classes": class_table(predictions, areas, area_draws),
        "confusion": confusion_table(predictions),
        "one_vs_rest_curves": one_vs_rest_curves(predictions),
        "one_vs_one": one_vs_one_table(predictions, micro, area_draws),
        "one_vs_one_curves": one_vs_one_curves(predictions),
        "subgroups": subgroup_table(predictions, samples, drawn),
    }


def _reader_tables(
    readers: pd.DataFrame,
    samples: pd.DataFrame,
    predictions: Predictions,
    options: EvaluationOptions,
) -> dict[str, pd.DataFrame]:
    answers = read_answers(readers, predictions.classes)
    cases = match_cases(answers, samples, predictions.y, predictions.probabilities)
    return {
        "readers": reader_table(answers, cases, draws=options.reader_draws, seed=options.seed),
        "reader_cases": reader_case_table(answers, cases, predictions.classes),
    }


def _with_probabilities(predictions: Predictions, probabilities: Float64) -> Predictions:
    check_length("probabilities", probabilities[:, 0], predictions.n)
    return Predictions(
        predictions.y, probabilities, predictions.classes, predictions.fold, predictions.patient
    )


def _headline(
    predictions: Predictions, tables: Mapping[str, pd.DataFrame], options: EvaluationOptions
) -> dict[str, Any]:
    overall = tables["overall"].set_index("metric")
    figure_columns = ["value", "lower", "upper", "fold_mean", "fold_sd"]
    headline: dict[str, Any] = dict(counts(predictions))
    headline |= {
        str(metric): {name: _json_number(overall.loc[metric, name]) for name in figure_columns}
        for metric in overall.index
    }
    if "temperature" in tables:
        fitted = tables["temperature"].set_index("fold")["temperature"]
        headline["temperature"] = _json_number(fitted[ALL])
        calibration = tables["calibration"].set_index(["probabilities", "metric"])["value"]
        headline["expected_calibration_error_calibrated"] = _json_number(
            calibration[(CALIBRATED, "expected_calibration_error")]
        )
    if "conformal" in tables:
        sets = tables["conformal"]
        first = sets[sets["alpha"] == options.alphas[0]].set_index("class")
        headline["conformal"] = {
            "target": 1 - options.alphas[0],
            **{
                name: _json_number(first.loc[ALL, name])
                for name in ("coverage", "lower", "upper", "mean_size")
            },
            "lowest_class_coverage": _json_number(first["coverage"].drop(ALL).min()),
        }
    for name in ("novelty", "near_normal"):
        if name in tables:
            rates = tables[name].set_index("class").loc[ALL]
            headline[f"{name}_flagged_rate"] = _json_number(rates["flagged_rate"])
    return headline


def _json_number(value: Any) -> float | None:
    """Return a float, or None for NaN, which JSON does not know."""
    return float(value) if np.isfinite(value) else None


def check_columns(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return the table if its columns are those that ``columns.json`` describes, in order."""
    described = [
        column
        for column in described_tables(_PACKAGE)[name]
        if column in table or column not in CASE_COLUMNS
    ]
    if list(table.columns) != described:
        raise KeyError(f"table {name} has columns {list(table.columns)}, described: {described}")
    return table
