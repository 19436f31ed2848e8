"""Voxel grids: orientation, voxel size, comparison, resampling.

Every array here is paired with its 4x4 affine in millimetres (NIfTI convention, RAS+ world).
The science works on arrays in *canonical* order: axis 0 runs from the patient's left to right,
axis 1 from posterior to anterior, axis 2 from inferior to superior.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from nibabel import orientations

from pipelines.arrays import Affine, Array, Float64
from pipelines.errors import DataError

# Two grids whose corner voxels lie closer than this share of a voxel are the same grid: NIfTI
# stores the affine in float32, and converters round it further.
SAME_GRID_TOLERANCE_VOXELS = 0.01

# Largest cosine between two voxel axes that still counts as rounding.
MAX_SHEAR = 1e-3

# Direction cosines below this are zero: over a metre they move a point by less than a nanometre.
NO_COSINE = 1e-13


@dataclass(frozen=True)
class Orientation:
    """How a canonical array was made from a stored one, so that the way back is exact.

    Attributes
    ----------
    transform : ndarray of shape (3, 2)
        nibabel's axis permutation and flips from stored to canonical order.
    shape : tuple of int
        Spatial shape of the stored array.
    affine : ndarray of shape (4, 4)
        Affine of the stored array.
    """

    transform: Float64
    shape: tuple[int, int, int]
    affine: Affine


def check_affine(affine: Affine, name: str = "image") -> None:
    """Refuse an affine that does not place voxels in space.

    Raises
    ------
    DataError
        If it is not 4x4 and finite, if its voxels have no volume, or if its axes are not at right
        angles.
    """
    hint = "Convert the scan again, or set sform/qform from the scanner's header."
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise DataError(f"The affine of {name} is not a finite 4x4 matrix.", hint)
    if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise DataError(f"The affine of {name} is singular: its voxels have no volume.", hint)
    axes = affine[:3, :3] / voxel_sizes(affine)
    if abs(axes.T @ axes - np.eye(3)).max() > MAX_SHEAR:
        raise DataError(f"The affine of {name} is sheared: its axes are not at right angles.", hint)


def voxel_sizes(affine: Affine) -> Float64:
    """Return the edge lengths of a voxel along the three array axes, in mm."""
    sizes: Float64 = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    return sizes


def voxel_volume_ml(affine: Affine) -> float:
    """Return the volume of a voxel in millilitres."""
    return float(abs(np.linalg.det(affine[:3, :3])) / 1000.0)


def to_canonical(data: Array, affine: Affine) -> tuple[Array, Affine, Orientation]:
    """Reorder a stored array to the closest canonical (RAS+) axis order.

    Parameters
    ----------
    data : ndarray of shape (x, y, z) or (x, y, z, n)
        Stored image.
    affine : ndarray of shape (4, 4)
        Its affine, mm.

    Returns
    -------
    data : ndarray
        View in canonical order.
    affine : ndarray of shape (4, 4)
        Affine of the view.
    orientation : Orientation
        What :func:`from_canonical` needs for the way back.
    """
    transform = orientations.io_orientation(affine)
    canonical = orientations.apply_orientation(data, transform)
    shape = data.shape[:3]
    canonical_affine = affine @ orientations.inv_ornt_aff(transform, shape)
    return canonical, canonical_affine, Orientation(transform, shape, affine)


def from_canonical(data: Array, orientation: Orientation) -> Array:
    """Bring a canonical array back to the order in which its source was stored."""
    stored: Array = orientations.apply_orientation(data, _way_back(orientation))
    return stored


def restore(data: Array, affine: Affine, orientation: Orientation) -> tuple[Array, Affine]:
    """Bring a canonical image, whole or cropped, back to its source's order with its affine.

    Parameters
    ----------
    data : ndarray of shape (x, y, z)
        Canonical image on the grid of the source or a box of it.
    affine : ndarray of shape (4, 4)
        Its affine, mm.
    orientation : Orientation
        From :func:`to_canonical` of the source.

    Returns
    -------
    data : ndarray
        In the order of the source.
    affine : ndarray of shape (4, 4)
        Exactly that of the source if the image was not cropped.
    """
    stored = from_canonical(data, orientation)
    stored_affine = affine @ orientations.inv_ornt_aff(_way_back(orientation), data.shape)
    if same_grid(stored.shape, stored_affine, orientation.shape, orientation.affine):
        stored_affine = orientation.affine
    return stored, stored_affine


def _way_back(orientation: Orientation) -> Float64:
    """Return nibabel's axis permutation and flips from canonical to stored order."""
    canonical = orientations.axcodes2ornt(("R", "A", "S"))
    back: Float64 = orientations.ornt_transform(canonical, orientation.transform)
    return back


