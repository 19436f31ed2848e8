"""Calibrate a model's confidence on synthetic scans of thighs it was not trained on."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipelines.anatomy.vocabulary import muscles
from pipelines.arrays import UInt16
from pipelines.segmentation.inference.predict import Segmenter, predict_labels
from pipelines.segmentation.review.confidence import fit_calibration, muscle_confidence
from pipelines.segmentation.review.continuity import remove_strays
from pipelines.segmentation.sides.splitting import split_sides
from pipelines.segmentation.synthesis.anatomy import Thigh
from pipelines.segmentation.synthesis.canvas import PIXEL_MM
from pipelines.segmentation.synthesis.sampler import Sampler
from pipelines.segmentation.training.evaluation import draw_scan


def score_synthetic_scans(
    segmenter: Segmenter, thighs: Sequence[Thigh], sampler: Sampler, scans_per_thigh: int
) -> pd.DataFrame:
    """Segment synthetic scans as real ones are, and compare confidence with the Dice reached.

    Parameters
    ----------
    segmenter : Segmenter
        A loaded model of the classes of :mod:`~pipelines.segmentation.synthesis.tissues`.
    thighs : sequence of Thigh
        Anatomies that the model was not trained on.
    sampler : Sampler
        Draws the scans; both legs must be in them.
    scans_per_thigh : int
        Scans of each thigh.

    Returns
    -------
    pandas.DataFrame
        One row per scan, muscle and side that was found: ``thigh``, ``scan``, the columns of
        :func:`~.confidence.muscle_confidence` and ``dice``. A muscle found
        where there is none has a Dice of 0.
    """
    label_map = segmenter.files.labels
    tables = []
    for number, thigh in enumerate(thighs):
        for scan in range(scans_per_thigh):
            drawn = draw_scan(sampler, thigh)
            affine = np.diag([PIXEL_MM, PIXEL_MM, drawn.slice_mm, 1.0])
            prediction = predict_labels(drawn.images, affine, segmenter)
            truth = split_sides(drawn.classes, affine, label_map).labels
            found, _ = remove_strays(
                split_sides(prediction.labels, affine, label_map).labels, affine
            )
            table = muscle_confidence(found, prediction, label_map)
            dice = [
                _dice(found, truth, muscles()[muscle].value(side))
                for muscle, side in zip(table["muscle"], table["side"], strict=True)
            ]
            tables.append(table.assign(thigh=number, scan=scan, dice=dice))
    return pd.concat(tables, ignore_index=True)


def calibration_error(scores: pd.DataFrame) -> float:
    """Return how far the expected Dice is off on average in thighs it was not fitted on.

    Parameters
    ----------
    scores : pandas.DataFrame
        From :func:`score_synthetic_scans`, with at least two thighs.
    """
    errors = []
    for thigh in scores["thigh"].unique():
        inside = (scores["thigh"] == thigh).to_numpy()
        others = scores[~inside]
        fitted = fit_calibration(others["soft_dice"].to_numpy(), others["dice"].to_numpy(), "")
        expected = fitted.expected_dice(scores["soft_dice"].to_numpy()[inside])
        errors.append(np.abs(expected - scores["dice"].to_numpy()[inside]))
    return float(np.concatenate(errors).mean())


def _dice(found: UInt16, truth: UInt16, value: int) -> float:
    a, b = found == value, truth == value
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))
