"""What one outer fold found, and its file, with which a killed run goes on."""

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.diagnosis.ensemble import MemberParameters
from pipelines.diagnosis.explanation.out_of_fold import FoldExplanation
from pipelines.diagnosis.search import members_of
from pipelines.errors import DataError

FloatArray = npt.NDArray[np.float32]
Arrays = Mapping[str, npt.NDArray[Any]]

_FORMAT = "myomids-fold-2"
_KEYS = {"format", "fold", "seconds", "trials", "features"}
_COMPARATOR = "comparator_"
_TYPES = {"rows": np.intp, "explanation_base": np.float64}  # all others are float32


@dataclass(frozen=True)
class FoldResult:
    """What one outer fold found.

    Attributes
    ----------
    fold : int
        Its number.
    rows : int array (n_test,)
        Its test rows.
    member_margins : float32 array (M, n_test, K)
        Margins of the members, which never saw these rows.
    comparators : dict of str to float32 array (n_test, K)
        Probabilities of the comparators.
    trials : DataFrame
        See :func:`pipelines.diagnosis.search.search`.
    seconds : float
        CPU time, of the last run only where it was resumed.
    explanation : FoldExplanation or None
        SHAP values of the test rows, if they were wanted.
    """

    fold: int
    rows: npt.NDArray[np.intp]
    member_margins: FloatArray
    comparators: dict[str, FloatArray]
    trials: pd.DataFrame
    seconds: float
    explanation: FoldExplanation | None = None

    @property
    def members(self) -> list[MemberParameters]:
        """Hyper-parameters of the members."""
        return members_of(self.trials)


def store_fold(result: FoldResult, path: Path) -> None:
    """Write the result of a fold as one NPZ file, complete or not at all.

    Parameters
    ----------
    result : FoldResult
        What the fold found.
    path : Path
        The file; its folder exists.
    """
    about = {
        "format": _FORMAT,
        "fold": result.fold,
        "seconds": result.seconds,
        "trials": result.trials.to_dict("list"),
        "features": [],
    }
    arrays: dict[str, Any] = {
        "rows": result.rows,
        "member_margins": result.member_margins,
        **{_COMPARATOR + name: values for name, values in result.comparators.items()},
    }
    if result.explanation is not None:
        about["features"] = list(result.explanation.features)
        arrays["explanation_values"] = result.explanation.values
        arrays["explanation_base"] = result.explanation.base
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
    unfinished.replace(path)


def load_fold(path: Path, fold: int, rows: npt.NDArray[np.intp], classes: int) -> FoldResult:
    """Read what :func:`store_fold` wrote.

    Parameters
    ----------
    path : Path
        The file.
    fold : int
        Number of the fold it must be of.
    rows : int array (n_test,)
        Test rows of that fold.
    classes : int
        Number of diagnoses.

    Raises
    ------
    DataError
        If the file is damaged, comes from another version, or is not of this fold.
    """
    try:
        about, arrays = _read(path)
        _check_about(about, fold)
        result = _result(about, arrays)
        _check_shapes(result, arrays, rows, classes)
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, OSError,
            zipfile.BadZipFile, zlib.error) as error:  # fmt: skip
        reason = str(error) if isinstance(error, ValueError) else repr(error)
        raise DataError(
            f"{path} is no result of fold {fold} of this training: {reason}.",
            "Remove the file and run the same command again: the trials beside it are kept, only "
            "the members of this fold are trained again.",
        ) from error
    return result


def _read(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    with np.load(path, allow_pickle=False) as content:
        if not isinstance(content, np.lib.npyio.NpzFile):
            raise ValueError("it is no NPZ file")
        arrays = {name: content[name] for name in content.files}
    about = json.loads(arrays.pop("about").tobytes())
    if not isinstance(about, dict):
        raise ValueError("its description is no JSON object")
    return about, arrays


def _check_about(about: Mapping[str, Any], fold: int) -> None:
    if about.get("format") != _FORMAT:
        raise ValueError("another version of this software wrote it")
    if set(about) != _KEYS:
        raise ValueError(f"its description holds {', '.join(sorted(about))}")
    if about["fold"] != fold:
        raise ValueError(f"it is of fold {about['fold']}")


def _result(about: Mapping[str, Any], arrays: Arrays) -> FoldResult:
    explanation = None
    if about["features"]:
        explanation = FoldExplanation(
            arrays["rows"],
            tuple(about["features"]),
            arrays["explanation_values"],
            arrays["explanation_base"],
        )
    comparators = {
        name.removeprefix(_COMPARATOR): values
        for name, values in arrays.items()
        if name.startswith(_COMPARATOR)
    }
    return FoldResult(
        about["fold"],
        arrays["rows"],
        arrays["member_margins"],
        comparators,
        pd.DataFrame(about["trials"]),
        float(about["seconds"]),
        explanation,
    )


def _check_shapes(
    result: FoldResult, arrays: Arrays, rows: npt.NDArray[np.intp], classes: int
) -> None:
    """Refuse arrays that are not what this fold must have left."""
    if not np.array_equal(result.rows, rows):
        raise ValueError("it predicts other samples")
    table = (len(rows), classes)
    shapes: dict[str, tuple[int, ...]] = {
        "rows": rows.shape,
        "member_margins": (len(result.members), *table),
        **{_COMPARATOR + name: table for name in result.comparators},
    }
    if result.explanation is not None:
        shapes["explanation_values"] = (*table, len(result.explanation.features))
        shapes["explanation_base"] = (classes,)
    if set(arrays) != set(shapes):
        raise ValueError(f"it holds {', '.join(sorted(arrays))}")
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != _TYPES.get(name, np.float32):
            raise ValueError(f"its array {name} is {array.dtype} {array.shape}, not {shape}")
