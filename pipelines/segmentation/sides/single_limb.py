"""Segment an image of one limb with a model that only knows pairs.

A network trained on both thighs finds its way by the other one: which side is medial, how wide the
body is. An image of one thigh is therefore completed with its mirror image. Which way round is
not known beforehand, so both are tried, and the image as it is; the one in which the network finds
most muscle with most certainty is kept.
"""

from collections.abc import Sequence

import numpy as np

from pipelines.anatomy.vocabulary import Label
from pipelines.arrays import Affine, Floating
from pipelines.progress import Progress
from pipelines.quality import Check
from pipelines.segmentation.inference.export import UNIT_STEPS, Prediction
from pipelines.segmentation.inference.predict import Segmenter, predict_labels
from pipelines.water_fat.body import body_mask
from pipelines.water_fat.limbs import Limbs, label_limbs

# Air kept between the limb and its mirror image.
GAP_VOXELS = 4
_RUNS = 3


def find_limbs(channels: Floating, affine: Affine) -> Limbs:
    """Find the limbs in channels (c, x, y, z) whose fat fraction nobody computed.

    The body is found as in the fat fraction step; negative values mark missing channels.
    """
    return label_limbs(body_mask(np.maximum(channels, 0).sum(axis=0), affine), affine)


def limb_columns(limbs: Limbs) -> slice | None:
    """Return the columns that hold the limb and a little air; None if there are two limbs."""
    if limbs.names != ("single",):
        return None
    columns = np.flatnonzero(limbs.labels.any(axis=(1, 2)))
    return slice(max(0, int(columns[0]) - GAP_VOXELS), int(columns[-1]) + 1 + GAP_VOXELS)


def predict_single_limb(
    channels: Floating,
    columns: slice,
    affine: Affine,
    segmenter: Segmenter,
    progress: Progress | None = None,
) -> tuple[Prediction, Check]:
    """Label an image of one limb, alone and beside its mirror image on either side.

    Parameters
    ----------
    channels : ndarray of shape (c, x, y, z)
        Normalized channels.
    columns : slice
        Where the limb is; from :func:`limb_columns`.
    affine : ndarray of shape (4, 4)
        Their affine, mm.
    segmenter : Segmenter
        A loaded model.
    progress : callable, optional
        As for :func:`pipelines.segmentation.inference.predict.predict_labels`.

    Returns
    -------
    prediction : Prediction
        On the grid of `channels`.
    check : Check
        Says what was done.
    """
    limb = channels[:, columns]
    mirrored = limb[:, ::-1]
    width = limb.shape[1]
    runs = (
        ("alone", channels, columns),
        ("as a left limb", np.concatenate([limb, mirrored], axis=1), slice(0, width)),
        ("as a right limb", np.concatenate([mirrored, limb], axis=1), slice(width, None)),
    )
    best_mass, best = -1.0, None
    for number, (way, image, part) in enumerate(runs):
        found = predict_labels(image, affine, segmenter, _share(progress, number))
        found = _part(found, part, share=0.5 if number else 1.0)
        mass = _muscle_mass(found, segmenter.files.labels)
        if mass > best_mass:
            best_mass, best = mass, (way, found)
    assert best is not None, "three runs were made"
    way, found = best
    text = (
        f"The image shows one limb. Model {segmenter.files.name} was trained on pairs and found "
        f"most muscle {way}" + (", beside its mirror image." if way != "alone" else ".")
    )
    check = Check("mirrored_limb", "warn", text)
    return _restore(found, columns, channels.shape[1:]), check


def _share(progress: Progress | None, number: int) -> Progress | None:
    """Report one of the runs as its share of all of them."""
    if progress is None:
        return None
    return lambda done, total: progress(number * total + done, _RUNS * total)


def _part(found: Prediction, columns: slice, *, share: float) -> Prediction:
    """Cut out the columns of the limb; it has this share of the soft volumes."""
    return Prediction(
        found.labels[columns],
        found.probability[columns],
        found.entropy[columns],
        {value: share * voxels for value, voxels in found.soft_voxels.items()},
    )


def _muscle_mass(found: Prediction, label_map: Sequence[Label]) -> float:
    """Return the probability summed over the voxels labelled as a muscle."""
    values = [label.value for label in label_map if label.muscle]
    inside = np.isin(found.labels, values)
    return float(found.probability[inside].sum(dtype=np.float64) / UNIT_STEPS)


def _restore(found: Prediction, columns: slice, shape: tuple[int, ...]) -> Prediction:
    """Put the labels of the limb back on the grid of the whole image."""
    labels = np.zeros(shape, found.labels.dtype)
    probability = np.full(shape, UNIT_STEPS, np.uint8)
    entropy = np.zeros(shape, np.uint8)
    labels[columns] = found.labels
    probability[columns] = found.probability
    entropy[columns] = found.entropy
    return Prediction(labels, probability, entropy, found.soft_voxels)
