"""Outlines of muscles made wrong in known ways, each as wrong as a given Dice coefficient says."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import fft, ndimage

from pipelines.arrays import Array, Bool, Float64, Floating, Int64, Integer

# How far from the muscle (mm) wrong voxels are looked for.
REACH_MM = 40.0
# Width of the patches in which the outermost layer of voxels is partly lost or added (mm): networks
# err along stretches of an outline, not in single voxels.
PATCH_MM = 5.0
# How far a shift by whole voxels may miss the Dice coefficient; the other kinds hit it.
SHIFT_TOLERANCE = 0.01
# Axis and sign of the directions of a shift; the arrays run to the right, anterior and superior.
DIRECTIONS = {"right": (0, 1), "left": (0, -1), "anterior": (1, 1), "posterior": (1, -1)}


class Outline(NamedTuple):
    """A wrong outline.

    ``kind`` is one of ``KINDS``; ``variant`` the direction or the end; ``mm`` how far it went
    wrong: depth of the layer, length of the shift or of the piece.
    """

    kind: str
    variant: str
    mask: Bool
    mm: float


@dataclass(frozen=True)
class Scene:
    """One muscle and what lies around it, arrays (x, y, z) in canonical order.

    Attributes
    ----------
    mask : ndarray of bool
        The right outline.
    others : ndarray of bool
        Voxels of other muscles.
    tissue : ndarray of bool
        Voxels that have a fat fraction; nothing else is taken in.
    sizes : ndarray of float, shape (3,)
        Edge lengths of a voxel, mm.
    """

    mask: Bool
    others: Bool
    tissue: Bool
    sizes: Float64

    @cached_property
    def voxels(self) -> int:
        """Number of voxels of the muscle."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def depth(self) -> Float64:
        """Distance of the muscle's voxels to the next one outside, mm."""
        return np.asarray(ndimage.distance_transform_edt(self.mask, sampling=self.sizes))

    @cached_property
    def distance(self) -> Float64:
        """Distance of the voxels outside to the muscle, mm."""
        return np.asarray(ndimage.distance_transform_edt(~self.mask, sampling=self.sizes))

    @cached_property
    def patches(self) -> Floating:
        """Smooth noise that says which of equally deep voxels comes first."""
        noise = np.random.default_rng(0).standard_normal(self.mask.shape)
        return np.asarray(ndimage.gaussian_filter(noise, PATCH_MM / self.sizes))

    @cached_property
    def shifts(self) -> tuple[Int64, Float64]:
        """Shifts in the plane that stay in the box (voxels, (n, 2)), and the Dice of each (n,)."""
        shape = self.mask.shape[:2]
        steps = []
        for axis, size in enumerate(shape):
            used = np.flatnonzero(self.mask.any(axis=(1 - axis, 2)))
            steps.append(np.arange(-used[0], size - used[-1]))
        vectors = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 2)
        # The autocorrelation of the mask is the overlap at every shift; negative ones wrap round.
        spectrum = fft.rfft2(self.mask, s=[2 * n for n in shape], axes=(0, 1))
        overlap = fft.irfft2((np.abs(spectrum) ** 2).sum(axis=2), s=[2 * n for n in shape])
        return vectors, np.rint(overlap[vectors[:, 0], vectors[:, 1]]) / self.voxels


def scene_of(labels: Integer, ff: Floating, value: int, sizes: Float64) -> tuple[Scene, Floating]:
    """Cut a muscle with its surroundings out of a label image and a fat fraction map."""
    margin = np.ceil(REACH_MM / sizes).astype(int)
    found = np.argwhere(labels == value)
    low = np.maximum(found.min(axis=0) - margin, 0)
    high = np.minimum(found.max(axis=0) + 1 + margin, labels.shape)
    box = tuple(slice(start, stop) for start, stop in zip(low, high, strict=True))
    mask = labels[box] == value
    others = (labels[box] > 0) & ~mask
    return Scene(mask, others, np.isfinite(ff[box]), sizes), ff[box]


