"""Segment one scan: images in, labels with sides, confidence and checks out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipelines.arrays import Affine, Array, UInt16
from pipelines.progress import Progress
from pipelines.quality import Check
from pipelines.segmentation.channels import ChannelStack, stack_channels
from pipelines.segmentation.inference.predict import Segmenter, predict_labels
from pipelines.segmentation.review.confidence import (
    muscle_confidence,
    read_calibration,
    without_removed,
)
from pipelines.segmentation.review.continuity import reassign_discontinuous, remove_strays
from pipelines.segmentation.review.review import Review, Tissue, review_labels
from pipelines.segmentation.sides.single_limb import find_limbs, limb_columns, predict_single_limb
from pipelines.segmentation.sides.splitting import split_sides
from pipelines.water_fat.limbs import Limbs


@dataclass(frozen=True)
class Segmentation:
    """Labels of one scan and what to think of them.

    Attributes
    ----------
    labels : ndarray of uint16, shape (x, y, z)
        Values of :meth:`pipelines.anatomy.vocabulary.Muscle.value`, on the grid of the scan.
    confidence : DataFrame
        One row per muscle and side; see
        :func:`pipelines.segmentation.review.confidence.muscle_confidence`.
    checks : list of Check
        Sides, absent or implausible muscles, body region.
    provenance : dict
        Model, device, precision, channels and what was changed afterwards; for the sidecar.
    parts : DataFrame or None
        Part of the body that each slice of each limb shows.
    """

    labels: UInt16
    confidence: pd.DataFrame
    checks: list[Check]
    provenance: dict[str, Any]
    parts: pd.DataFrame | None = None


def segment(
    images: Mapping[str, Array],
    affine: Affine,
    segmenter: Segmenter,
    progress: Progress | None = None,
    *,
    limbs: Limbs | None = None,
    tissue: Tissue | None = None,
) -> Segmentation:
    """Segment one scan.

    Parameters
    ----------
    images : mapping of str to ndarray of shape (x, y, z)
        Magnitude images by kind (``water``, ``fat``, ``in_phase``, ``opposed_phase``, ``t1``) on
        one grid, in canonical orientation. The model takes those it was trained on.
    affine : ndarray of shape (4, 4)
        Affine of the grid, mm.
    segmenter : Segmenter
        A loaded model.
    progress : callable, optional
        Called with the number of tiles done and of all tiles.
    limbs : Limbs, optional
        The limbs in the images, as the fat fraction step found them. Models of pairs need them;
        they are sought in the channels if not given.
    tissue : Tissue, optional
        Fat fraction and body, to judge the labels by.

    Returns
    -------
    Segmentation

    Raises
    ------
    ModelError, DataError, DeviceError
        See :func:`pipelines.segmentation.channels.stack_channels` and
        :func:`pipelines.segmentation.inference.predict.predict_labels`.
    """
    files = segmenter.files
    stack = stack_channels(images, files)
    columns = None
    if files.limb_pair:
        columns = limb_columns(limbs or find_limbs(stack.data, affine))
    mirror_checks: list[Check] = []
    if columns is None:
        prediction = predict_labels(stack.data, affine, segmenter, progress)
    else:
        prediction, check = predict_single_limb(stack.data, columns, affine, segmenter, progress)
        mirror_checks = [check]
    split = split_sides(prediction.labels, affine, files.labels)
    continued, changed_ml = reassign_discontinuous(split.labels, affine)
    labels, removed = remove_strays(continued, affine)
    calibration = read_calibration(files.folder)
    confidence = muscle_confidence(labels, prediction, files.labels, calibration)
    median = float(confidence["soft_dice"].median()) if len(confidence) else None
    review = review_labels(
        labels,
        affine,
        files.labels,
        split.limbs,
        region=files.region,
        tissue=tissue,
        median_dice=median,
    )
    if review.removed_ml:
        cut = (labels > 0) & (review.labels == 0)
        cut |= cut.any(axis=(0, 1)) & ~review.labels.any(axis=(0, 1))
        remaining = without_removed(prediction, cut)
        confidence = muscle_confidence(review.labels, remaining, files.labels, calibration)
    checks = [
        *_input_checks(stack, segmenter),
        *mirror_checks,
        *split.checks,
        *review.checks,
    ]
    provenance = {
        **segmenter.provenance(),
        "Channels": [kind or "missing" for kind in stack.kinds],
        "LogitInterpolation": "linear",
        "MirrorCompletion": columns is not None,
        "DiscontinuousVolumeReassigned": round(changed_ml, 3),
        "StrayVolumeRemoved": round(sum(removed.values()), 3),
        "StrayVolumeUnits": "ml",
        "OutsideVolumeRemoved": round(review.removed_ml, 3),
        "BodyPartSlices": _part_slices(review),
    }
    return Segmentation(review.labels, confidence, checks, provenance, review.parts)


def _part_slices(review: Review) -> dict[str, dict[str, list[int]]]:
    """Return the first and last slice of each part of the body and limb."""
    if review.parts is None:
        return {}
    slices: dict[str, dict[str, list[int]]] = {}
    for (part, side), group in review.parts.groupby(["part", "side"])["slice"]:
        slices.setdefault(str(part), {})[str(side)] = [int(group.min()), int(group.max())]
    return slices


def _input_checks(stack: ChannelStack, segmenter: Segmenter) -> list[Check]:
    """Say where the input is less than what the model was made for."""
    files = segmenter.files
    checks = []
    for kind, kinds in zip(stack.kinds, files.channels, strict=True):
        if kind is None:
            text = (
                f"Model {files.name} did without the {' or '.join(kinds)} image; outlines are less "
                "certain."
            )
            checks.append(Check("model_channels", "warn", text))
        elif kind != kinds[0]:
            text = f"Model {files.name} was given the {kind} image in place of {kinds[0]}."
            checks.append(Check("model_channels", "warn", text))
    if files.orientation is None:
        text = (
            f"In which orientation model {files.name} was trained is not known; RAS is assumed. "
            "Look at the outlines."
        )
        checks.append(Check("model_orientation", "warn", text))
    return checks