def same_grid(
    shape: tuple[int, ...], affine: Affine, other_shape: tuple[int, ...], other_affine: Affine
) -> bool:
    """Tell whether two images sample the same points in space."""
    if tuple(shape[:3]) != tuple(other_shape[:3]):
        return False
    extent = np.array(shape[:3]) - 1
    corners = np.array(np.meshgrid(*[(0, n) for n in extent])).reshape(3, -1)
    homogeneous = np.vstack([corners, np.ones(corners.shape[1])])
    offset = np.linalg.norm(((affine - other_affine) @ homogeneous)[:3], axis=0)
    return bool(offset.max() <= SAME_GRID_TOLERANCE_VOXELS * voxel_sizes(affine).min())


def resample(
    data: Array,
    affine: Affine,
    shape: tuple[int, int, int],
    target_affine: Affine,
    *,
    interpolation: Literal["linear", "nearest"] = "linear",
    outside: float | None = None,
) -> Array:
    """Resample a volume to another grid with SimpleITK.

    Parameters
    ----------
    data : ndarray of shape (x, y, z)
        Image to resample. A missing value (NaN) spreads to the voxels interpolated from it.
    affine, target_affine : ndarray of shape (4, 4)
        Grids of the source and of the result, mm.
    shape : tuple of int
        Shape of the result.
    interpolation : {'linear', 'nearest'}
        ``nearest`` for label images.
    outside : float, optional
        Value where the source has no data; by default NaN for ``linear`` and 0 for ``nearest``.

    Returns
    -------
    ndarray of shape `shape`
        float32 for ``linear``, the source's type for ``nearest``.
    """
    import SimpleITK as sitk  # noqa: N813 (the name its own documentation uses)

    linear = interpolation == "linear"
    if outside is None:
        outside = np.nan if linear else 0
    source = _to_sitk(data.astype(np.float32) if linear else _supported(data), affine)
    reference = _to_sitk(np.zeros(shape, np.uint8), target_affine)
    method = sitk.sitkLinear if linear else sitk.sitkNearestNeighbor
    result = sitk.Resample(source, reference, sitk.Transform(), method, outside)
    resampled: Array = sitk.GetArrayFromImage(result).transpose(2, 1, 0)
    return resampled if linear else resampled.astype(data.dtype, copy=False)


def _supported(data: Array) -> Array:
    """Store the same values in a type that SimpleITK takes: it knows no bool and no big-endian."""
    if data.dtype == np.bool_:
        return data.astype(np.uint8)
    return data.astype(data.dtype.newbyteorder("="), copy=False)


def _to_sitk(data: Array, affine: Affine) -> Any:
    """Wrap an array and its RAS affine as a SimpleITK image (LPS world)."""
    import SimpleITK as sitk  # noqa: N813

    ras_to_lps = np.diag([-1.0, -1.0, 1.0])
    spacing = voxel_sizes(affine)
    direction = ras_to_lps @ (affine[:3, :3] / spacing)
    # ITK wants exactly orthonormal directions; rounding in the file's affine is removed by taking
    # the nearest rotation (check_affine has refused real shear). Its inversion fails on cosines
    # that are almost zero.
    u, _, vt = np.linalg.svd(direction)
    rotation = u @ vt
    rotation[np.abs(rotation) < NO_COSINE] = 0.0
    image = sitk.GetImageFromArray(np.ascontiguousarray(data.transpose(2, 1, 0)))
    image.SetSpacing([float(s) for s in spacing])
    image.SetDirection(rotation.ravel().tolist())
    image.SetOrigin((ras_to_lps @ affine[:3, 3]).tolist())
    return image