def perturb(scene: Scene, dice: float) -> Iterator[Outline]:
    """Yield the wrong outlines of a muscle at a Dice coefficient, without those it cannot reach."""
    for make in KINDS.values():
        yield from make(scene, dice)


def kept_voxels(voxels: int, dice: float) -> int:
    """Return how many voxels a part of a mask has at a Dice coefficient: 2 k / (n + k)."""
    return round(voxels * dice / (2 - dice))


def added_voxels(voxels: int, dice: float) -> int:
    """Return how many voxels are around a mask that lies inside: 2 n / (2 n + k)."""
    return round(2 * voxels * (1 / dice - 1))


def _eroded(scene: Scene, dice: float) -> Iterator[Outline]:
    """Lose the outermost voxels."""
    count = scene.voxels - kept_voxels(scene.voxels, dice)
    lost = _first(scene.mask, count, scene.depth, scene.patches)
    yield Outline("eroded", "", scene.mask & ~lost, float(scene.depth[lost].max(initial=0)))


def _dilated(scene: Scene, dice: float) -> Iterator[Outline]:
    """Take in the nearest tissue, whatever it is."""
    yield from _grown("dilated", scene, dice, scene.tissue)


def _confused(scene: Scene, dice: float) -> Iterator[Outline]:
    """Take in the nearest voxels of other muscles."""
    yield from _grown("neighbour", scene, dice, scene.others & scene.tissue)


def _grown(kind: str, scene: Scene, dice: float, allowed: Bool) -> Iterator[Outline]:
    near = allowed & ~scene.mask & (scene.distance <= REACH_MM)
    count = added_voxels(scene.voxels, dice)
    if np.count_nonzero(near) >= count:
        gained = _first(near, count, scene.distance, scene.patches)
        yield Outline(kind, "", scene.mask | gained, float(scene.distance[gained].max(initial=0)))


def _shifted(scene: Scene, dice: float) -> Iterator[Outline]:
    """Move the outline within its slices, by whole voxels, about to each side."""
    vectors, reached = scene.shifts
    in_mm = vectors * scene.sizes[:2]
    miss, length = np.abs(reached - dice), np.hypot(*in_mm.T)
    for direction, (axis, sign) in DIRECTIONS.items():
        ahead = sign * in_mm[:, axis] > np.abs(in_mm[:, 1 - axis])
        close = np.flatnonzero(ahead & (miss <= SHIFT_TOLERANCE))
        if close.size:
            best = close[np.lexsort((length[close], miss[close]))[0]]
            moved = np.roll(scene.mask, tuple(vectors[best]), axis=(0, 1))
            yield Outline("shifted", direction, moved, float(length[best]))


def _ends_cut(scene: Scene, dice: float) -> Iterator[Outline]:
    """Lose the slices of one end, and of the next one the outermost voxels."""
    count = scene.voxels - kept_voxels(scene.voxels, dice)
    level = np.broadcast_to(np.arange(scene.mask.shape[2]), scene.mask.shape)
    for end, order in (("proximal", -level), ("distal", level)):
        lost = _first(scene.mask, count, order, scene.depth, scene.patches)
        slices = np.unique(level[lost]).size
        yield Outline("end cut", end, scene.mask & ~lost, float(slices * scene.sizes[2]))


def _first(candidates: Bool, count: int, *keys: Array) -> Bool:
    """Mark so many of the candidates, those with the lowest keys; the first key counts most."""
    index = np.flatnonzero(candidates)
    order = np.lexsort([key.ravel()[index] for key in reversed(keys)])
    marked = np.zeros(candidates.size, dtype=bool)
    marked[index[order[:count]]] = True
    return marked.reshape(candidates.shape)


KINDS: Mapping[str, Callable[[Scene, float], Iterator[Outline]]] = {
    "eroded": _eroded,
    "dilated": _dilated,
    "shifted": _shifted,
    "neighbour": _confused,
    "end cut": _ends_cut,
}
