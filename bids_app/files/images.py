"""Load NIfTI images; the one place that does.

An image is either loaded whole and sound, or refused with the file and the remedy named. What is
refused on purpose, although other software reads it:

- a header without orientation (``qform_code`` and ``sform_code`` both 0): left and right of the
  patient would be a guess;
- bytes left over after the image (other than zeros): header and data do not belong together.
"""

import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from bids_app.errors import AppError, ExitCode, from_pipeline
from bids_app.files.reading import read_bytes
from pipelines.arrays import Affine, Array
from pipelines.errors import DataError
from pipelines.geometry import check_affine, voxel_sizes

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's number for "gzip header and check sum"

# Voxel edges of MR images lie between these; others mean wrong units (metres, micrometres).
_SMALLEST_VOXEL_MM = 0.02
_LARGEST_VOXEL_MM = 200.0

# Beyond this a header is damaged, not large (8 times 1024^3 voxels).
_MOST_VOXELS = 2**33

# qform and sform that place a corner of the image this far apart contradict each other.
_FORMS_DIFFER_MM = 1.0

_CONVERT_AGAIN = "Convert the scan again, or copy the file again from where it came."


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
    """

    path: Path
    data: Array
    affine: Affine
    notes: tuple[str, ...] = ()


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
            raise _bad(path, "is no label image: it holds other values than whole numbers")
        data = data.astype(np.int32)
    if data.min() < 0:
        raise _bad(path, "is no label image: it holds negative values")
    return Volume(path, data, volume.affine, volume.notes)


def _load(path: Path, dimensions: int) -> Volume:
    raw = _decompress(path, read_bytes(path))
    image_class = _image_class(path, raw)
    try:
        # Numbers of a damaged header may overflow on the way to being refused.
        with np.errstate(over="ignore", invalid="ignore"):
            image = image_class.from_bytes(raw)
            shape = _spatial_shape(path, image.header.get_data_shape(), dimensions)
            _check_type(path, image.header.get_data_dtype())
            _check_length(path, raw, image)
            notes = _check_orientation(path, image)
            data = _native(np.asanyarray(image.dataobj).reshape(shape))
    except (HeaderDataError, ImageFileError, ValueError, OverflowError, OSError) as error:
        raise _bad(path, f"is a damaged NIfTI file: {error}") from error
    _check_values(path, data)
    return Volume(path, data, np.asarray(image.affine, np.float64), notes)


def _decompress(path: Path, raw: bytes) -> bytes:
    """Undo gzip, to the end, so that its check sum is verified."""
    if not raw.startswith(_GZIP):
        return raw
    pieces = []
    while raw.startswith(_GZIP):
        stream = zlib.decompressobj(_GZIP_WINDOW)
        try:
            pieces.append(stream.decompress(raw))
        except zlib.error as error:
            raise _bad(path, f"is a damaged gzip file: {error}") from error
        if not stream.eof:
            raise _bad(path, "is truncated: the compressed data end too early")
        raw = stream.unused_data
    if raw.strip(b"\0"):
        raise _bad(path, f"has {len(raw)} bytes of something else after the compressed image")
    return b"".join(pieces)


def _image_class(path: Path, raw: bytes) -> Any:
    """Return nibabel's class for the content of a file."""
    if not raw:
        raise _bad(path, "is empty")
    sizes = int.from_bytes(raw[:4], "little"), int.from_bytes(raw[:4], "big")
    if 348 in sizes and raw[344:348] == b"n+1\0":
        return nib.Nifti1Image
    if 540 in sizes and raw[4:8] == b"n+2\0":
        return nib.Nifti2Image
    if 348 in sizes:
        raise _bad(
            path,
            "is an Analyze image or the header of a NIfTI pair",
            "Convert it to one .nii.gz file.",
        )
    if raw[128:132] == b"DICM":
        raise _bad(path, "is a DICOM file", "Convert it with dcm2omids or dcm2niix.")
    raise _bad(path, "is not a NIfTI image")


