"""Whether two output folders hold the same results."""

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

# The same arithmetic on another system library may differ in the last digits, not more.
TOLERANCE = 1e-6

# Times and random parts of names.
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")


def tree(folder: Path, participant: str | None = None) -> list[str]:
    """List the files of a folder, all or those of one participant, without what is of one run."""
    names = (str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    kept = (n for n in names if participant is None or f"sub-{participant}" in n)
    return sorted({_RUN_ID.sub("RUN", name) for name in kept})


def complaints(log: str) -> list[str]:
    """Return warnings that are not about a session's data: something was not as it should be."""
    return [line for line in log.splitlines() if re.match(r"WARNING +(?!sub-)", line)]


def assert_same_results(found: Path, expected: Path, participant: str) -> None:
    """Compare everything a participant has: names, labels bit by bit, tables and maps."""
    assert tree(found, participant) == tree(expected, participant)
    compared = 0
    for path in sorted(expected.glob(f"sub-{participant}/**/*.nii.gz")):
        other = found / path.relative_to(expected)
        ours, theirs = nib.load(other), nib.load(path)
        assert np.array_equal(ours.affine, theirs.affine), other
        if path.name.endswith("_dseg.nii.gz"):
            assert ours.get_data_dtype() == theirs.get_data_dtype()
            assert np.array_equal(np.asarray(ours.dataobj), np.asarray(theirs.dataobj)), other
        else:
            np.testing.assert_allclose(
                ours.get_fdata(), theirs.get_fdata(), rtol=0, atol=TOLERANCE, err_msg=str(other)
            )
        compared += 1
    assert compared >= 2, "a fat fraction map and a label image"
    tables = sorted(expected.glob(f"sub-{participant}/**/*.tsv"))
    assert len(tables) >= 3, "look-up table, muscles, profile"
    for path in tables:
        assert_same_table(found / path.relative_to(expected), path)


def assert_same_table(found: Path, expected: Path) -> None:
    """Compare two tables; numbers within the tolerance."""
    tables = [
        pd.read_table(path, na_values="n/a", keep_default_na=False) for path in (found, expected)
    ]
    pd.testing.assert_frame_equal(*tables, rtol=0, atol=TOLERANCE, obj=str(found))
