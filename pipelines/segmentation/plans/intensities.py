"""Normalize the intensities of a channel as a model's plans say: nnU-Net's schemes, in numpy.

The default model brings its own normalization instead (:mod:`pipelines.segmentation.channels`)
and says ``NoNormalization`` in its plans.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.arrays import Bool, Float32, Floating
from pipelines.errors import ModelError

# The schemes that are known, and the figures of the training images they cannot do without.
_FIGURES: Mapping[str, tuple[str, ...]] = {
    "CTNormalization": ("percentile_00_5", "percentile_99_5", "mean", "std"),
    "NoNormalization": (),
    "RescaleTo01Normalization": (),
    "ZScoreNormalization": (),
}
# nnU-Net never divides by less.
_LEAST_SPREAD = 1e-8


@dataclass(frozen=True)
class IntensityScheme:
    """How one channel is normalized.

    Attributes
    ----------
    name : str
        nnU-Net's name of the scheme.
    inside_only : bool
        Whether it looks at and changes only the voxels where some channel is not zero, and what
        these enclose.
    properties : mapping of str to float
        Intensities of the training images, for the schemes that use them.
    """

    name: str
    inside_only: bool
    properties: Mapping[str, float]


def read_schemes(
    plans: Mapping[str, Any], configuration: Mapping[str, Any], n_channels: int, source: str
) -> tuple[IntensityScheme, ...]:
    """Read the scheme of every channel."""
    # nnU-Net 2.0 wrote "modality" where later versions write "channel".
    training = plans.get("foreground_intensity_properties_per_channel") or plans.get(
        "foreground_intensity_properties_by_modality", {}
    )
    names, masks = configuration["normalization_schemes"], configuration["use_mask_for_norm"]
    if min(len(names), len(masks)) < n_channels:
        raise ModelError(
            f"The plans of {source} do not say how each of {n_channels} channels is normalized.",
            "Get the model again.",
        )
    schemes = []
    for channel in range(n_channels):
        name = names[channel]
        if name not in _FIGURES:
            raise ModelError(
                f"The plans of {source} normalize channel {channel} with {name!r}, which is not "
                "known here.",
                f"Known are: {', '.join(_FIGURES)}.",
            )
        properties = training.get(str(channel), {})
        missing = [key for key in _FIGURES[name] if properties.get(key) is None]
        if missing:
            raise ModelError(
                f"The plans of {source} normalize channel {channel} with {name}, but lack its "
                f"{', '.join(missing)}.",
                "Get the model again.",
            )
        figures = {key: float(properties[key]) for key in _FIGURES[name]}
        schemes.append(IntensityScheme(name, masks[channel], figures))
    return tuple(schemes)


def normalize_channel(image: Float32, scheme: IntensityScheme, inside: Bool | None) -> Float32:
    """Return a normalized channel.

    Parameters
    ----------
    image : ndarray of float32, shape (a, b, d)
        The channel.
    scheme : IntensityScheme
        How.
    inside : ndarray of bool, shape (a, b, d), or None
        Voxels that count; needed if ``scheme.inside_only``.
    """
    match scheme.name:
        case "NoNormalization":
            return image
        case "ZScoreNormalization":
            return _z_score(image, inside if scheme.inside_only else None)
        case "RescaleTo01Normalization":
            shifted = image - image.min()
            return _float32(shifted / max(shifted.max(), _LEAST_SPREAD))
        case _:
            low, high, mean, spread = (scheme.properties[key] for key in _FIGURES[scheme.name])
            return _float32((np.clip(image, low, high) - mean) / max(spread, _LEAST_SPREAD))


def _z_score(image: Float32, inside: Bool | None) -> Float32:
    values = image if inside is None else image[inside]
    scaled = (values - values.mean()) / max(values.std(), _LEAST_SPREAD)
    if inside is None:
        return _float32(scaled)
    normalized = image.copy()
    normalized[inside] = scaled
    return normalized


def _float32(values: Floating) -> Float32:
    return values.astype(np.float32, copy=False)
