"""From what each voxel is made of to labels, tissues and signal without noise."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bids_example.code.body import Body
from bids_example.code.cross_section import Tissue
from bids_example.code.dixon_signal import APPEARANCES, muscle_total
from bids_example.code.fat_texture import spread_fat
from bids_example.code.thigh import Content, reference_thigh
from bids_example.code.voxelize import SAMPLES_PER_VOXEL, component
from pipelines.anatomy.vocabulary import SIDES, Side, muscles

Counts = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# In-plane cross: the four neighbours in the slice.
_IN_PLANE = ndimage.generate_binary_structure(2, 1)[:, :, None]


def muscle_components(content: Content) -> list[tuple[str, Side, int]]:
    """List name, side and component of the muscles, or of the neighbours without a label."""
    return [
        (c.name, side, component(c.name, side))
        for c in reference_thigh().compartments
        if c.content == content
        for side in SIDES
    ]


def label_image(counts: Counts) -> npt.NDArray[np.uint16]:
    """Label each voxel with the muscle that more than half of it is.

    Parameters
    ----------
    counts : ndarray of uint8, shape (component, x, y, z)
        From :func:`.voxelize.sample`.

    Returns
    -------
    ndarray of uint16, shape (x, y, z)
        Label values of :mod:`pipelines.anatomy.vocabulary`.
    """
    labels = np.zeros(counts.shape[1:], np.uint16)
    for name, side, number in muscle_components("muscle"):
        labels[_mostly(counts, number)] = muscles()[name].value(side)
    return labels


def commonest_tissue(counts: Counts) -> npt.NDArray[np.uint8]:
    """Return the :class:`.cross_section.Tissue` that takes most of each voxel."""
    by_tissue = counts[: len(Tissue)].copy()
    for _, _, number in muscle_components("muscle"):
        by_tissue[Tissue.MUSCLE] += counts[number]
    for _, _, number in muscle_components("neighbour"):
        by_tissue[Tissue.NEIGHBOUR_MUSCLE] += counts[number]
    commonest: npt.NDArray[np.uint8] = np.argmax(by_tissue, axis=0).astype(np.uint8)
    return commonest


def clean_images(counts: Counts, pattern: Floats, body: Body) -> tuple[Floats, Floats]:
    """Add up the water and the fat signal of all that is in each voxel.

    Parameters
    ----------
    counts : ndarray of uint8, shape (component, x, y, z)
        From :func:`.voxelize.sample`.
    pattern : ndarray of shape (x, y, z)
        How fat varies inside muscles, in logits.
    body : Body
        Fat fraction of each muscle.

    Returns
    -------
    water, fat : ndarray of shape (x, y, z)
        Signals without noise and shading.
    """
    water = np.zeros(counts.shape[1:])
    fat = np.zeros(counts.shape[1:])
    for tissue, look in APPEARANCES.items():
        signal = counts[tissue] * (look.total / SAMPLES_PER_VOXEL)
        water += signal * (1.0 - look.fat_percent / 100.0)
        fat += signal * (look.fat_percent / 100.0)
    for name, side, number in muscle_components("muscle") + muscle_components("neighbour"):
        where = counts[number] > 0
        if where.any():
            interior = _interior(_mostly(counts, number), where)
            ff = spread_fat(body.fat_of(name, side), pattern[where], interior[where])
            signal = counts[number][where] / SAMPLES_PER_VOXEL * muscle_total(ff)
            water[where] += signal * (1.0 - ff / 100.0)
            fat[where] += signal * (ff / 100.0)
    return water, fat


def _mostly(counts: Counts, number: int) -> Mask:
    mostly: Mask = counts[number] > SAMPLES_PER_VOXEL // 2
    return mostly


def _interior(label: Mask, where: Mask) -> Mask:
    """Return the voxels that define a muscle's mean: inner ones, or whatever there is."""
    inner = ndimage.binary_erosion(label, _IN_PLANE, border_value=1)
    for candidate in (inner, label):
        if candidate.any():
            return np.asarray(candidate)
    return where
