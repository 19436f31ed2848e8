"""Compare the two label images of one scan, muscle by muscle."""

import math
from collections.abc import Mapping
from typing import Literal

from scipy import ndimage

from pipelines.anatomy.vocabulary import label_values
from pipelines.arrays import Affine, Bool, Floating, Integer
from pipelines.errors import DataError
from pipelines.geometry import check_affine, voxel_sizes, voxel_volume_ml
from pipelines.segmentation.evaluation.biomarkers import BIOMARKERS, mean_inside
from pipelines.segmentation.evaluation.overlap import Overlap, count_overlaps
from pipelines.segmentation.evaluation.surface import joint_box, surface_distances

Status = Literal["compared", "absent", "extra"]
Value = float | int | str


def compare_labels(
    reference: Integer, evaluated: Integer, affine: Affine, maps: Mapping[str, Floating]
) -> list[dict[str, Value]]:
    """Compare the labels of one scan with its reference.

    Parameters
    ----------
    reference, evaluated : ndarray of int, shape (x, y, z)
        Label values of :func:`pipelines.anatomy.vocabulary.label_values`, same grid.
    affine : ndarray of shape (4, 4)
        Affine of all arrays, mm.
    maps : Mapping of str to ndarray of float, shape (x, y, z)
        Maps by their name in :data:`~.biomarkers.BIOMARKERS`, in its units; NaN: no value.

    Returns
    -------
    list of dict
        One row per muscle and side that either label image holds, in rising order of label value:
        table ``muscles`` of ``columns.json`` without ``case``. What needs a muscle in both images
        is NaN where it is in one only.

    Raises
    ------
    DataError
        If arrays differ in shape, or labels hold values that mean no muscle and side.
    """
    check_affine(affine, "the label images")
    overlaps = count_overlaps(reference, evaluated)
    _check(reference, overlaps, maps)
    boxes = [ndimage.find_objects(labels) for labels in (reference, evaluated)]
    rows = []
    for value, overlap in overlaps.items():
        box = joint_box(*(found[value - 1] if value <= len(found) else None for found in boxes))
        masks = (reference[box] == value, evaluated[box] == value)
        cropped = {name: values[box] for name, values in maps.items()}
        rows.append(_row(value, overlap, masks, affine, cropped))
    return rows


def _row(
    value: int,
    overlap: Overlap,
    masks: tuple[Bool, Bool],
    affine: Affine,
    maps: Mapping[str, Floating],
) -> dict[str, Value]:
    muscle, side = label_values()[value]
    row: dict[str, Value] = {
        "muscle": muscle.name,
        "side": side,
        "region": muscle.region,
        "status": _status(overlap),
        "voxels_reference": overlap.reference,
        "voxels_evaluated": overlap.evaluated,
    }
    distances = surface_distances(*masks, spacing=voxel_sizes(affine).tolist())
    voxel_ml = voxel_volume_ml(affine)
    volume = overlap.reference * voxel_ml if overlap.reference else math.nan
    row |= {
        "dice": overlap.dice,
        "hd95_mm": distances.hd95,
        "assd_mm": distances.assd,
        "volume_reference_ml": volume,
        "volume_evaluated_ml": overlap.evaluated * voxel_ml if overlap.evaluated else math.nan,
        "volume_error_ml": overlap.size_error * voxel_ml,
        "volume_error_pct": 100.0 * overlap.size_error * voxel_ml / volume,
    }
    for name, values in maps.items():
        key = BIOMARKERS[name].key
        truth, found = (mean_inside(values, mask) for mask in masks)
        row |= {f"{key}_reference": truth, f"{key}_evaluated": found, f"{key}_error": found - truth}
    return row


def _status(overlap: Overlap) -> Status:
    if overlap.in_both:
        return "compared"
    return "absent" if overlap.reference else "extra"


def _check(
    reference: Integer, overlaps: Mapping[int, Overlap], maps: Mapping[str, Floating]
) -> None:
    unknown = [value for value in overlaps if value not in label_values()]
    if unknown:
        raise DataError(
            "The labels hold values that mean no muscle and side: "
            f"{', '.join(str(value) for value in unknown[:10])}.",
            "Translate them with a label map first (run.py --list muscles shows the values).",
        )
    for name, values in maps.items():
        if values.shape != reference.shape:
            raise DataError(
                f"The {name} map has shape {values.shape} and the labels {reference.shape}.",
                "Resample the map to the grid of the labels.",
            )
