"""Make small MIDS trees for tests from a table of paths."""

import gzip
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

# 1 x 2 x 10 mm voxels in RAS order, off centre.
AFFINE = np.array([[1.0, 0, 0, -2], [0, 2.0, 0, -5], [0, 0, 10.0, 40], [0, 0, 0, 1]])
SHAPE = (4, 5, 3)


def make_tree(root: Path, content: Mapping[str, Any]) -> Path:
    """Write files below `root`, by relative path, and return `root`.

    What is written follows from the value: an array becomes a NIfTI image, None a small image of
    its own, a Path a symbolic link to it, text and bytes themselves, and anything else JSON. A
    path that ends with ``/`` is an empty folder.
    """
    for name, value in content.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(value, Path):
            path.symlink_to(value)
        else:
            path.write_bytes(_as_bytes(value, compress=name.endswith(".gz")))
    return root


def water_and_fat(prefix: str) -> dict[str, None]:
    """Return the entries of a water and a fat image, e.g. of ``sub-01/mr-quant/sub-01``."""
    return {f"{prefix}_WATER.nii.gz": None, f"{prefix}_FAT.nii.gz": None}


def nifti_bytes(
    data: np.ndarray[Any, Any],
    affine: np.ndarray[Any, Any] | None = AFFINE,
    *,
    sform: bool = True,
    qform: bool = True,
    nifti2: bool = False,
) -> bytes:
    """Return the bytes of an uncompressed NIfTI file with the chosen orientation fields set."""
    image = (nib.Nifti2Image if nifti2 else nib.Nifti1Image)(data, None, dtype=data.dtype)
    if affine is not None:
        image.header.set_sform(affine, code=1 if sform else 0)
        if qform:
            image.header.set_qform(affine, code=1)
    content: bytes = type(image)(data, None, image.header).to_bytes()
    return content


def _as_bytes(value: Any, *, compress: bool) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if value is not None and not isinstance(value, np.ndarray):
        return json.dumps(value).encode()
    image = _small_image() if value is None else nifti_bytes(value)
    return gzip.compress(image, compresslevel=1, mtime=0) if compress else image


@cache
def _small_image() -> bytes:
    return nifti_bytes(np.arange(1, 1 + np.prod(SHAPE), dtype=np.int16).reshape(SHAPE))
