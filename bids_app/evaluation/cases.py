"""Read the images of one scan and compare them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bids_app.dataset.label_maps import read_lookup
from bids_app.errors import AppError, ExitCode, from_pipeline
from bids_app.files.images import Volume, load_labels, load_volume
from bids_app.running.logs import LOGGER
from pipelines.arrays import Bool, Float32, UInt16
from pipelines.errors import PipelineError
from pipelines.geometry import same_grid, to_canonical
from pipelines.segmentation.evaluation.case import Value, compare_labels
from pipelines.segmentation.sides.splitting import split_sides
from pipelines.water_fat.units import to_percent

if TYPE_CHECKING:
    from pipelines.arrays import Floating

# A fat fraction map in percent exceeds this inside muscle; one stored as fractions never does.
LARGEST_FRACTION = 1.5


@dataclass(frozen=True)
class LabelledScan:
    """A label image and what says the meaning of its values."""

    image: Path
    lookup: Path | str


def compare_case(
    reference: LabelledScan, evaluated: LabelledScan, maps: Mapping[str, Path]
) -> list[dict[str, Value]]:
    """Compare two label images of one scan: rows of ``compare_labels``.

    Values that stand for both sides are split into left and right. Maps, by biomarker, are on the
    same grid: fat fraction in percent, T2 in ms.
    """
    truth, found = load_labels(reference.image), load_labels(evaluated.image)
    _check_grid(found, truth)
    truth_labels, found_labels = _to_ours(truth, reference), _to_ours(found, evaluated)
    inside = (truth_labels > 0) | (found_labels > 0)
    values = {name: _read_map(name, path, truth, inside) for name, path in maps.items()}
    _, affine, _ = to_canonical(truth.data, truth.affine)
    try:
        return compare_labels(truth_labels, found_labels, affine, values)
    except PipelineError as error:
        raise from_pipeline(error, str(evaluated.image)) from error


def _to_ours(volume: Volume, scan: LabelledScan) -> UInt16:
    """Translate a label image to the values and the orientation that the science works on."""
    labels, affine, _ = to_canonical(volume.data, volume.affine)
    split = split_sides(labels, affine, read_lookup(scan.lookup))
    for check in split.checks:
        if check.level != "pass":
            LOGGER.warning("%s: %s", scan.image, check.text)
    return split.labels


def _read_map(name: str, path: Path, grid: Volume, inside: Bool) -> "Floating":
    """Read a map in canonical order; NaN where it has no value."""
    volume = load_volume(path)
    _check_grid(volume, grid)
    data, _, _ = to_canonical(volume.data.astype(np.float32), volume.affine)
    if name == "FF":
        _check_percent(path, data[inside])
        return to_percent(data, "percent")
    if name == "T2":
        # Fits write 0 where they failed; no tissue has that T2.
        return np.where(data > 0, data, np.nan)
    return data


def _check_percent(path: Path, values: Float32) -> None:
    known = values[np.isfinite(values)]
    if known.size and 0 < known.max() <= LARGEST_FRACTION:
        raise AppError(
            f"{path} holds fractions, not percent: nothing inside the muscles exceeds "
            f"{known.max():.3g}.",
            ExitCode.BAD_DATA,
            "Multiply it by 100; fat fraction maps of MyoMIDS are in percent.",
        )


def _check_grid(volume: Volume, grid: Volume) -> None:
    if not same_grid(volume.data.shape, volume.affine, grid.data.shape, grid.affine):
        raise AppError(
            f"{volume.path} ({_size(volume)}) and {grid.path} ({_size(grid)}) are not on the same "
            "grid.",
            ExitCode.BAD_DATA,
            "Resample one of them to the grid of the other (label images: nearest neighbour).",
        )


def _size(volume: Volume) -> str:
    x, y, z = volume.data.shape[:3]
    corner = ", ".join(f"{value:.1f}" for value in volume.affine[:3, 3])
    return f"{x} x {y} x {z} voxels, first at {corner} mm"
