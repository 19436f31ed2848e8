"""Find labels that do not lie on the tissue they were drawn on: shifted, turned or mirrored.

Muscle is leaner than what is around it: the fat under the skin, between the muscles and in the
marrow. The lean share that labels enclose therefore falls when they are moved off their muscles,
and rises when misplaced labels are moved back. That holds for muscles mostly replaced by fat too,
as long as some are leaner than the fat around them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import fft

from pipelines.arrays import Affine, Bool, Float32, Float64, Index, UInt16
from pipelines.geometry import voxel_sizes
from pipelines.quality import Check, CheckLevel

_NAME = "label_placement"

# Shifts are sought on a grid of about this voxel size.
COARSE_MM = 3.0
# Largest shift that is sought of labels that are not turned.
MAX_SHIFT_MM = 40.0
# Labels in place (two thighs with muscular dystrophy, the bundled model's labels and the authors';
# two three-echo thighs; phantoms) gain nothing by moving in the plane and at most 0.008 by moving
# along the limb; moved by 9 mm in any direction they gain 0.021 and more by moving back.
LEAST_GAIN = 0.015
# Smaller shifts are no more than outlines that differ.
LEAST_SHIFT_MM = 5.0
# Beyond this, values are of other tissue than their names say.
FAILING_SHIFT_MM = 10.0
# In fewer slices labels fit as well one slice off.
LEAST_SLICES = 6
# Labels of a few muscles out of many fit elsewhere too: at least this share of the lean volume must
# be labelled.
LEAST_LABELLED_SHARE = 0.25


# Along each axis or not.
_MIRRORED = tuple(product((False, True), (False, True), (False, True)))


@dataclass(frozen=True)
class Placement:
    """Where labels fit the images best.

    Attributes
    ----------
    shift_mm : tuple of float
        From where the labels lie to there, along the array's axes: to the right, to the front, up.
        Meaningless if they are turned.
    mirrored : tuple of bool
        Along which axes they have to be mirrored to fit.
    lean_here, lean_there : float
        Lean share of what the labels enclose, 0 to 1, as they lie and there.
    """

    shift_mm: tuple[float, float, float]
    mirrored: tuple[bool, bool, bool]
    lean_here: float
    lean_there: float

    @property
    def distance_mm(self) -> float:
        """Length of the shift."""
        return float(np.linalg.norm(self.shift_mm))


def find_placement(labels: UInt16, ff: Float32, body: Bool, affine: Affine) -> Placement | None:
    """Find where labels enclose most lean tissue.

    `labels` and `body` are (x, y, z); `ff` is (x, y, z), in percent; `affine` is (4, 4), in mm.
    """
    lean = np.where(body, 1.0 - np.nan_to_num(ff, nan=100.0).clip(0.0, 100.0) / 100.0, 0.0)
    if (labels > 0).sum() < LEAST_LABELLED_SHARE * lean.sum():
        return None
    spacing = voxel_sizes(affine)
    step = np.maximum(np.round(COARSE_MM / spacing[:2]), 1).astype(int)
    spacing = spacing * [*step, 1]
    mask, lean = (_coarse(one, step) for one in (labels > 0, lean))
    here = float((mask * lean).sum() / mask.sum())
    found = list(_candidates(mask, lean, spacing, here))
    straight = [one for one in found if not any(one.mirrored)]
    best = max((one for one in straight if one.shift_mm[2] == 0.0), key=_fit)
    # A simpler explanation stands unless another fits clearly better: limbs grow thicker upwards,
    # so that labels fit a little better in a higher slice, and symmetric ones fit mirrored too.
    for group in (straight, found):
        other = max(group, key=_fit)
        if _fit(other) - _fit(best) >= LEAST_GAIN:
            best = other
    return best


def _fit(placement: Placement) -> float:
    return placement.lean_there


def _candidates(mask: Float32, lean: Float32, spacing: Float64, here: float) -> Iterator[Placement]:
    """Yield the best in-plane shift for each way of mirroring and each shift along the limb."""
    shape = [fft.next_fast_len(2 * n, real=True) for n in mask.shape[:2]]
    near = _within(shape, spacing, MAX_SHIFT_MM)
    lean_waves = fft.rfft2(lean, shape, axes=(0, 1))
    reach = int(MAX_SHIFT_MM // spacing[2]) or 1
    if mask.shape[2] < LEAST_SLICES:
        reach = 0
    for mirrored in _MIRRORED:
        turned = mask[tuple(slice(None, None, -1 if flip else 1) for flip in mirrored)]
        mask_waves = np.conj(fft.rfft2(turned, shape, axes=(0, 1)))
        for up in range(-reach, reach + 1) if not any(mirrored) else (0,):
            onto, moved = _overlap(mask.shape[2], up)
            volume = float(turned[:, :, moved].sum())
            if volume < mask.sum() / 2:
                continue
            waves = (lean_waves[:, :, onto] * mask_waves[:, :, moved]).sum(axis=2)
            enclosed = fft.irfft2(waves, shape) / volume
            before = here
            if not any(mirrored):
                enclosed = np.where(near, enclosed, 0.0)
                # Slices that are moved out of the image must not count as a gain.
                before = float((mask[:, :, moved] * lean[:, :, moved]).sum()) / volume
            index = np.unravel_index(int(enclosed.argmax()), enclosed.shape)
            x, y = (i - n if i > n // 2 else i for i, n in zip(index, shape, strict=True))
            shift = (float(x * spacing[0]), float(y * spacing[1]), float(up * spacing[2]))
            yield Placement(shift, mirrored, here, here + float(enclosed.max()) - before)


def check_placement(placement: Placement | None) -> Check:
    """Say whether labels would fit clearly better elsewhere."""
    unit = "mm"
    if placement is None:
        text = "Too little is labelled to tell whether the labels lie on their muscles."
        return Check(_NAME, "pass", text, None, unit, LEAST_SHIFT_MM)
    gain = placement.lean_there - placement.lean_here
    shares = (
        f"they enclose {100 * placement.lean_here:.0f} % lean tissue where they lie and "
        f"{100 * placement.lean_there:.0f} % there"
    )
    if gain >= LEAST_GAIN and any(placement.mirrored):
        text = (
            f"The labels fit the images clearly better {_turn(placement.mirrored)}: {shares}. "
            "Their header and that of the images disagree; do not use the values."
        )
        return Check(_NAME, "fail", text, None, unit, LEAST_SHIFT_MM)
    distance = placement.distance_mm
    if gain < LEAST_GAIN or distance < LEAST_SHIFT_MM:
        text = "The labels lie where they fit the images best."
        return Check(_NAME, "pass", text, 0.0, unit, LEAST_SHIFT_MM)
    text = (
        f"The labels would fit the images clearly better {distance:.0f} mm away "
        f"({', '.join(_directions(placement.shift_mm))}): {shares}. Were they drawn on other "
        "images, or did the patient move? Look at the outlines."
    )
    level: CheckLevel = "fail" if distance >= FAILING_SHIFT_MM else "warn"
    return Check(_NAME, level, text, distance, unit, LEAST_SHIFT_MM)


def _coarse(volume: Bool | Float32, step: Index) -> Float32:
    """Average blocks of pixels; what does not fill a block is dropped."""
    nx, ny = (n // k for n, k in zip(volume.shape[:2], step, strict=True))
    cut = volume[: nx * step[0], : ny * step[1]].astype(np.float32)
    blocks = cut.reshape(nx, step[0], ny, step[1], volume.shape[2])
    averaged: Float32 = blocks.mean(axis=(1, 3))
    return averaged


def _overlap(n_slices: int, up: int) -> tuple[slice, slice]:
    """Return the slices of the image, and those of labels moved up onto them."""
    low, high = max(0, up), n_slices + min(0, up)
    return slice(low, high), slice(low - up, high - up)


def _within(shape: list[int], spacing: Float64, limit: float) -> Bool:
    """Mark the shifts, in the order of a Fourier transform, up to a distance."""
    x, y = (fft.fftfreq(n, 1.0 / n) * s for n, s in zip(shape, spacing, strict=False))
    near: Bool = np.hypot(x[:, None], y[None, :]) <= limit
    return near


def _directions(shift: tuple[float, float, float]) -> Iterator[str]:
    words = (
        ("to the patient's left", "to the patient's right"),
        ("backwards", "forwards"),
        ("down", "up"),
    )
    for distance, (negative, positive) in zip(shift, words, strict=True):
        if distance:
            way = positive if distance > 0 else negative
            yield f"{abs(distance):.0f} mm {way}"


def _turn(mirrored: tuple[bool, bool, bool]) -> str:
    if mirrored == (True, True, False):
        return "turned by 180 degrees about the long axis (as LPS coordinates read as RAS are)"
    words = [
        word
        for word, flip in zip(("left-right", "front-back", "up-down"), mirrored, strict=True)
        if flip
    ]
    return f"mirrored {' and '.join(words)}"
