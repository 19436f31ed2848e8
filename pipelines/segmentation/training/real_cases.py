"""Read labelled real scans that a training mixes with the synthesized slices.

A table (TSV) with the columns ``person``, ``water``, ``fat``, ``labels`` and ``label_map`` names
them, one scan a row: three NIfTI files on one grid, and how the label image numbers its muscles (a
table, or a name of ``pipelines/anatomy/labels``). Paths are relative to the table.
"""

from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from scipy import ndimage

from pipelines.anatomy.label_maps import label_map_names, read_label_map
from pipelines.arrays import Array, Bool, Float32, Float64, UInt8
from pipelines.errors import DataError
from pipelines.geometry import to_canonical, voxel_sizes
from pipelines.segmentation.channels import normalize_dixon
from pipelines.segmentation.synthesis.canvas import CANVAS_SHAPE, PIXEL_MM
from pipelines.segmentation.synthesis.label_cleaning import leg_midline
from pipelines.segmentation.synthesis.real_sampler import RealSlice
from pipelines.segmentation.synthesis.tissues import (
    BODY_CLASS,
    BONE_CLASS,
    CLASS_NAMES,
    MUSCLES,
    OTHER_MUSCLE_CLASS,
)
from pipelines.text_table import read_text_rows

_COLUMNS = ("person", "water", "fat", "labels", "label_map")
# What labels leave free may be one of these.
_SURROUNDINGS = (0, BONE_CLASS, OTHER_MUSCLE_CLASS, BODY_CLASS)
# A network's stages halve its input; sizes are multiples of this many pixels.
_NETWORK_STEP = 32


def read_real_cases(table: Path, network: torch.nn.Module) -> dict[str, list[RealSlice]]:
    """Read the scans that a table names.

    Parameters
    ----------
    table : Path
        See the module's description.
    network : torch.nn.Module
        A trained network of the same classes. It tells bone, unlabelled muscle and other tissue
        where the labels name no muscle.

    Returns
    -------
    dict of str to list of RealSlice
        The slices of each person.

    Raises
    ------
    DataError
        If the table or one of its files cannot be used.
    """
    try:
        rows = list(read_text_rows(table.read_text(encoding="utf-8-sig"), str(table)))
    except OSError as error:
        raise DataError(f"{table} cannot be read: {error}.", "Give a table of cases.") from error
    cases: dict[str, list[RealSlice]] = {}
    for line, row in rows:
        missing = [column for column in _COLUMNS if not row.get(column)]
        if missing:
            raise DataError(
                f"{table}, line {line}: no {' and no '.join(missing)}.",
                f"Give a TSV file with the columns {', '.join(_COLUMNS)}.",
            )
        cases.setdefault(row["person"], []).extend(_read_case(table.parent, row, network))
    if not cases:
        raise DataError(f"{table} names no case.", "Add a row per scan.")
    return cases


def _read_case(folder: Path, row: Mapping[str, str], network: torch.nn.Module) -> list[RealSlice]:
    """Read one scan and put its slices on the canvas."""
    paths = [folder / row[name] for name in ("water", "fat", "labels")]
    (water, affine), *others = [_read(path) for path in paths]
    for path, (data, other_affine) in zip(paths[1:], others, strict=True):
        if data.shape != water.shape or not np.allclose(other_affine, affine, atol=1e-3):
            raise DataError(
                f"{path} is not on the grid of {paths[0]}.", "Resample it to that grid first."
            )
    (fat, _), (labels, _) = others
    images = normalize_dixon(water, fat)
    muscles = _muscle_classes(labels, _label_map(folder, row["label_map"]), paths[2])
    midline = leg_midline(muscles)
    scale = PIXEL_MM / voxel_sizes(affine)[:2]
    slices = []
    for z in range(labels.shape[2]):
        middle = np.array([midline, _body_middle(images[..., z])])
        offset = middle - scale * (np.array(CANVAS_SHAPE) - 1) / 2
        resampled = [
            ndimage.affine_transform(
                channel[:, :, z], scale, offset, output_shape=CANVAS_SHAPE, order=3
            )
            for channel in images
        ]
        image: Float32 = np.stack(resampled).clip(0)
        classes: UInt8 = ndimage.affine_transform(
            muscles[:, :, z], scale, offset, output_shape=CANVAS_SHAPE, order=0
        )
        surroundings = predict_surroundings(network, image)
        classes[classes == 0] = surroundings[classes == 0]
        slices.append(RealSlice(image, classes, (CANVAS_SHAPE[0] - 1) / 2))
    return slices


def _read(path: Path) -> tuple[Array, Float64]:
    try:
        image = nib.load(path)
        data = np.asanyarray(image.dataobj)
    except (OSError, nib.filebasedimages.ImageFileError) as error:
        raise DataError(f"{path} cannot be read: {error}.", "Give a NIfTI file.") from error
    if data.ndim != 3:
        raise DataError(f"{path} has {data.ndim} axes.", "Give a volume with three.")
    canonical, affine, _ = to_canonical(data, image.affine)
    return canonical, affine


def _label_map(folder: Path, name: str) -> str:
    return name if name in label_map_names() else str(folder / name)


def _muscle_classes(labels: Array, label_map: str, path: Path) -> UInt8:
    """Return the class of each voxel of a label image; 0 where it names no muscle."""
    classes = np.zeros(labels.shape, np.uint8)
    for label in read_label_map(label_map):
        if label.muscle is None:
            continue
        known = label.muscle in CLASS_NAMES
        number = CLASS_NAMES.index(label.muscle) if known else OTHER_MUSCLE_CLASS
        classes[labels == label.value] = number
    if not np.isin(classes, MUSCLES).any():
        raise DataError(
            f"{path} holds none of the muscles that are learned.",
            f"They are {', '.join(CLASS_NAMES[value] for value in MUSCLES)}.",
        )
    return classes


def _body(image: Float32) -> Bool:
    """Tell the pixels with signal from air; normalization has set the scale."""
    total: Float32 = image.sum(axis=0)
    return total > 0.2


def _body_middle(image: Float32) -> float:
    """Return the middle of the body along the second axis, voxels."""
    rows = np.flatnonzero(_body(image).mean(axis=0) > 0.02)
    return float(rows[[0, -1]].mean()) if rows.size else (image.shape[2] - 1) / 2


@torch.inference_mode()
def predict_surroundings(network: torch.nn.Module, image: Float32) -> UInt8:
    """Return which class other than a muscle a network sees in each pixel.

    `image` is (2, x, y); the result is (x, y).
    """
    shape = image.shape[1:]
    more = [(0, -size % _NETWORK_STEP) for size in shape]
    padded = np.pad(image, ((0, 0), *more))
    logits = network(torch.from_numpy(np.ascontiguousarray(padded.transpose(0, 2, 1)))[None])
    free = logits[0, list(_SURROUNDINGS)].argmax(dim=0).numpy().T[: shape[0], : shape[1]]
    classes: UInt8 = np.array(_SURROUNDINGS, np.uint8)[free]
    return classes
