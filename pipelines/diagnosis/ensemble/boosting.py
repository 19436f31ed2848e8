"""One gradient-boosted multi-class model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.arrays import Float32, Index

if TYPE_CHECKING:
    import xgboost


# Names in a trial's parameters that are XGBoost's own.
_BOOSTER_PARAMETERS = (
    "eta",
    "max_depth",
    "min_child_weight",
    "subsample",
    "colsample_bytree",
    "lambda",
    "gamma",
)


@dataclass(frozen=True)
class Fit:
    """A trained booster and the number of its rounds that count."""

    booster: "xgboost.Booster"
    rounds: int


def training_matrix(
    features: Float32, y: Index, weights: Float32 | None, max_bin: int
) -> "xgboost.QuantileDMatrix":
    """Return binned training data, reusable for many fits.

    Parameters
    ----------
    features : float32 array (n, p)
        Prepared rows, without NaN.
    y : int array (n,)
        Class numbers.
    weights : float32 array (n,), optional
        Sample weights.
    max_bin : int
        Histogram bins of a feature.

    Raises
    ------
    ValueError
        If a feature is missing: XGBoost would learn the pattern of missing muscles, which tells
        the study a patient comes from.
    """
    import xgboost

    if np.isnan(features).any():
        raise ValueError("features must be imputed before boosting")
    return xgboost.QuantileDMatrix(features, y, weight=weights, max_bin=max_bin, nthread=1)


def fit_booster(
    train: "xgboost.QuantileDMatrix",
    parameters: Mapping[str, Any],
    *,
    classes: int,
    max_bin: int,
    seed: int,
    validation: "xgboost.DMatrix | None" = None,
    patience: int = 0,
) -> Fit:
    """Train a booster on one thread; the same data, parameters and seed give the same trees.

    Parameters
    ----------
    train : xgboost.QuantileDMatrix
        From :func:`training_matrix`.
    parameters : mapping
        Hyper-parameters of a trial; those of other steps are ignored.
    classes : int
        Number of classes.
    max_bin : int
        The bins `train` was made with.
    seed : int
        Of row and column sampling.
    validation : xgboost.DMatrix, optional
        Where to watch the loss for early stopping.
    patience : int
        Rounds without a better loss before the fit stops; 0 never stops.
    """
    import xgboost

    settings = {
        "objective": "multi:softprob",
        "num_class": classes,
        "tree_method": "hist",
        "max_bin": max_bin,
        "seed": seed,
        "nthread": 1,
        "verbosity": 0,
        **{name: parameters[name] for name in _BOOSTER_PARAMETERS},
    }
    rounds = int(parameters["rounds"])
    if validation is None or not patience:
        return Fit(xgboost.train(settings, train, rounds), rounds)
    booster = xgboost.train(
        settings,
        train,
        rounds,
        evals=[(validation, "validation")],
        early_stopping_rounds=patience,
        verbose_eval=False,
    )
    return Fit(booster, booster.best_iteration + 1)


def margins(booster: "xgboost.Booster", features: Float32, rounds: int | None = None) -> Float32:
    """Return the raw margins of samples.

    Parameters
    ----------
    booster : xgboost.Booster
        A multi-class model.
    features : float32 array (n, p)
        Prepared rows, without NaN.
    rounds : int, optional
        Use only the first rounds.

    Returns
    -------
    float32 array (n, K)
    """
    span = (0, rounds or booster.num_boosted_rounds())
    result: Float32 = booster.inplace_predict(features, iteration_range=span, predict_type="margin")
    return result


def load_booster(data: bytes) -> "xgboost.Booster":
    """Return the booster stored as UBJ."""
    import xgboost

    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(data))
    return booster


def store_booster(booster: "xgboost.Booster") -> bytes:
    """Return a booster as UBJ; loading it predicts bit for bit the same."""
    return bytes(booster.save_raw("ubj"))
