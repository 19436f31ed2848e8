"""Read a checkpoint: the very file that was vouched for, without running code where torch can."""

import hashlib
import io
import logging
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines.errors import ModelError
from pipelines.files import open_file
from pipelines.segmentation.catalogue.model_files import ModelFiles

logger = logging.getLogger(__name__)

_GIT_LFS_POINTER = b"version https://git-lfs"
# nnU-Net keeps numbers of numpy beside the weights. This is what makes them again, under the names
# of numpy 2 and 1.
_OF_NUMPY = [np.ndarray, np.dtype, *{type(np.dtype(code)) for code in np.typecodes["AllFloat"]}]
_OF_NUMPY += {type(np.dtype(code)) for code in np.typecodes["AllInteger"] + "?"}
_MAKERS = [np._core.multiarray.scalar, np._core.multiarray._reconstruct]  # type: ignore[attr-defined]
_SAFE = [*_OF_NUMPY, *_MAKERS, *((f, f"numpy.core.multiarray.{f.__name__}") for f in _MAKERS)]


def read_checkpoint(files: ModelFiles, path: Path) -> Mapping[str, Any]:
    """Return the content of one of a model's checkpoints, which must be what was checked before."""
    with open_file(path) as stream:
        data = stream.read()
    if data.startswith(_GIT_LFS_POINTER):
        raise ModelError(
            f"{path} is a Git LFS pointer, not the checkpoint itself.",
            "Run `git lfs pull` where you got the model.",
        )
    if (
        hashlib.sha256(data).hexdigest()
        != files.checksums[path.relative_to(files.folder).as_posix()]
    ):
        raise ModelError(
            f"{path} has changed since its SHA-256 was checked.",
            "Find out what writes to it, then run again.",
        )
    try:
        content: Any = _load(data, path)
    except Exception as error:
        raise ModelError(f"{path} cannot be read: {error}.", "Download it again.") from error
    weights = content.get("network_weights") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in weights.items()
    ):
        raise ModelError(
            f"{path} holds no 'network_weights': it is not a checkpoint of nnU-Net v2."
        )
    read: Mapping[str, Any] = content
    return read


def _load(data: bytes, path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(_SAFE):
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        # Trainers may store anything beside the weights. These bytes are vouched for: their
        # checksum is registered, or the user trusts the model.
        logger.info("%s holds more than weights; reading all of it.", path)
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=False)
