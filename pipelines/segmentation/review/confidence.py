"""How sure the network was of each muscle, and what Dice that lets expect.

The raw score is the Dice coefficient that the network itself expects: if its probabilities are
true, a mask M of probability sum P overlaps the truth in P voxels, and the truth has all of the
label's probability as its size, so Dice = ``2 P / (|M| + total)``. A calibration curve, fitted per
model on cases with known truth, turns the score into a predicted Dice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import optimize

from pipelines.anatomy.vocabulary import Label, label_values
from pipelines.arrays import Bool, Float64, UInt16
from pipelines.errors import ModelError
from pipelines.files import read_json, write_json
from pipelines.segmentation.catalogue.trust import CALIBRATION
from pipelines.segmentation.inference.export import UNIT_STEPS, Prediction

# Below this many cases a fitted curve would follow single muscles.
MIN_CALIBRATION_CASES = 20

COLUMNS = (
    "muscle",
    "side",
    "mean_probability",
    "boundary_probability",
    "mean_entropy",
    "soft_dice",
    "expected_dice",
)


@dataclass(frozen=True)
class Calibration:
    """A curve from the raw score to the expected Dice.

    Attributes
    ----------
    scores, dice : tuple of float
        Points of the curve, both rising; straight lines between them, flat outside.
    source : str
        What it was fitted on.
    """

    scores: tuple[float, ...]
    dice: tuple[float, ...]
    source: str

    def expected_dice(self, score: Float64) -> Float64:
        """Return the Dice to expect for raw scores."""
        expected: Float64 = np.interp(score, self.scores, self.dice)
        return expected


def read_calibration(model_folder: Path) -> Calibration | None:
    """Read the calibration that comes with a model.

    Returns
    -------
    Calibration or None
        None if the model has none.

    Raises
    ------
    ModelError
        If the file is malformed.
    """
    path = model_folder / CALIBRATION
    if not path.is_file():
        return None
    try:
        content = read_json(path)
        points = [(float(score), float(dice)) for score, dice in content["points"]]
        source = str(content["source"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ModelError(f"{path} cannot be used: {error!r}.") from error
    if not all(0 <= value <= 1 for point in points for value in point):
        raise ModelError(
            f"{path} has points that are not between 0 and 1.", "Fit the calibration again."
        )
    scores, dice = zip(*points, strict=True) if points else ((), ())
    if not points or list(scores) != sorted(set(scores)) or list(dice) != sorted(dice):
        raise ModelError(f"{path} has points that do not rise.", "Fit the calibration again.")
    return Calibration(scores, dice, source)


def fit_calibration(scores: Float64, dice: Float64, source: str) -> Calibration:
    """Fit a rising curve from raw scores to the Dice that was reached.

    Parameters
    ----------
    scores, dice : ndarray of shape (n,)
        Raw score and true Dice of each muscle and side of the calibration cases, 0 to 1.
    source : str
        What the cases are, for the file.

    Returns
    -------
    Calibration
        Isotonic (least-squares rising) regression.

    Raises
    ------
    ModelError
        If there are fewer than :data:`MIN_CALIBRATION_CASES` values.
    """
    if len(scores) < MIN_CALIBRATION_CASES:
        raise ModelError(
            f"{len(scores)} values do not suffice for a calibration.",
            f"Give at least {MIN_CALIBRATION_CASES}.",
        )
    order = np.argsort(scores)
    fitted = optimize.isotonic_regression(dice[order]).x
    # One point in the middle of each level keeps the curve rising and short.
    levels, start = np.unique(fitted, return_index=True)
    blocks = np.split(scores[order], start[1:])
    middle = [float(block.mean()) for block in blocks]
    return Calibration(tuple(middle), tuple(float(level) for level in levels), source)


def write_calibration(calibration: Calibration, model_folder: Path) -> Path:
    """Write a calibration beside a model's weights; returns the file."""
    path = model_folder / CALIBRATION
    points = [
        [round(s, 5), round(d, 5)]
        for s, d in zip(calibration.scores, calibration.dice, strict=True)
    ]
    content = {"source": calibration.source, "points": points}
    write_json(path, content)
    return path


