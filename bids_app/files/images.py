"""Load NIfTI images; the one place that does.

An image is either loaded whole and sound, or refused with the file and the remedy named. What is
refused on purpose, although other software reads it:

- a header without orientation (``qform_code`` and ``sform_code`` both 0): left and right of the
  patient would be a guess;
- bytes left over after the image (other than zeros): header and data do not belong together.
"""

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from bids_app.errors import AppError, ExitCode
from bids_app.files.header_geometry import compare_with_sidecar, read_geometry
from bids_app.files.image_bytes import ImageBytes, bad_image, require_memory
from bids_app.files.reading import open_input
from pipelines.arrays import Affine, Array
from pipelines.quality import Check

# What a header is repaired for is said once, when the image is made.
_SILENT = logging.Logger("silent", logging.CRITICAL + 1)

# Beyond this a header is damaged, not large (8 times 1024^3 voxels).
_MOST_VOXELS = 2**33


@dataclass(frozen=True)
class Volume:
    """An image in memory.

    Attributes
    ----------
    path : Path
        Where it came from.
    data : ndarray of shape (x, y, z) or (x, y, z, n)
        In stored voxel order. Integers without scaling keep their type; all else is float32 with
        ``scl_slope`` and ``scl_inter`` applied. NaN and infinity stay.
    affine : ndarray of shape (4, 4)
        Voxel to world (RAS+), mm.
    notes : tuple of str
        What a person should know about the header, one sentence each.
    checks : tuple of Check
        Contradictions in the header on which sizes or sides depend.
    """

    path: Path
    data: Array
    affine: Affine
    notes: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()


def load_volume(path: Path, dimensions: Literal[3, 4] = 3) -> Volume:
    """Load a NIfTI image.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``.
    dimensions : {3, 4}
        3: one volume (a fourth axis of length one is dropped). 4: a series of volumes.

    Raises
    ------
    AppError
        ``INPUT_MISSING`` or ``IO_FAILURE`` if the file cannot be read, ``BAD_DATA`` if it is
        damaged or no such image, ``TRY_AGAIN`` if memory runs out.
    """
    try:
        return _load(path, dimensions)
    except MemoryError as error:
        raise AppError(
            f"Not enough memory to load {path}.",
            ExitCode.TRY_AGAIN,
            "Run fewer sessions side by side (--nprocs), or on a machine with more memory.",
        ) from error


def geometry_checks(volume: Volume, fields: Mapping[str, Any]) -> list[Check]:
    """Return what contradicts a volume's geometry in its header and in its sidecar's fields."""
    return [*volume.checks, *compare_with_sidecar(volume.path.name, volume.affine, fields)]


def load_labels(path: Path) -> Volume:
    """Load a label image: whole numbers from 0, whatever the type they are stored in.

    Raises
    ------
    AppError
        As :func:`load_volume`; ``BAD_DATA`` if values are not whole numbers from 0.
    """
    volume = load_volume(path)
    data = volume.data
    if data.dtype.kind == "f":
        if not np.isfinite(data).all() or (data != np.rint(data)).any():
            raise bad_image(path, "is no label image: it holds other values than whole numbers")
        data = data.astype(np.int32)
    if data.min() < 0:
        raise bad_image(path, "is no label image: it holds negative values")
    return replace(volume, data=data)


