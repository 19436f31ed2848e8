"""What prediction needs to know of a network, read from a model's plans without nnU-Net."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.errors import ModelError
from pipelines.segmentation.plans.architecture import Architecture, read_architecture
from pipelines.segmentation.plans.description import (
    channel_names,
    check_content,
    merged_configuration,
    model_label_values,
)
from pipelines.segmentation.plans.intensities import IntensityScheme, read_schemes
from pipelines.segmentation.plans.resampling import Resampling, read_resampling

# The steps of this one are followed here; nnU-Net brings no other.
_PREPROCESSOR = "DefaultPreprocessor"
# Some seven times the largest that nnU-Net plans for; what it takes to compute is 32 numbers and
# more for each.
_MOST_PATCH_VOXELS = 2**26


@dataclass(frozen=True)
class NetworkPlan:
    """One configuration of a model.

    Attributes
    ----------
    configuration : str
        Its name, e.g. ``2d``.
    patch_size : tuple of int
        Tile of the sliding window, in the network's axis order; two numbers for a network that
        sees each slice alone.
    spacing : tuple of float
        Voxel size the network works at, mm; as long as `patch_size`.
    transpose : tuple of int
        Order of the network's axes, as positions in (z, y, x).
    schemes : tuple of IntensityScheme
        Normalization of each channel.
    resampling : Resampling
        How images are brought to `spacing`.
    architecture : Architecture
        What the network is built of.
    n_channels, n_classes : int
        Input channels; output classes with background.
    """

    configuration: str
    patch_size: tuple[int, ...]
    spacing: tuple[float, ...]
    transpose: tuple[int, int, int]
    schemes: tuple[IntensityScheme, ...]
    resampling: Resampling
    architecture: Architecture
    n_channels: int
    n_classes: int


def read_network_plan(
    plans: Mapping[str, Any], dataset: Mapping[str, Any], configuration: str, source: str
) -> NetworkPlan:
    """Read a configuration and check that it can be run here.

    Parameters
    ----------
    plans, dataset : mapping
        Contents of ``plans.json`` and ``dataset.json``.
    configuration : str
        Name of the configuration.
    source : str
        The model, for messages.

    Raises
    ------
    ModelError
        If the configuration is missing, incomplete, out of bounds or the second stage of a cascade,
        or names a network, operations or a preparation of images that are not known here.
    """
    merged = merged_configuration(plans, configuration, source)
    check_content(merged, "configuration", f"Configuration {configuration} of {source}")
    if merged.get("previous_stage"):
        raise ModelError(
            f"{source} is the second stage of a cascade (after {merged['previous_stage']}).",
            "Use a single-stage configuration (2d, 3d_fullres or 3d_lowres).",
        )
    n_channels = len(channel_names(dataset))
    try:
        _check_sizes(merged["patch_size"], merged["spacing"], source)
        if merged["preprocessor_name"] != _PREPROCESSOR:
            raise ModelError(
                f"The plans of {source} prepare images with {merged['preprocessor_name']!r}, which "
                "is not part of nnU-Net.",
                f"Only models that use nnU-Net's {_PREPROCESSOR} can be run.",
            )
        first, second, third = plans["transpose_forward"]
        return NetworkPlan(
            configuration=configuration,
            patch_size=tuple(int(n) for n in merged["patch_size"]),
            spacing=tuple(float(s) for s in merged["spacing"]),
            transpose=(int(first), int(second), int(third)),
            schemes=read_schemes(plans, merged, n_channels, source),
            resampling=read_resampling(merged, source),
            architecture=read_architecture(merged, source),
            n_channels=n_channels,
            n_classes=_count_classes(dataset, source),
        )
    except KeyError as error:
        raise ModelError(
            f"The plans of {source} say nothing of {error.args[0]!r}.",
            "They are damaged or not of nnU-Net v2; get the model again.",
        ) from error


def _check_sizes(patch: Sequence[int], spacing: Sequence[float], source: str) -> None:
    hint = "They are damaged or not of nnU-Net v2; get the model again."
    if len(patch) != len(spacing):
        raise ModelError(
            f"The plans of {source} have patches of {len(patch)} axes and {len(spacing)} voxel "
            "sizes.",
            hint,
        )
    if math.prod(patch) > _MOST_PATCH_VOXELS:
        raise ModelError(
            f"The plans of {source} have patches of {' x '.join(map(str, patch))} voxels; at most "
            f"{_MOST_PATCH_VOXELS} can be computed.",
            hint,
        )


def _count_classes(dataset: Mapping[str, Any], source: str) -> int:
    """Count the outputs of the network; voxels marked ``ignore`` were never one."""
    values = model_label_values(dataset, source)
    return len({value for name, value in values.items() if name != "ignore"})
