"""What the figures of a page are made of: pictures, outlines, places. Templates draw them."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from PIL import Image

from bids_app.reports.session.axial import (
    Window,
    body_window,
    fullest_slice,
    shown_slices,
    to_screen,
)
from bids_app.reports.session.content import LabelEntry
from bids_app.reports.session.outlines import Outline, outlines
from pipelines.arrays import Affine, Array

# Longest side of an embedded picture: sharp when printed four in a row on A4 (190 dpi).
_LONGEST_SIDE_PIXELS = 340

# Fat fraction 0 % is drawn a little lighter than the background, so that muscle stands out from it.
GREY_AT_ZERO, GREY_AT_HUNDRED = 28, 252

# Steps of four grey levels (1.8 points of fat fraction) cannot be told apart by eye and keep the
# page small. Zero and hundred percent are multiples of it.
_GREY_STEP = 4

# Uniform to the eye and readable with colour-blindness.
_COLORMAP = colormaps["viridis"]

_MOSAIC_COLUMNS = 4
# Gap between slices and height of a caption, as shares of the picture's width.
_GAP, _CAPTION = 0.02, 0.075


@dataclass(frozen=True)
class DrawnMuscle:
    """A muscle as drawn in a figure; its fat fraction is the mean of the whole muscle, percent."""

    entry: LabelEntry
    outline: Outline
    fat_fraction: float | None = None

    @property
    def fill(self) -> str:
        """Colour of its fat fraction."""
        return "none" if self.fat_fraction is None else fat_color(self.fat_fraction)


@dataclass(frozen=True)
class SlicePicture:
    """One axial slice (from the feet): a PNG as a data URI, at (x, y) in the figure, mm."""

    index: int
    picture: str
    muscles: Sequence[DrawnMuscle]
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class Figure:
    """A figure with one or more slices at the same scale, head end first; sizes in mm."""

    slices: Sequence[SlicePicture]
    slice_width: float
    slice_height: float
    width: float
    height: float


def mosaic(
    fat_fraction: Array,
    labels: Array | None,
    lookup: Mapping[int, LabelEntry],
    affine: Affine,
    maximum: int,
) -> Figure | None:
    """Lay out at most `maximum` slices with outlines of muscles; None if the map holds no value.

    Map (percent, NaN where there is no value) and labels have one grid in canonical order; labels
    that `lookup` does not know are not drawn.
    """
    chosen = shown_slices(fat_fraction, labels, maximum)
    if not chosen:
        return None
    window = body_window(fat_fraction[..., chosen], _pick(labels, chosen), affine)
    width, height = window.width_mm, window.height_mm
    columns = min(_MOSAIC_COLUMNS, max(len(chosen), 2))
    gap, caption = _GAP * width, _CAPTION * width
    slices = [
        SlicePicture(
            index,
            _picture(fat_fraction, index, window),
            [] if labels is None else _muscles(labels, index, window, lookup),
            x=(position % columns) * (width + gap),
            y=(position // columns) * (height + caption),
        )
        for position, index in enumerate(chosen)
    ]
    rows = math.ceil(len(chosen) / columns)
    return Figure(
        slices, width, height, columns * (width + gap) - gap, rows * (height + caption) - gap
    )


def key_slice(
    fat_fraction: Array,
    labels: Array,
    lookup: Mapping[int, LabelEntry],
    affine: Affine,
    means: Mapping[tuple[str, str], float],
) -> Figure | None:
    """Prepare the slice with the most muscles, named and coloured; None without labels.

    `means` holds the mean fat fraction of whole muscles, percent; the rest is as for `mosaic`.
    """
    if not labels.any():
        return None
    index = fullest_slice(labels)
    window = body_window(fat_fraction[..., [index]], labels[..., [index]], affine)
    muscles = _muscles(labels, index, window, lookup, means)
    picture = SlicePicture(index, _picture(fat_fraction, index, window), muscles)
    width, height = window.width_mm, window.height_mm
    return Figure([picture], width, height, width, height)


def fat_color(percent: float) -> str:
    """Return the colour of a fat fraction, ``#rrggbb``."""
    return to_hex(_COLORMAP(min(max(percent, 0.0), 100.0) / 100))


# Colour scale of fat fraction as stops of a gradient, percent to colour.
COLOR_STOPS = {percent: fat_color(percent) for percent in range(0, 101, 10)}


def _pick(labels: Array | None, slices: list[int]) -> Array | None:
    return None if labels is None else labels[..., slices]


def _muscles(
    labels: Array,
    index: int,
    window: Window,
    lookup: Mapping[int, LabelEntry],
    means: Mapping[tuple[str, str], float] | None = None,
) -> list[DrawnMuscle]:
    found = []
    for outline in outlines(to_screen(labels, index, window), window.spacing):
        entry = lookup.get(outline.value)
        if entry is not None:
            mean = (means or {}).get((entry.muscle, entry.side))
            found.append(DrawnMuscle(entry, outline, mean))
    return found


def _picture(fat_fraction: Array, index: int, window: Window) -> str:
    """Encode a slice of the fat fraction map as a grey PNG."""
    screen = to_screen(fat_fraction, index, window)
    share = np.clip(np.nan_to_num(screen, nan=0.0), 0, 100) / 100
    grey = GREY_AT_ZERO + share * (GREY_AT_HUNDRED - GREY_AT_ZERO)
    image = Image.fromarray(np.where(np.isfinite(screen), np.rint(grey), 0).astype(np.uint8))
    shrink = _LONGEST_SIDE_PIXELS / max(image.size)
    if shrink < 1:
        size = (max(round(image.width * shrink), 1), max(round(image.height * shrink), 1))
        image = image.resize(size, Image.Resampling.BOX)
    image = image.point([round(level / _GREY_STEP) * _GREY_STEP for level in range(256)])
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
