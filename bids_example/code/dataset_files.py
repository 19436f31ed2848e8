"""Write the files of a dataset so that the same content always gives the same bytes."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pandas as pd


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8, Unix line ends), making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a TSV file as BIDS wants it: ``n/a`` where a value is missing."""
    text = table.to_csv(
        sep="\t", index=False, na_rep="n/a", float_format="%.6g", lineterminator="\n"
    )
    write_text(path, text)


def write_nifti(path: Path, image: npt.NDArray[Any], affine: npt.NDArray[np.float64]) -> None:
    """Write a gzipped NIfTI-1 image, millimetres, with sform and qform "scanner"."""
    nifti = nib.Nifti1Image(image, affine)
    nifti.header.set_xyzt_units("mm")
    nifti.set_sform(affine, code="scanner")
    nifti.set_qform(affine, code="scanner")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without the time in the gzip header, two runs give the same bytes.
    path.write_bytes(gzip.compress(nifti.to_bytes(), compresslevel=9, mtime=0))


def same_content(path: Path, other: Path) -> bool:
    """Compare two files, gzipped ones by what is in them (zlib's versions pack differently)."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes()) == gzip.decompress(other.read_bytes())
    return path.read_bytes() == other.read_bytes()
