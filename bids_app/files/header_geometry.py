"""Where a NIfTI header places its voxels, judged before anything repairs it.

A header says the size of its voxels up to three times: in ``pixdim``, in the qform (which takes
its sizes from ``pixdim``) and in the sform. nibabel repairs a ``pixdim`` of zero to 1 mm without a
word; the sidecar often knows better. Contradictions are refused, or become a caution.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel import orientations
from nibabel.spatialimages import HeaderDataError

from bids_app.errors import AppError, ExitCode
from pipelines.arrays import Affine, Float64
from pipelines.errors import DataError
from pipelines.geometry import check_affine, voxel_sizes
from pipelines.quality import Check
from pipelines.sidecar_fields import field_number

CHECK = "header_geometry"
"""Name of the check of a header's geometry."""

# Voxel edges of MR images lie between these; others mean wrong units (metres, micrometres).
_SMALLEST_VOXEL_MM = 0.02
_LARGEST_VOXEL_MM = 200.0
# qform and sform that place a corner of the image this far apart contradict each other.
_FORMS_DIFFER_MM = 1.0
# Sizes this close (relative) are the same: converters round, and fields hold few digits.
_SAME_SIZE = 0.01
# A caution becomes a failed light where volumes may be wrong by this share.
_WRONG_VOLUME = 0.2
# Slices lie between this many thicknesses apart: half a thickness in interpolated 3D scans, and
# gaps of several thicknesses in surveys of a whole limb.
_SPACING_PER_THICKNESS = (0.4, 6.0)

_REMEDY = "Convert the scan again from DICOM, or correct the header from the scanner's values."


@dataclass(frozen=True)
class HeaderGeometry:
    """Geometry that is used, and what a person should know about it."""

    affine: Affine
    notes: tuple[str, ...]
    checks: tuple[Check, ...]


def read_geometry(path: Path, header: Any, shape: Sequence[int]) -> HeaderGeometry:
    """Choose between the forms of a header and compare them."""
    coded = {"sform": int(header["sform_code"]) > 0, "qform": int(header["qform_code"]) > 0}
    if not any(coded.values()):
        raise _bad(
            path,
            "says nothing about its orientation (qform_code and sform_code are 0), so left and "
            "right cannot be told",
            "Convert the scan again from DICOM, or set the qform from the scanner's header.",
        )
    pixdim = np.asarray(header["pixdim"], np.float64)[1:4]
    problems: dict[str, str] = {}
    forms: dict[str, Affine] = {}
    for name in ("sform", "qform"):
        if coded[name]:
            found = _sform(header) if name == "sform" else _qform(header, pixdim)
            if isinstance(found, str):
                problems[name] = found
            else:
                forms[name] = found
    if not forms:
        raise _bad(path, " and ".join(f"has no usable {n}: {p}" for n, p in problems.items()))
    used = "sform" if "sform" in forms else "qform"
    sizes = voxel_sizes(forms[used])
    if sizes.min() < _SMALLEST_VOXEL_MM or sizes.max() > _LARGEST_VOXEL_MM:
        raise _bad(
            path, f"has implausible voxels of {_edges(sizes)} mm", "NIfTI is read in millimetres."
        )
    checks = [
        Check(CHECK, "warn", f"{path.name}: the {name} cannot be used ({why}); the {used} is used.")
        for name, why in problems.items()
    ]
    notes: tuple[str, ...] = ()
    if len(forms) == 2:
        differing, notes = _compare_forms(path, forms["sform"], forms["qform"], shape)
        checks += differing
    elif used == "sform" and not problems:
        checks += _compare_pixdim(path, sizes, pixdim)
    return HeaderGeometry(forms[used], notes, tuple(checks))


def compare_with_sidecar(name: str, affine: Affine, fields: Mapping[str, Any]) -> list[Check]:
    """Compare voxel sizes with what the scanner said about them.

    Parameters
    ----------
    name : str
        Name of the image, for the text.
    affine : ndarray of shape (4, 4)
        Affine that is used, mm.
    fields : Mapping
        Sidecar of the image: ``PixelSpacing``, ``SliceThickness``, ``SpacingBetweenSlices`` in mm,
        as far as they are there.

    Returns
    -------
    list of Check
        Empty where nothing is contradicted.
    """
    sizes = voxel_sizes(affine)
    judged = [_judge_slice_axis(sizes, axis, fields) for axis in _possible_slice_axes(sizes)]
    doubts = min(judged, key=lambda found: max((off for off, _ in found), default=0.0))
    return [
        Check(
            CHECK,
            "fail" if off > _WRONG_VOLUME else "warn",
            f"{name} has voxels of {_edges(sizes)} mm, but its sidecar says {text}; volumes and "
            "areas depend on which is right.",
        )
        for off, text in doubts
    ]


def _possible_slice_axes(sizes: Float64) -> list[int]:
    """Return the axes that may run across the slices: pixels are square, or nothing is known."""
    square = [
        axis for axis in range(3) if abs(np.subtract(*np.log(np.delete(sizes, axis)))) <= _SAME_SIZE
    ]
    return square or [0, 1, 2]


