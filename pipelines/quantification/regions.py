"""Take the muscles out of a label image, one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipelines.anatomy.vocabulary import Muscle, Side, label_values
from pipelines.arrays import Affine, Bool, Floating, Index, Integer
from pipelines.errors import DataError
from pipelines.geometry import check_affine, voxel_sizes
from pipelines.quantification.erosion import Erosion, select_voxels
from pipelines.quantification.options import QuantificationOptions


@dataclass(frozen=True)
class Region:
    """The voxels of one muscle of one side, as lists ordered by slice.

    Attributes
    ----------
    muscle : Muscle
        Which muscle.
    side : {'left', 'right'}
        Which side.
    stack_slices : int
        Number of slices of the image.
    slices : ndarray of int, shape (n,)
        Slice (index along axis 2 of the image) of each voxel, rising from distal to proximal.
    ff : ndarray of float, shape (n,)
        Fat fraction of each voxel, percent; NaN where there is none.
    selected : ndarray of bool, shape (n,)
        Which voxels fat fraction statistics are computed on; all of them have a value.
    erosion : {'in_plane', '3d', 'none'}
        How they were selected.
    few_voxels : bool
        Whether there were too few voxels (see :func:`~.erosion.select_voxels`).
    """

    muscle: Muscle
    side: Side
    stack_slices: int
    slices: Index
    ff: Floating
    selected: Bool
    erosion: Erosion
    few_voxels: bool


def iterate_regions(
    labels: Integer, ff: Floating, affine: Affine, options: QuantificationOptions
) -> Iterator[Region]:
    """Yield every muscle that a label image holds, in vocabulary order, left before right.

    Only one muscle is held at a time, so the memory needed beside the two images is that of the
    largest muscle and the smallest box around it. Images that do not fit together, are of the wrong
    type, or hold unknown values are a ``DataError``.
    """
    _check_images(labels, ff, affine)
    sizes = voxel_sizes(affine)
    boxes = ndimage.find_objects(labels)
    known = label_values()
    unknown = [value for value, box in enumerate(boxes, start=1) if box and value not in known]
    if unknown:
        raise _unknown_values(unknown)
    for value, (muscle, side) in known.items():
        box = boxes[value - 1] if value <= len(boxes) else None
        if box is None:
            continue
        box = _with_margin(box, labels.shape)
        mask = labels[box] == value
        inside_ff = ff[box]
        selected, erosion, few = select_voxels(mask, np.isfinite(inside_ff), sizes, options)
        per_slice = np.count_nonzero(mask, axis=(0, 1))
        # Transposed, so that boolean indexing walks through the voxels slice by slice.
        yield Region(
            muscle=muscle,
            side=side,
            stack_slices=labels.shape[2],
            slices=np.repeat(np.arange(box[2].start, box[2].stop), per_slice),
            ff=inside_ff.T[mask.T],
            selected=selected.T[mask.T],
            erosion=erosion,
            few_voxels=few,
        )


def _with_margin(box: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[slice, slice, slice]:
    """Grow a box by one voxel wherever the image goes on."""
    x, y, z = (
        slice(max(edge.start - 1, 0), min(edge.stop + 1, size))
        for edge, size in zip(box, shape, strict=True)
    )
    return x, y, z


def _check_images(labels: Integer, ff: Floating, affine: Affine) -> None:
    if labels.ndim != 3 or labels.shape != ff.shape:
        raise DataError(
            f"The label image has shape {labels.shape} and the fat fraction map {ff.shape}; "
            "both must be 3D and on the same grid.",
            "Resample the label image to the grid of the fat fraction map (nearest neighbour).",
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"The label image holds {labels.dtype} values; labels must be integers.",
            "Store the label image with an integer type.",
        )
    if not np.issubdtype(ff.dtype, np.floating):
        raise DataError(
            f"The fat fraction map holds {ff.dtype} values; it must be floating point percent.",
            "Convert it with pipelines.water_fat.units.to_percent.",
        )
    check_affine(affine, "the label image")
    if labels.size == 0:
        raise DataError(f"The label image has no voxels (shape {labels.shape}).", "Check the file.")
    # Before looking for objects, whose list is as long as the largest value is high.
    lowest, highest = int(labels.min()), int(labels.max())
    out_of_range = [v for v in (lowest, highest) if v < 0 or v > max(label_values())]
    if out_of_range:
        raise _unknown_values(out_of_range)


def _unknown_values(values: list[int]) -> DataError:
    shown = ", ".join(str(value) for value in values[:10])
    more = f" and {len(values) - 10} more" if len(values) > 10 else ""
    return DataError(
        f"The label image holds values that mean no muscle and side: {shown}{more}.",
        "Translate the labels with a label map first (run.py --list muscles shows the values).",
    )