def _spatial_shape(path: Path, shape: tuple[int, ...], dimensions: int) -> tuple[int, ...]:
    """Return the shape in which an image is used, if it has the right number of axes."""
    if 0 in shape or not shape or min(shape) < 0:
        raise _bad(path, f"has no voxels: its shape is {_times(shape)}")
    if math.prod(shape) > _MOST_VOXELS:
        raise _bad(path, f"has a damaged header: its shape would be {_times(shape)}")
    needed = shape
    while len(needed) > 3 and needed[-1] == 1:
        needed = needed[:-1]
    if len(needed) < 3:
        raise _bad(path, f"is not a volume: its shape is {_times(shape)}")
    if len(needed) > dimensions:
        raise _bad(
            path,
            f"holds {math.prod(needed[3:])} volumes ({_times(shape)}) where "
            + ("one is needed" if dimensions == 3 else "a series is needed"),
            "Store water, fat and fat fraction in one 3D file each; only multi-echo images are 4D.",
        )
    return needed if dimensions == 3 or len(needed) == 4 else (*needed, 1)


def _check_type(path: Path, dtype: np.dtype[Any]) -> None:
    if dtype.kind == "c":
        raise _bad(
            path,
            "holds complex numbers",
            "Store magnitude and phase in a file each (part-mag, part-phase).",
        )
    if dtype.kind not in "iuf":
        raise _bad(path, "is a colour image", "Give the scan itself, not a picture made of it.")


def _check_length(path: Path, raw: bytes, image: Any) -> None:
    """Check that the file holds just the data its header promises."""
    offset = int(image.dataobj.offset)
    end = offset + math.prod(image.shape) * image.get_data_dtype().itemsize
    if len(raw) < end:
        raise _bad(path, f"is truncated: {end - len(raw)} of {end - offset} bytes are missing")
    if raw[end:].strip(b"\0"):
        raise _bad(path, f"has {len(raw) - end} bytes more than its header says")


def _check_orientation(path: Path, image: Any) -> tuple[str, ...]:
    """Check that the header places the voxels in space."""
    header = image.header
    sform, qform = header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]
    if sform is None and qform is None:
        raise _bad(
            path,
            "says nothing about its orientation (qform_code and sform_code are 0), so left and "
            "right cannot be told",
            "Convert the scan again from DICOM, or set the qform from the scanner's header.",
        )
    try:
        check_affine(image.affine, str(path))
    except DataError as error:
        raise from_pipeline(error) from error
    sizes = voxel_sizes(image.affine)
    if sizes.min() < _SMALLEST_VOXEL_MM or sizes.max() > _LARGEST_VOXEL_MM:
        edges = " x ".join(f"{size:.4g}" for size in sizes)
        raise _bad(path, f"has implausible voxels of {edges} mm", "NIfTI is read in millimetres.")
    return () if sform is None or qform is None else _compare_forms(path, image.shape, sform, qform)


def _compare_forms(
    path: Path, shape: tuple[int, ...], sform: Affine, qform: Affine
) -> tuple[str, ...]:
    """Return a note if the two orientation fields of a header contradict each other."""
    corners = np.array([(x, y, z, 1) for x in (0, 1) for y in (0, 1) for z in (0, 1)]).T
    corners[:3] *= np.array(shape[:3])[:, None]
    apart = np.linalg.norm(((sform - qform) @ corners)[:3], axis=0).max()
    if not np.isfinite(apart):
        raise _bad(path, "has a damaged qform: it is not finite")
    if apart <= _FORMS_DIFFER_MM:
        return ()
    return (f"{path.name}: qform and sform differ by up to {apart:.1f} mm; the sform is used.",)


def _native(stored: Array) -> Array:
    """Return integers as they are and all else as float32, in the machine's byte order."""
    if stored.dtype.kind in "iu":
        return stored.astype(stored.dtype.newbyteorder("="), copy=False)
    return stored.astype(np.float32)


def _check_values(path: Path, data: Array) -> None:
    if data.dtype.kind == "f" and not np.isfinite(data).any():
        raise _bad(path, "holds no number: every voxel is NaN or infinite")
    if not data.any():
        raise _bad(path, "is blank: every voxel is 0")


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape) or "none"


def _bad(path: Path, problem: str, hint: str = _CONVERT_AGAIN) -> AppError:
    return AppError(f"{path} {problem}.", ExitCode.BAD_DATA, hint)
