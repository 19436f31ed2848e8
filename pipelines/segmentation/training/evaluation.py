"""Measure a network on whole synthetic scans of held-out thighs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from pipelines.arrays import Bool, Float32, UInt8
from pipelines.segmentation.evaluation.severity import SEVERE_FAT_PERCENT
from pipelines.segmentation.synthesis.anatomy import Thigh
from pipelines.segmentation.synthesis.canvas import PIXEL_MM, SECTION_MM
from pipelines.segmentation.synthesis.sampler import Sampler, Scene
from pipelines.segmentation.synthesis.tissues import CLASS_NAMES, MUSCLES

# Muscles smaller than this in a scan are end slivers, not muscles to be scored.
SMALLEST_VOLUME_ML = 1.0


@dataclass(frozen=True)
class _Score:
    """One muscle of one side in one scan."""

    muscle: str
    side: str
    dice: float
    volume_ml: float
    predicted_ml: float


@dataclass(frozen=True)
class SyntheticScan:
    """A synthetic scan of a thigh on the slices of its label map.

    Attributes
    ----------
    scene : Scene
        What was drawn.
    images : ndarray of float32, shape (2, x, y, slices)
        Normalized water and fat.
    classes : ndarray of uint8, shape (x, y, slices)
        True class of every pixel.
    slice_mm : float
        Distance between slices.
    """

    scene: Scene
    images: Float32
    classes: UInt8
    slice_mm: float


def draw_scan(sampler: Sampler, thigh: Thigh) -> SyntheticScan:
    """Draw a synthetic scan of a thigh."""
    scene = sampler.draw_scene(thigh)
    sections = np.flatnonzero(thigh.native)
    samples = [sampler.draw_slice(scene, int(section)) for section in sections]
    return SyntheticScan(
        scene,
        np.stack([sample.image for sample in samples], axis=-1),
        np.stack([sample.classes for sample in samples], axis=-1),
        SECTION_MM * float(np.diff(sections).mean()),
    )


def evaluate_on_synthetic_scans(
    predict: Callable[[SyntheticScan], UInt8],
    thighs: Sequence[Thigh],
    sampler: Sampler,
    scans_per_thigh: int,
) -> pd.DataFrame:
    """Segment synthetic scans of thighs and compare with their labels.

    Parameters
    ----------
    predict : callable
        Returns the class of every pixel of a scan, shape (x, y, slices).
    thighs : sequence of Thigh
        Anatomies that the model was not trained on.
    sampler : Sampler
        Draws the scans.
    scans_per_thigh : int
        Scans of each thigh.

    Returns
    -------
    pandas.DataFrame
        One row per scan, muscle and side: ``dice``, ``volume_ml``, ``predicted_ml`` and
        ``fat_percent``, the drawn fat fraction.
    """
    rows = []
    for number, thigh in enumerate(thighs):
        for scan in range(scans_per_thigh):
            drawn = draw_scan(sampler, thigh)
            scene = drawn.scene
            right = scene.right[::-1] if scene.flipped else scene.right
            fat = 100 * scene.look.replacement.mean.reshape(2, 256)
            voxel_ml = PIXEL_MM**2 * drawn.slice_mm / 1000
            for score in _compare(drawn.classes, predict(drawn), right, voxel_ml):
                label = CLASS_NAMES.index(score.muscle)
                percent = fat[int(score.side == "second"), label]
                rows.append({"thigh": number, "scan": scan, "fat_percent": percent, **vars(score)})
    return pd.DataFrame(rows)


def slice_by_slice(network: torch.nn.Module) -> Callable[[SyntheticScan], UInt8]:
    """Return a function that shows a network each slice of a scan alone.

    That is without the say of adjacent slices that a model's entry in the registry may ask for: it
    follows a training, in which only the network changes.
    """
    return lambda scan: predict_classes(network, np.moveaxis(scan.images, -1, 0))


@torch.inference_mode()
def predict_classes(network: torch.nn.Module, images: Float32) -> UInt8:
    """Return the classes (x, y, slices) of slices (slices, 2, x, y)."""
    classes = [
        network(torch.from_numpy(np.ascontiguousarray(image.transpose(0, 2, 1)))[None])
        .argmax(dim=1)[0]
        .numpy()
        .astype(np.uint8)
        .T
        for image in images
    ]
    return np.stack(classes, axis=-1)


def _compare(
    truth: UInt8,
    predicted: UInt8,
    right: Bool,
    voxel_ml: float,
) -> list[_Score]:
    """Score every muscle of both sides; sides are told by the truth's midline."""
    scores = []
    for side, inside in (("first", ~right), ("second", right)):
        for label in MUSCLES:
            a = (truth == label) & inside[:, :, None]
            b = (predicted == label) & inside[:, :, None]
            volume = a.sum() * voxel_ml
            if volume >= SMALLEST_VOLUME_ML:
                dice = float(2 * (a & b).sum() / (a.sum() + b.sum()))
                predicted_ml = float(b.sum() * voxel_ml)
                scores.append(_Score(CLASS_NAMES[label], side, dice, float(volume), predicted_ml))
    return scores


def summarize(scores: pd.DataFrame) -> pd.DataFrame:
    """Return mean Dice, its spread and the rate of absent muscles, by muscle and severity.

    Returns one row per severity (``mild``, ``severe``) and muscle, and one per severity for all
    muscles together (``all``).
    """
    severity = np.where(scores["fat_percent"] < SEVERE_FAT_PERCENT, "mild", "severe")
    labelled = scores.assign(severity=severity, absent=scores["predicted_ml"] == 0)
    both = pd.concat([labelled, labelled.assign(muscle="all")])
    return (
        both.groupby(["severity", "muscle"])
        .agg(
            n=("dice", "size"),
            dice_mean=("dice", "mean"),
            dice_sd=("dice", "std"),
            absence_rate=("absent", "mean"),
        )
        .reset_index()
    )
