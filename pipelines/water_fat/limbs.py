"""Which limb a voxel belongs to: one leg or two, apart or touching, with or without arms beside.

Every slice is reduced to its *lobes*, the thick parts of the body mask. Two lobes are two limbs if
they are apart, or joined by a neck clearly thinner than both. What the slices show is then made
consistent over the volume, so that pelvic slices above two thighs are split between left and right
too.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import expand_labels, watershed

from pipelines.arrays import Affine, Bool, Float64, Int32, UInt8
from pipelines.geometry import voxel_sizes

# Lobes are sought on a grid of about this voxel size; limbs are many times as thick.
COARSE_MM = 2.0
# The half-width of an arm or hand is below half of that of the leg beside it; two legs of one
# person differ less even when one is wasted.
MIN_RELATIVE_THICKNESS = 0.5
# Two lobes are two limbs if the neck between them has at most this share of the thinner one's
# half-width.
NECK = 0.8
# Levels, as shares of the thickest lobe, at which a neck is looked for.
LEVELS = np.arange(0.0, 0.95, 0.05)
# Share of the slices with a body that must show two limbs for the volume to have two.
MIN_PAIR_SHARE = 0.25
# Where left and right are not apart, the line between them is taken from this many near slices.
NEIGHBOURS = 3
_NOT_A_LIMB = 255


@dataclass(frozen=True)
class Limbs:
    """Limb of every voxel.

    Attributes
    ----------
    labels : ndarray of uint8, shape (x, y, z)
        0 where there is no limb (air, arms beside the legs); otherwise 1 + index into `names`.
    names : tuple of str
        ``('left', 'right')`` of the patient, or ``('single',)``: from one limb alone its side
        cannot be told.
    """

    labels: UInt8
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Slice:
    """Coarse lobes of one slice: 1 and 2 for a pair (by rising x), 1 for one; 255 is no limb."""

    lobes: UInt8
    centres: tuple[Float64, ...]


def label_limbs(body: Bool, affine: Affine) -> Limbs:
    """Tell the limbs in a body mask apart.

    Parameters
    ----------
    body : ndarray of bool, shape (x, y, z)
        Body mask in canonical orientation.
    affine : ndarray of shape (4, 4)
        Its affine, mm.

    Returns
    -------
    Limbs
        Left is the side of low x.
    """
    spacing = voxel_sizes(affine)[:2]
    step = np.maximum(np.round(COARSE_MM / spacing), 1).astype(int)
    coarse_spacing = spacing * step
    slices = [
        _find_lobes(body[:: step[0], :: step[1], k], coarse_spacing) for k in range(body.shape[2])
    ]
    filled = [k for k, one in enumerate(slices) if one.centres]
    pairs = [k for k in filled if len(slices[k].centres) == 2]
    two = len(pairs) > 0 and len(pairs) >= MIN_PAIR_SHARE * len(filled)
    labels = np.zeros(body.shape, np.uint8)
    for k in filled:
        lobes = slices[k].lobes
        if not two:
            lobes = np.where(lobes == 2, 1, lobes).astype(np.uint8)
        elif k not in pairs:
            lobes = _split(lobes, [slices[p].centres for p in _nearest(pairs, k)], coarse_spacing)
        labels[:, :, k] = _to_full_grid(lobes, step, body[:, :, k])
    return Limbs(labels, ("left", "right") if two else ("single",))


def _find_lobes(body: Bool, spacing: Float64) -> _Slice:
    """Find the one or two limbs of a coarse slice."""
    empty = np.zeros(body.shape, np.uint8)
    if not body.any():
        return _Slice(empty, ())
    # Padding makes the image border an outside, so that a body that fills it has a thickest part.
    thickness = ndimage.distance_transform_edt(np.pad(body, 1), sampling=spacing)[1:-1, 1:-1]
    top = thickness.max()
    pieces, count = ndimage.label(body)
    piece_top = ndimage.maximum(thickness, pieces, np.arange(count + 1))
    thick_piece = piece_top >= MIN_RELATIVE_THICKNESS * top
    thick_piece[0] = False
    limb_pieces = thick_piece[pieces]
    other = np.where(body & ~limb_pieces, np.uint8(_NOT_A_LIMB), empty)
    markers = _pair_markers(thickness, limb_pieces, top)
    if markers is None:
        centre = np.argwhere(limb_pieces).mean(axis=0) * spacing
        return _Slice(np.where(limb_pieces, np.uint8(1), other), (centre,))
    # Pieces without a marker stay 0 in the watershed: they are thick, but not one of the two.
    basins = watershed(-thickness, markers, mask=limb_pieces)
    centres = tuple(np.argwhere(basins == i).mean(axis=0) * spacing for i in (1, 2))
    if centres[0][0] > centres[1][0]:
        basins = np.choose(basins, (0, 2, 1))
        centres = centres[::-1]
    lobes = np.where(basins > 0, basins, np.where(body, _NOT_A_LIMB, 0)).astype(np.uint8)
    return _Slice(lobes, centres)


def _pair_markers(thickness: Float64, limb_pieces: Bool, top: float) -> Int32 | None:
    """Return the cores of two lobes, numbered 1 and 2, or None where there is one."""
    for level in LEVELS * top:
        cores, count = ndimage.label(limb_pieces & (thickness > level))
        if count < 2:
            continue
        tops = ndimage.maximum(thickness, cores, np.arange(1, count + 1))
        area = np.bincount(cores.ravel(), minlength=count + 1)[1:]
        thick = np.flatnonzero(tops >= max(MIN_RELATIVE_THICKNESS * top, level / NECK))
        if thick.size < 2:
            continue
        first, second = thick[np.argsort(-area[thick], kind="stable")[:2]] + 1
        markers = np.zeros(cores.shape, np.int32)
        markers[cores == first] = 1
        markers[cores == second] = 2
        return markers
    return None


def _nearest(pairs: list[int], k: int) -> list[int]:
    return sorted(pairs, key=lambda p: abs(p - k))[:NEIGHBOURS]


def _split(lobes: UInt8, pairs: list[tuple[Float64, ...]], spacing: Float64) -> UInt8:
    """Divide one lobe along the line midway between the limbs of neighbouring slices."""
    left, right = (np.mean([pair[i] for pair in pairs], axis=0) for i in (0, 1))
    x, y = (np.arange(n) * s for n, s in zip(lobes.shape, spacing, strict=True))
    middle, direction = (left + right) / 2, right - left
    side = (x[:, None] - middle[0]) * direction[0] + (y[None, :] - middle[1]) * direction[1]
    return np.where(lobes == 1, np.where(side < 0, 1, 2), lobes).astype(np.uint8)


def _to_full_grid(lobes: UInt8, step: npt.NDArray[np.int_], body: Bool) -> UInt8:
    """Bring coarse labels to the image grid and over the voxels between the coarse samples."""
    grown = expand_labels(lobes, distance=2)
    full = grown.repeat(step[0], axis=0).repeat(step[1], axis=1)[: body.shape[0], : body.shape[1]]
    limb: UInt8 = np.where(body & (full != _NOT_A_LIMB), full, 0).astype(np.uint8)
    return limb
