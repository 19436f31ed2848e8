"""Where a search leaves what it found, so that it can go on after it was killed."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pipelines.diagnosis.cohort import Cohort
from pipelines.diagnosis.protocol import Protocol
from pipelines.errors import DataError
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


def check_journal(path: Path) -> None:
    """Refuse a journal of trials that is damaged; one that is not there is fine.

    The last line may be unfinished: it was being written when the run was killed.

    Raises
    ------
    DataError
        Naming the first line that is no record.
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