def _judge_slice_axis(
    sizes: Float64, axis: int, fields: Mapping[str, Any]
) -> list[tuple[float, str]]:
    """Return how far off (relative) and what the sidecar says, if slices run along an axis."""
    doubts = []
    in_plane = np.sort(np.delete(sizes, axis))
    pixel = _numbers(fields.get("PixelSpacing"))
    if len(pixel) == 2:
        off = float(np.abs(np.log(in_plane / np.sort(pixel))).max())
        if off > _SAME_SIZE:
            doubts.append((off, f"PixelSpacing {pixel[0]:g} x {pixel[1]:g} mm"))
    spacing = _numbers(fields.get("SpacingBetweenSlices"))
    thickness = _numbers(fields.get("SliceThickness"))
    if len(spacing) == 1:
        off = abs(math.log(sizes[axis] / spacing[0]))
        # Some scanners store the gap under this name instead of the distance of slice centres.
        gap = thickness and abs(math.log(sizes[axis] / (spacing[0] + thickness[0]))) <= _SAME_SIZE
        if off > _SAME_SIZE and not gap:
            doubts.append((off, f"SpacingBetweenSlices {spacing[0]:g} mm"))
    elif len(thickness) == 1:
        low, high = _SPACING_PER_THICKNESS
        if not low <= sizes[axis] / thickness[0] <= high:
            off = abs(math.log(sizes[axis] / thickness[0]))
            doubts.append((off, f"SliceThickness {thickness[0]:g} mm"))
    return doubts


def _sform(header: Any) -> Affine | str:
    affine = np.eye(4)
    affine[:3] = np.array([header["srow_x"], header["srow_y"], header["srow_z"]], np.float64)
    return _sound(affine)


def _qform(header: Any, pixdim: Float64) -> Affine | str:
    bad = [n for n, size in enumerate(pixdim, start=1) if not (np.isfinite(size) and size != 0)]
    if bad:
        return f"pixdim[{bad[0]}], a voxel size, is {pixdim[bad[0] - 1]:g} mm"
    try:
        return _sound(np.asarray(header.get_qform(), np.float64))
    except (HeaderDataError, ValueError) as error:
        return str(error)


def _sound(affine: Affine) -> Affine | str:
    try:
        check_affine(affine)
    except DataError as error:
        return error.message.rstrip(".")
    return affine


def _compare_forms(
    path: Path, sform: Affine, qform: Affine, shape: Sequence[int]
) -> tuple[list[Check], tuple[str, ...]]:
    """Return a caution where the two forms differ in size or side, a note where in place."""
    sizes, others = voxel_sizes(sform), voxel_sizes(qform)
    if np.abs(np.log(sizes / others)).max() > _SAME_SIZE:
        return [_size_check(path, "qform", sizes, others)], ()
    if orientations.aff2axcodes(sform) != orientations.aff2axcodes(qform):
        text = (
            f"{path.name}: qform and sform turn the image differently "
            f"({''.join(orientations.aff2axcodes(qform))} and "
            f"{''.join(orientations.aff2axcodes(sform))}); the sform is used, left and right may "
            "be exchanged."
        )
        return [Check(CHECK, "warn", text)], ()
    corners = np.array([(x, y, z, 1) for x in (0, 1) for y in (0, 1) for z in (0, 1)]).T
    corners[:3] *= np.array(shape[:3])[:, None]
    apart = np.linalg.norm(((sform - qform) @ corners)[:3], axis=0).max()
    if apart <= _FORMS_DIFFER_MM:
        return [], ()
    note = f"{path.name}: qform and sform differ by up to {apart:.1f} mm; the sform is used."
    return [], (note,)


def _compare_pixdim(path: Path, sizes: Float64, pixdim: Float64) -> list[Check]:
    """Return a caution where ``pixdim`` contradicts the only form there is."""
    if not (np.isfinite(pixdim) & (pixdim != 0)).all():
        text = (
            f"{path.name}: pixdim, the voxel size, is {_edges(pixdim)} mm; that of the sform, "
            f"{_edges(sizes)} mm, is used."
        )
        return [Check(CHECK, "warn", text)]
    if np.abs(np.log(sizes / np.abs(pixdim))).max() > _SAME_SIZE:
        return [_size_check(path, "pixdim", sizes, np.abs(pixdim))]
    return []


def _size_check(path: Path, other: str, sizes: Float64, others: Float64) -> Check:
    off = 100 * abs(sizes.prod() / others.prod() - 1)
    text = (
        f"{path.name}: voxels are {_edges(sizes)} mm by the sform, {_edges(others)} mm by the "
        f"{other}; the sform is used, volumes would differ by {off:.0f} %."
    )
    return Check(CHECK, "fail" if off > 100 * _WRONG_VOLUME else "warn", text, off, "%")


def _numbers(value: object) -> list[float]:
    """Return the positive numbers of a sidecar field; empty if it holds anything else."""
    values: list[Any] = value if isinstance(value, list) else [value]
    numbers = [number for number in map(field_number, values) if number and 0 < number < math.inf]
    return numbers if len(numbers) == len(values) else []


def _edges(sizes: Float64) -> str:
    return " x ".join(f"{size:.4g}" for size in sizes)


def _bad(path: Path, problem: str, hint: str = _REMEDY) -> AppError:
    return AppError(f"{path} {problem}.", ExitCode.BAD_DATA, hint)
