"""One fit of the search: train on an inner fold, score its validation rows."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.diagnosis.boosting import fit_booster, margins
from pipelines.diagnosis.histogram_trees import validation_margins
from pipelines.diagnosis.prepared_fold import PreparedFold
from pipelines.diagnosis.protocol import Protocol

FloatArray = npt.NDArray[np.float32]


def score_inner_fold(
    fold: PreparedFold, parameters: dict[str, Any], classes: int, protocol: Protocol
) -> tuple[float, int]:
    """Return the balanced accuracy of a combination on one inner fold and its rounds."""
    train = _train_compiled if protocol.search_trees == "compiled" else _train_xgboost
    found, rounds = train(fold, parameters, classes, protocol)
    return _balanced_accuracy(fold.y_validation, found.argmax(axis=1)), rounds


def _train_compiled(
    fold: PreparedFold, parameters: dict[str, Any], classes: int, protocol: Protocol
) -> tuple[FloatArray, int]:
    """Return the margins of the validation rows by our own trees, and the rounds they took."""
    rows = fold.training.rows(parameters)
    return validation_margins(
        rows,
        rows.bin(fold.validation(int(parameters["knn_k"]))),
        fold.y_validation,
        parameters,
        classes=classes,
        seed=protocol.seed,
        patience=protocol.early_stopping,
    )


def _train_xgboost(
    fold: PreparedFold, parameters: dict[str, Any], classes: int, protocol: Protocol
) -> tuple[FloatArray, int]:
    """Return the margins of the validation rows by XGBoost, and the rounds they took."""
    k = int(parameters["knn_k"])
    patience = protocol.early_stopping
    fit = fit_booster(
        fold.training.matrix(parameters),
        parameters,
        classes=classes,
        max_bin=protocol.max_bin,
        seed=protocol.seed,
        validation=fold.validation_matrix(k) if patience else None,
        patience=patience,
    )
    return margins(fit.booster, fold.validation(k), fit.rounds), fit.rounds


def _balanced_accuracy(y: Any, predicted: Any) -> float:
    """Return the mean recall over the classes present."""
    counts = np.bincount(y)
    hits = np.bincount(y[y == predicted], minlength=counts.size)
    return float(np.mean(hits[counts > 0] / counts[counts > 0]))