def muscle_confidence(
    labels: UInt16,
    prediction: Prediction,
    label_map: Sequence[Label],
    calibration: Calibration | None = None,
) -> pd.DataFrame:
    """Summarize the network's probabilities for each muscle and side.

    Parameters
    ----------
    labels : ndarray of uint16, shape (x, y, z)
        Labels with sides, our values; may have been cleaned since the prediction.
    prediction : Prediction
        What the network said.
    label_map : sequence of Label
        What the model's values mean.
    calibration : Calibration or None
        Without one, ``expected_dice`` is missing.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`; one row per muscle and side that was found. ``mean_probability``
        and ``mean_entropy`` are over the mask (entropy 0: certain, 1: all labels equally likely),
        ``boundary_probability`` over its in-plane border; ``soft_dice`` is the raw score.
    """
    inside = labels > 0
    values = labels[inside]
    size = int(values.max()) + 1 if values.size else 1
    count = np.bincount(values, minlength=size)
    certainty = prediction.probability[inside] / UNIT_STEPS
    mass = np.bincount(values, certainty, size)
    disorder = np.bincount(values, prediction.entropy[inside] / UNIT_STEPS, size)
    border = _in_plane_border(labels)[inside]
    border_count = np.bincount(values[border], minlength=size)
    border_mass = np.bincount(values[border], certainty[border], size)
    totals = _totals(prediction.soft_voxels, label_map)
    rows = []
    for value in np.flatnonzero(count):
        muscle, side = label_values()[int(value)]
        both = [muscle.value("left"), muscle.value("right")]
        total, shared = totals[muscle.name, side]
        parts = [v for v in both if v < size] if shared else [value]
        # Probability outside the masks is shared out by their size.
        outside = max(0.0, total - float(mass[parts].sum())) * count[value] / count[parts].sum()
        score = 2 * mass[value] / (count[value] + mass[value] + outside)
        expected = calibration.expected_dice(np.array([score]))[0] if calibration else np.nan
        rows.append(
            (
                muscle.name,
                side,
                mass[value] / count[value],
                border_mass[value] / border_count[value] if border_count[value] else np.nan,
                disorder[value] / count[value],
                score,
                expected,
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def without_removed(prediction: Prediction, removed: Bool) -> Prediction:
    """Take from each slice's soft volumes the share that went with removed voxels."""
    soft_voxels = {}
    for value, soft in prediction.soft_voxels.items():
        axes = tuple(axis for axis in range(removed.ndim) if soft.shape[axis] == 1)
        own = np.where(prediction.labels == value, prediction.probability, 0)
        before, gone = (
            values.sum(axis=axes, keepdims=True, dtype=np.float64)
            for values in (own, np.where(removed, own, 0))
        )
        # Where a slice has none of the label, its probability goes with the area.
        share = np.divide(
            gone, before, out=removed.mean(axis=axes, keepdims=True), where=before > 0
        )
        soft_voxels[value] = soft * (1.0 - share)
    return replace(prediction, soft_voxels=soft_voxels)


def _totals(
    soft_voxels: Mapping[int, Float64], label_map: Sequence[Label]
) -> dict[tuple[str, str], tuple[float, bool]]:
    """Return each muscle's and side's probability sum, and whether it covers both sides."""
    totals: dict[tuple[str, str], tuple[float, bool]] = {}
    for label in label_map:
        if label.muscle is None:
            continue
        shared = label.side == "both"
        for side in ("left", "right") if shared else (label.side,):
            before = totals.get((label.muscle, side), (0.0, shared))[0]
            found = float(soft_voxels[label.value].sum()) if label.value in soft_voxels else 0.0
            totals[label.muscle, side] = (before + found, shared)
    return totals


def _in_plane_border(labels: UInt16) -> Bool:
    """Mark voxels with a neighbour of another label in their slice, or at the image's edge."""
    border = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        moved = np.moveaxis(labels, axis, 0)
        marked = np.moveaxis(border, axis, 0)
        differs = moved[1:] != moved[:-1]
        marked[1:] |= differs
        marked[:-1] |= differs
        marked[[0, -1]] = True
    return border & (labels > 0)
