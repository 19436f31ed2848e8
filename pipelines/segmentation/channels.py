"""Match a scan's images to the input channels of a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.errors import DataError, ModelError
from pipelines.segmentation.model_files import ModelFiles
from pipelines.segmentation.registry import show_channels


@dataclass(frozen=True)
class ChannelStack:
    """Input of a network on the grid of the scan.

    Attributes
    ----------
    data : ndarray of float32, shape (c, x, y, z)
        Channels in the model's order, in canonical orientation.
    kinds : tuple of str or None
        The image kind in each channel; None for a channel that is missing.
    """

    data: npt.NDArray[np.float32]
    kinds: tuple[str | None, ...]


def stack_channels(images: Mapping[str, npt.NDArray[Any]], model: ModelFiles) -> ChannelStack:
    """Pick a scan's images for the channels of a model and normalize them as it needs.

    Parameters
    ----------
    images : mapping of str to ndarray of shape (x, y, z)
        Magnitude images by kind (``water``, ``fat``, ``in_phase``, ``opposed_phase``, ``t1``), on
        one grid.
    model : ModelFiles
        The model.

    Raises
    ------
    ModelError
        If the images do not fit the channels of the model.
    DataError
        If images differ in shape or hold no signal.
    """
    taken: list[str | None] = []
    for kinds in model.channels:
        free = [kind for kind in kinds if kind in images and kind not in taken]
        taken.append(free[0] if free else None)
    filled = [kind for kind in taken if kind is not None]
    if not filled or (len(filled) < len(taken) and not model.missing_channels):
        given = ", ".join(sorted(images)) or "no images"
        raise ModelError(
            f"Model {model.name} needs {len(taken)} channel{'s' * (len(taken) > 1)} "
            f"({show_channels(model.channels)}); the scan has {given}.",
            "Choose a model that fits the images (run.py --list models).",
        )
    shapes = {kind: images[kind].shape for kind in filled}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{kind} {shape}" for kind, shape in shapes.items())
        raise DataError(f"Images differ in shape: {listed}.", "Resample them to one grid first.")
    if model.normalization == "dixon_joint":
        from pipelines.segmentation.normalization import normalize_dixon

        water, fat = (images[kind] if kind else None for kind in taken)
        data = normalize_dixon(water, fat)
    else:
        data = np.zeros((len(taken), *images[filled[0]].shape), np.float32)
        for channel, kind in enumerate(filled):
            data[channel] = np.nan_to_num(images[kind], nan=0.0, posinf=0.0, neginf=0.0)
    return ChannelStack(data, tuple(taken))
