"""The arrays of a stored model: imputation and reference patients, as NPZ without objects."""

import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from pipelines.arrays import Array
from pipelines.diagnosis.model.diagnosis_model import DiagnosisModel
from pipelines.errors import ModelError

# Arrays of the file with their types and numbers of axes.
_ARRAYS: Mapping[str, tuple[npt.DTypeLike, int]] = {
    "mean": (np.float64, 1),
    "sd": (np.float64, 1),
    "reference": (np.float32, 2),
    "muscle_reference": (np.float32, 2),
}
_MAX_BYTES = 1024**3


def array_file(model: DiagnosisModel) -> bytes:
    """Return the arrays of a model as the content of an NPZ file."""
    preparation = model.ensemble.preparation
    arrays = {
        "mean": preparation.mean,
        "sd": preparation.sd,
        "reference": preparation.reference,
        "muscle_reference": model.muscle_reference,
    }
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        allow_pickle=False,
        **{name: np.asarray(array, _ARRAYS[name][0]) for name, array in arrays.items()},
    )
    return stream.getvalue()


def read_arrays(data: bytes, path: Path) -> dict[str, Array]:
    """Read the arrays of a model by name, or refuse a file that holds anything else.

    Nothing is unpacked before its size is known: neither what the archive says nor what an array
    says of itself can take more memory than the file holds.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {item.filename: item.file_size for item in archive.infolist()}
            if set(sizes) != {f"{name}.npy" for name in _ARRAYS}:
                raise ValueError(f"it holds {', '.join(sorted(sizes)) or 'nothing'}")
            if sum(sizes.values()) > _MAX_BYTES:
                raise ValueError(f"it unpacks to {sum(sizes.values())} bytes")
            return {name: _read_array(archive, name, sizes[f"{name}.npy"]) for name in _ARRAYS}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(
            f"{path} does not hold the arrays of a model: {error}.", "Train the model again."
        ) from error


def _read_array(archive: zipfile.ZipFile, name: str, size: int) -> Array:
    with archive.open(f"{name}.npy") as stream:
        _check_header(stream, name, size)
    with archive.open(f"{name}.npy") as stream:
        array: Array = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _check_header(stream: IO[bytes], name: str, size: int) -> None:
    """Refuse an array that is not of the right kind or not of the size that is stored."""
    expected, axes = _ARRAYS[name]
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is not in version 1.0 of the NPY format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype != expected:
        raise ValueError(f"{name} is of type {dtype}")
    if len(shape) != axes or min(shape) < 0:
        raise ValueError(f"{name} has the shape {shape}")
    stored, claimed = size - stream.tell(), math.prod(shape) * dtype.itemsize
    if stored != claimed:
        raise ValueError(f"{name} claims {claimed} bytes, {stored} are there")
