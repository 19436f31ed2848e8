"""Where a search leaves what it found, so that it can go on after it was killed."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.diagnosis.cohort import Cohort
from pipelines.diagnosis.protocol import Protocol
from pipelines.harmonization.harmonize import HarmonizationOptions

# Another version of these may search otherwise.
_LIBRARIES = ("xgboost-cpu", "optuna", "scikit-learn", "numpy")
_SAMPLE_COLUMNS = ["patient", "scale", "sex", "age"]


def search_folder(
    folder: Path, cohort: Cohort, options: HarmonizationOptions, protocol: Protocol
) -> Path:
    """Return the folder of one search, made if it is not there.

    Its name depends on all that decides the result, so that a search never goes on with what
    another one left.

    Parameters
    ----------
    folder : Path
        Folder of all searches.
    cohort : Cohort
        Samples and classes.
    options : HarmonizationOptions
        How scores are made comparable.
    protocol : Protocol
        The protocol.
    """
    digest = hashlib.sha256()
    samples = cohort.native.samples[_SAMPLE_COLUMNS]
    about = {
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


def store_arrays(
    path: Path, arrays: Mapping[str, npt.NDArray[Any]], about: Mapping[str, Any]
) -> None:
    """Write arrays and a JSON-able description as one NPZ file, complete or not at all."""
    content: dict[str, Any] = dict(arrays)
    content["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as stream:
        np.savez_compressed(stream, **content)
    unfinished.replace(path)


def load_arrays(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Read what :func:`store_arrays` wrote."""
    with np.load(path, allow_pickle=False) as content:
        arrays = dict(content)
    about: dict[str, Any] = json.loads(arrays.pop("about").tobytes())
    return arrays, about
