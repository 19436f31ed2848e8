"""Judge labels, whoever made them: sides, part of the body, place on the tissue, plausibility."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.anatomy.vocabulary import SIDES, Label, Side
from pipelines.arrays import Affine, Bool, Float32, UInt16
from pipelines.geometry import voxel_volume_ml
from pipelines.quality import Check
from pipelines.segmentation.review.body_parts import judge_slices, outside_part
from pipelines.segmentation.review.part_check import check_body_part
from pipelines.segmentation.review.placement import check_placement, find_placement
from pipelines.segmentation.review.plausibility import (
    check_plausibility,
    reference_ranges,
    with_reference,
)
from pipelines.segmentation.review.tissue import check_tissue
from pipelines.segmentation.sides.given_sides import check_given_sides

# Label maps of others that name fewer of the muscles with a reference cannot be compared with it:
# shares and places are those among all of them.
LEAST_COMPARED_SHARE = 0.8


@dataclass(frozen=True)
class Tissue:
    """What the images of a scan say, for labels to be judged by.

    Attributes
    ----------
    ff : ndarray of float32, shape (x, y, z)
        Fat fraction, percent.
    body : ndarray of bool, shape (x, y, z)
        Body mask.
    """

    ff: Float32
    body: Bool


@dataclass(frozen=True)
class Review:
    """Labels after their review.

    Attributes
    ----------
    labels : ndarray of uint16, shape (x, y, z)
        Without what was removed because it lies outside the model's part of the body.
    checks : list of Check
    parts : DataFrame or None
        Part of the body that each slice of each limb shows, see
        :func:`pipelines.segmentation.review.body_parts.judge_slices`.
    removed_ml : float
        Volume that was removed.
    """

    labels: UInt16
    checks: list[Check]
    parts: pd.DataFrame | None
    removed_ml: float


def review_labels(
    labels: UInt16,
    affine: Affine,
    label_map: Sequence[Label],
    limbs: Sequence[Side],
    *,
    region: str,
    tissue: Tissue | None = None,
    median_dice: float | None = None,
) -> Review:
    """Review the labels of a model and remove what lies outside its part of the body.

    Parameters
    ----------
    labels : ndarray of uint16, shape (x, y, z)
        Labels with sides, our values, in canonical orientation.
    affine : ndarray of shape (4, 4)
        Their affine, mm.
    label_map : sequence of Label
        What the model can find.
    limbs : sequence of str
        Sides that were told apart from shared labels; empty if the labels have sides of their own.
    region : str
        Part of the body the model is made for.
    tissue : Tissue, optional
        What the images say; without it, placement and tissue are not judged.
    median_dice : float, optional
        Median over the muscles of the Dice that the network itself expects.

    Returns
    -------
    Review
    """
    parts = judge_slices(labels, affine, label_map, region)
    kept = _inside(labels, parts, region)
    removed = int((kept != labels).sum()) * voxel_volume_ml(affine)
    checks = [] if limbs else [check_given_sides(kept, affine)]
    if parts is not None:
        checks.append(check_body_part(parts, region, removed_ml=removed))
    checks += check_plausibility(kept, affine, label_map, limbs, region, median_dice=median_dice)
    checks += _tissue_checks(kept, affine, tissue)
    return Review(kept, checks, parts, removed)


def review_given_labels(
    labels: UInt16,
    affine: Affine,
    label_map: Sequence[Label],
    limbs: Sequence[Side],
    *,
    tissue: Tissue,
    region: str = "thigh",
) -> Review:
    """Review labels that someone else made; nothing of them is removed.

    Parameters
    ----------
    labels, affine, label_map, limbs, tissue
        As for :func:`review_labels`.
    region : str
        Part of the body whose muscles are compared with its references; those of other parts are
        judged by their sides and by the tissue they lie on.

    Returns
    -------
    Review
    """
    checks = [] if limbs else [check_given_sides(labels, affine)]
    compared = with_reference(labels)
    known = [label for label in label_map if label.muscle in reference_ranges()]
    n_known = len({label.muscle for label in known})
    parts = None
    if compared.any() and n_known >= LEAST_COMPARED_SHARE * len(reference_ranges()):
        parts = judge_slices(compared, affine, label_map, region)
    if parts is not None:
        checks.append(check_body_part(parts, region, removed_ml=None))
        inside = _inside(compared, parts, region)
        sides = [side for side in SIDES if side in set(parts["side"])]
        # A map of one limb need not have the muscles of the other.
        both = [replace(label, side="both") for label in known]
        checks += check_plausibility(inside, affine, both, sides, region)
    checks += _tissue_checks(labels, affine, tissue)
    return Review(labels, checks, parts, 0.0)


def _inside(labels: UInt16, parts: pd.DataFrame | None, region: str) -> UInt16:
    """Remove labels outside a part of the body, unless all of them are."""
    if parts is None or not (parts["part"] == region).any():
        return labels
    return np.where(outside_part(labels, parts, region), 0, labels).astype(np.uint16)


def _tissue_checks(labels: UInt16, affine: Affine, tissue: Tissue | None) -> list[Check]:
    if tissue is None or not labels.any():
        return []
    placement = find_placement(labels, tissue.ff, tissue.body, affine)
    return [
        check_placement(placement),
        check_tissue(labels, tissue.ff, tissue.body, affine),
    ]