def _load(path: Path, dimensions: int) -> Volume:
    with open_input(path) as stream:
        content = ImageBytes(path, stream)
        image_class = _image_class(path, content.start)
        with _damage(path):
            header = _unrepaired(image_class, content.start)
            header.check_fix(logger=_SILENT)
            shape = _spatial_shape(path, header.get_data_shape(), dimensions)
            _check_type(path, header.get_data_dtype())
            end = require_memory(path, header)
        raw = content.read(end)
    with _damage(path):
        image = image_class.from_bytes(raw)
        _check_length(path, raw, image)
        geometry = read_geometry(path, _unrepaired(image_class, raw), image.shape)
        data = _native(np.asanyarray(image.dataobj).reshape(shape))
    _check_values(path, data)
    return Volume(path, data, geometry.affine, geometry.notes, geometry.checks)


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Say that a file is damaged if nibabel cannot make sense of it."""
    try:
        # Numbers of a damaged header may overflow on the way to being refused.
        with np.errstate(over="ignore", invalid="ignore"):
            yield
    except (HeaderDataError, ImageFileError, ValueError, OverflowError, OSError) as error:
        raise bad_image(path, f"is a damaged NIfTI file: {error}") from error


def _image_class(path: Path, raw: bytes) -> Any:
    """Return nibabel's class for the content of a file."""
    if not raw:
        raise bad_image(path, "is empty")
    sizes = int.from_bytes(raw[:4], "little"), int.from_bytes(raw[:4], "big")
    if 348 in sizes and raw[344:348] == b"n+1\0":
        return nib.Nifti1Image
    if 540 in sizes and raw[4:8] == b"n+2\0":
        return nib.Nifti2Image
    if 348 in sizes:
        raise bad_image(
            path,
            "is an Analyze image or the header of a NIfTI pair",
            "Convert it to one .nii.gz file.",
        )
    if raw[128:132] == b"DICM":
        raise bad_image(path, "is a DICOM file", "Convert it with dcm2omids or dcm2niix.")
    raise bad_image(path, "is not a NIfTI image")


def _spatial_shape(path: Path, shape: tuple[int, ...], dimensions: int) -> tuple[int, ...]:
    """Return the shape in which an image is used, if it has the right number of axes."""
    if 0 in shape or not shape or min(shape) < 0:
        raise bad_image(path, f"has no voxels: its shape is {_times(shape)}")
    if math.prod(shape) > _MOST_VOXELS:
        raise bad_image(path, f"has a damaged header: its shape would be {_times(shape)}")
    needed = shape
    while len(needed) > 3 and needed[-1] == 1:
        needed = needed[:-1]
    if len(needed) < 3:
        raise bad_image(path, f"is not a volume: its shape is {_times(shape)}")
    if len(needed) > dimensions:
        raise bad_image(
            path,
            f"holds {math.prod(needed[3:])} volumes ({_times(shape)}) where "
            + ("one is needed" if dimensions == 3 else "a series is needed"),
            "Store water, fat and fat fraction in one 3D file each; only multi-echo images are 4D.",
        )
    return needed if dimensions == 3 or len(needed) == 4 else (*needed, 1)


def _check_type(path: Path, dtype: np.dtype[Any]) -> None:
    if dtype.kind == "c":
        raise bad_image(
            path,
            "holds complex numbers",
            "Store magnitude and phase in a file each (part-mag, part-phase).",
        )
    if dtype.kind not in "iuf":
        hint = "Give the scan itself, not a picture made of it."
        raise bad_image(path, "is a colour image", hint)


def _check_length(path: Path, raw: bytes, image: Any) -> None:
    """Check that the file holds just the data its header promises."""
    offset = int(image.dataobj.offset)
    end = offset + math.prod(image.shape) * image.get_data_dtype().itemsize
    if len(raw) < end:
        raise bad_image(path, f"is truncated: {end - len(raw)} of {end - offset} bytes are missing")
    if raw[end:].strip(b"\0"):
        raise bad_image(path, f"has {len(raw) - end} bytes more than its header says")


def _unrepaired(image_class: Any, raw: bytes) -> Any:
    """Return the header as it is stored: reading an image repairs sizes of zero without a word."""
    header_class = image_class.header_class
    return header_class(raw[: header_class.template_dtype.itemsize], check=False)


def _native(stored: Array) -> Array:
    """Return integers as they are and all else as float32, in the machine's byte order."""
    if stored.dtype.kind in "iu":
        return stored.astype(stored.dtype.newbyteorder("="), copy=False)
    return stored.astype(np.float32)


def _check_values(path: Path, data: Array) -> None:
    if data.dtype.kind == "f" and not np.isfinite(data).any():
        raise bad_image(path, "holds no number: every voxel is NaN or infinite")
    if not data.any():
        raise bad_image(path, "is blank: every voxel is 0")


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape) or "none"
