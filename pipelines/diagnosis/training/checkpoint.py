"""Where a search leaves what it found, so that it can go on after it was killed."""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipelines.arrays import Array, Float32, Index
from pipelines.diagnosis.cohort import Cohort
from pipelines.diagnosis.ensemble.average import MemberParameters
from pipelines.diagnosis.explanation.out_of_fold import FoldExplanation
from pipelines.diagnosis.protocol import Protocol
from pipelines.diagnosis.training.search import members_of
from pipelines.errors import DataError
from pipelines.files import atomic_file
from pipelines.harmonization.harmonize import HarmonizationOptions

Arrays = Mapping[str, Array]

_FORMAT = "myomids-fold-3"
_KEYS = {"format", "fold", "seconds", "trials", "features"}
_COMPARATOR = "comparator_"
_TYPES = {"rows": np.intp, "explanation_base": np.float64}  # all others are float32


@dataclass(frozen=True)
class FoldResult:
    """What one outer fold found: its test rows, and margins (M, n_test, K) by members without them.

    `comparators` holds probabilities (n_test, K), `trials` the table of :func:`.search.search`,
    `seconds` the CPU time, of the last run only where it was resumed.
    """

    fold: int
    rows: Index
    member_margins: Float32
    comparators: dict[str, Float32]
    trials: pd.DataFrame
    seconds: float
    explanation: FoldExplanation | None = None

    @property
    def members(self) -> list[MemberParameters]:
        """Hyper-parameters of the members."""
        return members_of(self.trials)


# Another version of these may search otherwise.
_LIBRARIES = ("xgboost-cpu", "optuna", "scikit-learn", "numpy")
_SAMPLE_COLUMNS = ["patient", "scale", "sex", "age"]


def search_folder(
    folder: Path, cohort: Cohort, options: HarmonizationOptions, protocol: Protocol
) -> Path:
    """Return the folder of one search below that of all, made if it is not there.

    Its name depends on all that decides the result, so that a search never goes on with what
    another one left.
    """
    digest = hashlib.sha256()
    samples = cohort.native.samples[_SAMPLE_COLUMNS]
    about = {
        "format": _FORMAT,
        "options": options.as_dict(),
        "protocol": protocol.as_dict(),
        "classes": cohort.classes,
        "muscles": cohort.native.muscles,
        "samples": samples.to_csv(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
    digest.update(json.dumps(about, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(cohort.native.values).tobytes())
    digest.update(cohort.y.tobytes())
    path = folder / f"search-{digest.hexdigest()[:16]}"
    path.mkdir(parents=True, exist_ok=True)
    return path


def check_journal(path: Path) -> None:
    """Refuse a journal of trials that is damaged; one that is not there is fine.

    The last line may be unfinished: it was being written when the run was killed.
    """
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        if line.endswith(b"\n") and not _is_record(line):
            raise DataError(
                f"{path}, line {number} is no record of a search.",
                "Remove the file and run the same command again: this fold is searched anew.",
            )


def _is_record(line: bytes) -> bool:
    """Tell whether a line is what Optuna writes."""
    try:
        content = json.loads(line)
    except ValueError:
        return False
    return isinstance(content, dict) and "op_code" in content


def store_fold(result: FoldResult, path: Path) -> None:
    """Write the result of a fold as one NPZ file, complete or not at all."""
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
    with atomic_file(path) as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def load_fold(path: Path, fold: int, rows: Index, classes: int) -> FoldResult:
    """Read what :func:`store_fold` wrote, or refuse what is damaged or not of this fold."""
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


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
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


def _check_shapes(result: FoldResult, arrays: Arrays, rows: Index, classes: int) -> None:
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
