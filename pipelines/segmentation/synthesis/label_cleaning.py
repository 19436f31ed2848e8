"""Clean label maps before they are used as anatomy: islands, wrong-side voxels, missing slices.

The label maps people have are often predictions of a network or tracings with gaps. A stray island
teaches a model to put a muscle where it cannot be, so every map goes through
:func:`clean_label_map` first.
"""

import itertools

import numpy as np
from scipy import ndimage

from pipelines.arrays import Bool, Float32, UInt8
from pipelines.errors import DataError

# A component smaller than this share of its muscle's largest component of the slice is an island.
MIN_ISLAND_SHARE = 0.2
# Cross-sections smaller than this are noise of the prediction, not anatomy.
MIN_SECTION_MM2 = 15.0
# A section whose centroid lies this far from where its neighbours in the stack put the muscle is
# on the wrong muscle: thigh muscles shift by less than this between 26 mm slices.
MAX_CENTROID_JUMP_MM = 35.0


def leg_midline(labels: UInt8) -> float:
    """Return the position along axis 0 that separates the two legs of a label map.

    Parameters
    ----------
    labels : ndarray of shape (x, y, z)
        Canonical label map.

    Returns
    -------
    float
        Voxel position of the plane; the map's edge if only one leg is in the field of view.

    Notes
    -----
    The plane is the emptiest column between the two halves of the labelled voxels. A map with one
    leg has no inner gap: its labelled columns are centred where they are densest.
    """
    profile = (labels > 0).sum(axis=(1, 2)).astype(float)
    if profile.sum() == 0:
        raise DataError("The label map is empty.", "Give a map with at least one labelled muscle.")
    columns = np.arange(profile.size)
    center = float((columns * profile).sum() / profile.sum())
    first, last = np.flatnonzero(profile)[[0, -1]]
    quarter = (last - first) / 4
    inner = (columns > first + quarter) & (columns < last - quarter)
    smooth = ndimage.gaussian_filter1d(profile, max(1.0, profile.size / 100))
    gap = columns[inner][smooth[inner] == smooth[inner].min()].mean()
    if smooth[inner].min() > 0.5 * smooth.max():
        return 0.0 if center > profile.size / 2 else float(profile.size)
    return float(gap)


def clean_label_map(labels: UInt8, spacing: tuple[float, float, float]) -> UInt8:
    """Return a label map without islands, misplaced sections and missing slices.

    Parameters
    ----------
    labels : ndarray of shape (x, y, z)
        Canonical label map; left and right share a label.
    spacing : tuple of float
        Voxel size, mm.

    Returns
    -------
    ndarray of shape (x, y, z)
        Cleaned copy.
    """
    midline = round(leg_midline(labels))
    cleaned = np.zeros_like(labels)
    for side in (slice(0, midline), slice(midline, labels.shape[0])):
        if side.start >= side.stop:
            continue
        half = labels[side]
        for value in np.unique(half[half > 0]):
            mask = _remove_islands(half == value, spacing)
            mask = remove_misplaced_sections(mask, spacing)
            mask = fill_missing_slices(mask)
            target = cleaned[side]
            target[mask & (target == 0)] = value
    return cleaned


def _remove_islands(mask: Bool, spacing: tuple[float, float, float]) -> Bool:
    """Keep, in each slice, the main section of one muscle of one leg and what is comparable to it.

    Holes are filled; sections below :data:`MIN_SECTION_MM2` are dropped.
    """
    kept = np.zeros_like(mask)
    pixel_mm2 = spacing[0] * spacing[1]
    for z in np.flatnonzero(mask.any(axis=(0, 1))):
        components, count = ndimage.label(mask[:, :, z])
        sizes = np.bincount(components.ravel(), minlength=count + 1)[1:]
        large = (sizes >= MIN_ISLAND_SHARE * sizes.max()) & (sizes * pixel_mm2 >= MIN_SECTION_MM2)
        kept[:, :, z] = ndimage.binary_fill_holes(np.isin(components, 1 + np.flatnonzero(large)))
    return kept


def remove_misplaced_sections(mask: Bool, spacing: tuple[float, float, float]) -> Bool:
    """Drop sections far from the line on which the muscle's larger sections lie.

    `mask` is (x, y, z); `spacing` is in mm.
    """
    kept = mask.copy()
    slices = np.flatnonzero(mask.any(axis=(0, 1)))
    if slices.size < 3:
        return kept
    areas = mask[:, :, slices].sum(axis=(0, 1))
    centers = np.array(
        [np.array(ndimage.center_of_mass(mask[:, :, z])) * spacing[:2] for z in slices]
    )
    for index, z in enumerate(slices):
        # The two nearest other sections, larger ones first choice, predict this one's place.
        others = np.delete(np.arange(slices.size), index)
        nearest = others[np.argsort(np.abs(slices[others] - z))[:2]]
        expected = np.average(centers[nearest], axis=0, weights=areas[nearest])
        far = np.linalg.norm(centers[index] - expected) > MAX_CENTROID_JUMP_MM
        if far and areas[index] < areas[nearest].max():
            kept[:, :, z] = False
    return kept


def fill_missing_slices(mask: Bool) -> Bool:
    """Fill empty slices between labelled ones by shape-based interpolation."""
    filled = mask.copy()
    present = np.flatnonzero(mask.any(axis=(0, 1)))
    for low, high in itertools.pairwise(present):
        if high - low == 1:
            continue
        below, above = signed_distance(mask[:, :, low]), signed_distance(mask[:, :, high])
        for z in range(low + 1, high):
            weight = (z - low) / (high - low)
            filled[:, :, z] = (1 - weight) * below + weight * above > 0
    return filled


def signed_distance(mask: Bool) -> Float32:
    """Return the distance to the outline of a mask in pixels, positive inside."""
    inside = ndimage.distance_transform_edt(mask)
    outside = ndimage.distance_transform_edt(~mask)
    return (inside - outside).astype(np.float32)
