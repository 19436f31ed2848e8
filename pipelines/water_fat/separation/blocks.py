"""Blocks of a few millimetres: the coarse grid on which the field map is sought.

A block stands for its tissue voxels through their echo products ``conj(s_n) s_m``, summed. Any
residual of a linear signal model, at any field, follows from these sums exactly, so nothing is
lost by not visiting the voxels again, however strongly the field bends inside a block.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pipelines.arrays import Affine, Array, Bool, Complex64, Float32, Float64, Index
from pipelines.geometry import voxel_sizes

BLOCK_MM = 4.0

# Steps to the neighbours whose fields are compared. Those of two and three blocks reach across
# septa, fascia and cortical bone, which have little signal of their own.
NEIGHBOUR_STEPS = (
    (1, 0, 0),
    (0, 1, 0),
    (0, 0, 1),
    (1, 1, 0),
    (1, -1, 0),
    (2, 0, 0),
    (0, 2, 0),
    (3, 0, 0),
    (0, 3, 0),
)


@dataclass(frozen=True)
class Blocks:
    """Tissue voxels sorted into blocks.

    Attributes
    ----------
    shape : tuple of int
        Shape of the grid of blocks.
    size : tuple of int
        Voxels of a block along each axis.
    edge_mm : ndarray of shape (3,)
        Edge lengths of a block.
    cell : ndarray of shape (blocks,)
        Flat index of every occupied block in the grid.
    voxel : ndarray of shape (voxels,)
        Flat index of every tissue voxel in the image, block by block.
    start : ndarray of shape (blocks,)
        Where each block begins in `voxel`.
    """

    shape: tuple[int, int, int]
    size: tuple[int, int, int]
    edge_mm: Float64
    cell: Index
    voxel: Index
    start: Index

    @property
    def count(self) -> Index:
        """Tissue voxels of each block."""
        return np.diff(self.start, append=self.voxel.size)

    def sum(self, values: Array) -> Array:
        """Add up voxel values, sorted as `voxel`, along the last axis within each block."""
        total: Array = np.add.reduceat(values, self.start, axis=-1)
        return total

    def paint(self, values: Array, empty: float = 0.0) -> Array:
        """Return block values on the grid of blocks, `empty` where there is no tissue."""
        grid = np.full(self.shape, empty, values.dtype)
        grid.ravel()[self.cell] = values
        return grid


@dataclass(frozen=True)
class EchoProducts:
    """Second moments of the signal within each block.

    Attributes
    ----------
    pairs : list of (int, int)
        Echoes n < m of each row of `cross`.
    power : ndarray of shape (echoes, blocks)
        Sum of ``|s_n|^2``.
    cross : ndarray of shape (pairs, blocks)
        Sum of conj(s_n) s_m.
    """

    pairs: list[tuple[int, int]]
    power: Float32
    cross: Complex64


def make_blocks(tissue: Bool, affine: Affine, block_mm: float = BLOCK_MM) -> Blocks:
    """Cut the tissue into blocks of about the given edge length, at least one voxel each.

    `tissue` is (x, y, z); `affine` is (4, 4), in mm; `block_mm` is in mm.
    """
    spacing = voxel_sizes(affine)
    nx, ny, nz = (max(1, round(block_mm / float(mm))) for mm in spacing)
    size = (nx, ny, nz)
    shape = tuple(-(-extent // step) for extent, step in zip(tissue.shape, size, strict=True))
    voxel = np.flatnonzero(tissue)
    place = np.unravel_index(voxel, tissue.shape)
    cell = np.ravel_multi_index(
        tuple(index // step for index, step in zip(place, size, strict=True)), shape
    )
    order = np.argsort(cell, kind="stable")
    cells, start = np.unique(cell[order], return_index=True)
    return Blocks((shape[0], shape[1], shape[2]), size, spacing * size, cells, voxel[order], start)


def echo_products(blocks: Blocks, signal: Complex64) -> EchoProducts:
    """Sum the echo products of each block.

    `signal` is (echoes, voxels).
    """
    pairs = list(combinations(range(len(signal)), 2))
    power = np.stack([blocks.sum(echo.real**2 + echo.imag**2) for echo in signal])
    cross = np.stack([blocks.sum(signal[n].conj() * signal[m]) for n, m in pairs])
    return EchoProducts(pairs, power, cross)


@dataclass(frozen=True)
class Neighbours:
    """Pairs of blocks: their indices and the distance of their centres in mm."""

    first: Index
    second: Index
    distance_mm: Float32


def neighbours(
    blocks: Blocks, steps: Sequence[tuple[int, int, int]] = NEIGHBOUR_STEPS
) -> Neighbours:
    """List the pairs of occupied blocks that lie one of the given steps apart."""
    number = np.full(int(np.prod(blocks.shape)), -1, np.intp)
    number[blocks.cell] = np.arange(blocks.cell.size)
    place = np.stack(np.unravel_index(blocks.cell, blocks.shape))
    extent = np.array(blocks.shape)[:, None]
    first, second, distance = [], [], []
    for step in steps:
        target = place + np.array(step)[:, None]
        inside = np.flatnonzero(((target >= 0) & (target < extent)).all(axis=0))
        other = number[np.ravel_multi_index(tuple(target[:, inside]), blocks.shape)]
        occupied = other >= 0
        first.append(inside[occupied])
        second.append(other[occupied])
        length = float(np.linalg.norm(np.array(step) * blocks.edge_mm))
        distance.append(np.full(int(occupied.sum()), length, np.float32))
    return Neighbours(np.concatenate(first), np.concatenate(second), np.concatenate(distance))
