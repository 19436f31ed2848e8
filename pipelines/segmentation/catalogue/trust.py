"""Which of a model's files are read, and whether they may be: all of them are vouched for, or none.

A PyTorch checkpoint can run code when it is loaded, and what stands beside it decides what is done
with it. A file is vouched for by its SHA-256 in a registry file the user relies on, by that of the
archive it came in, or by the user, who says that the model is trusted.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipelines.errors import ModelError
from pipelines.files import sha256
from pipelines.segmentation.catalogue.model_archive import CHECKPOINT
from pipelines.segmentation.catalogue.registry import ModelEntry

DATASET, PLANS = "dataset.json", "plans.json"
# Not every model has a calibration.
CALIBRATION = "calibration.json"
# Networks converted beforehand, one <fold>.xml and .bin each; read only if they are registered.
CONVERTED_FOLDER = "openvino"


def checksums_of_read(folder: Path, checkpoints: Sequence[Path]) -> dict[str, str]:
    """Return the SHA-256 of every file that is read of a model, by path relative to its folder."""
    calibration = folder / CALIBRATION
    read = [*checkpoints, folder / DATASET, folder / PLANS]
    read += [calibration] if calibration.exists() else []
    return {path.relative_to(folder).as_posix(): sha256(path) for path in read}


def registered_checksums(
    folder: Path, entry: ModelEntry, read: Mapping[str, str], *, vouched: bool
) -> Mapping[str, str]:
    """Return the checksums of a registry entry, all of which the files in the folder have.

    An entry must list every file that is read, unless something else vouches for the model.
    """
    for relative, expected in entry.files.items():
        path = folder / relative
        if not path.is_file():
            raise ModelError(
                f"Model {entry.name} {entry.version} lacks the file {path}.",
                "Install or download the model again.",
            )
        found = read.get(relative) or sha256(path)
        if found != expected:
            raise ModelError(
                f"{path} is not the file registered for model {entry.name} {entry.version}: "
                f"SHA-256 expected {expected}, found {found}.",
                "Download the model again, or correct the registry file.",
            )
    unlisted = sorted(read.keys() - entry.files.keys())
    checkpoints = [name for name in unlisted if name.endswith(CHECKPOINT)]
    if checkpoints:
        raise ModelError(
            f"{folder} has checkpoints that are not registered for model {entry.name}: "
            f"{', '.join(checkpoints)}.",
            "Remove them, or list their SHA-256 in a registry file.",
        )
    if unlisted and not vouched:
        raise _partly_listed(folder, entry, unlisted)
    return entry.files


def _partly_listed(folder: Path, entry: ModelEntry, unlisted: Iterable[str]) -> ModelError:
    return ModelError(
        f"The registry entry of model {entry.name} does not list the SHA-256 of "
        f"{', '.join(unlisted)} in {folder}, so nothing there is trusted: what stands beside a "
        "checkpoint decides what is done with it.",
        "List them under 'files' too (tools/register_model.py does it for every file that is "
        "read), or, if you trust where the model comes from, add --trust-model.",
    )


def untrusted(checkpoint: Path, checksum: str) -> ModelError:
    """Return the error for a model that nothing vouches for."""
    return ModelError(
        f"{checkpoint} (SHA-256 {checksum}) is in no model registry; loading it could run code "
        "hidden in the file.",
        "If you trust where it comes from, add --trust-model, or list its files in a registry "
        "file (tools/register_model.py makes the list) and name that with --model-registry.",
    )
