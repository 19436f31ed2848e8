"""Every way a header can contradict itself or its sidecar: what is used, and what is said."""

import struct

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_app.errors import AppError, ExitCode
from bids_app.files.header_geometry import CHECK, compare_with_sidecar
from bids_app.files.images import load_volume

DATA = np.arange(1, 61, dtype=np.int16).reshape(3, 4, 5)
AFFINE = np.array([[-1.5, 0, 0, 90.0], [0, 1.5, 0, -60.0], [0, 0, 20.0, -70.0], [0, 0, 0, 1]])
PIXDIM, SROW = 76, 280


def stored(tmp_path, *, sform=True, qform=True, sform_affine=AFFINE, pixdim=None):
    """Write an image whose header says just this."""
    image = nib.Nifti1Image(DATA, AFFINE)
    image.header.set_qform(AFFINE, int(qform))
    image.header.set_sform(AFFINE, int(sform))
    raw = bytearray(image.to_bytes())
    struct.pack_into("<12f", raw, SROW, *np.asarray(sform_affine)[:3].ravel())
    if pixdim is not None:
        struct.pack_into("<3f", raw, PIXDIM + 4, *pixdim)
    # The codes were set through nibabel, which may have changed others; they are what counts.
    struct.pack_into("<2h", raw, 252, int(qform), int(sform))
    path = tmp_path / "scan.nii"
    path.write_bytes(raw)
    return path


def scaled(*factors):
    return AFFINE @ np.diag([*factors, 1.0])


def sheared(amount):
    affine = AFFINE.copy()
    affine[1, 0] = amount * 1.5
    return affine


def refused(path):
    with pytest.raises(AppError) as caught:
        load_volume(path)
    assert caught.value.exit_code is ExitCode.BAD_DATA
    assert str(path) in caught.value.message
    return caught.value.message


def test_a_consistent_header_needs_no_caution(tmp_path):
    volume = load_volume(stored(tmp_path))
    assert (volume.notes, volume.checks) == ((), ())
    np.testing.assert_allclose(volume.affine, AFFINE)


@pytest.mark.parametrize(
    "sform_affine", [np.zeros((4, 4)), sheared(2e-3), sheared(0.5), scaled(1, 1, 0)]
)
def test_a_sound_qform_stands_in_for_an_unusable_sform(tmp_path, sform_affine):
    volume = load_volume(stored(tmp_path, sform_affine=sform_affine))
    np.testing.assert_allclose(volume.affine, AFFINE)
    (check,) = volume.checks
    assert (check.name, check.level) == (CHECK, "warn")
    assert "the sform cannot be used" in check.text
    assert "the qform is used" in check.text


@pytest.mark.parametrize("sform_affine", [np.zeros((4, 4)), sheared(0.5)])
def test_an_unusable_sform_alone_is_refused(tmp_path, sform_affine):
    assert "no usable sform" in refused(stored(tmp_path, qform=False, sform_affine=sform_affine))


@pytest.mark.parametrize("size", [0.0, np.nan, np.inf])
def test_a_slice_distance_of_zero_is_refused_where_only_the_qform_places_voxels(tmp_path, size):
    message = refused(stored(tmp_path, sform=False, pixdim=(1.5, 1.5, size)))
    assert "pixdim[3]" in message


@pytest.mark.parametrize("size", [0.0, np.nan])
@pytest.mark.parametrize("qform", [True, False])
def test_a_slice_distance_of_zero_beside_a_sform_is_a_caution(tmp_path, size, qform):
    volume = load_volume(stored(tmp_path, qform=qform, pixdim=(1.5, 1.5, size)))
    np.testing.assert_allclose(volume.affine, AFFINE)
    assert [check.level for check in volume.checks] == ["warn"]


@pytest.mark.parametrize("qform", [True, False])
@pytest.mark.parametrize(("factor", "level"), [(1.06, "warn"), (1.005, None), (0.9, "fail")])
def test_sizes_that_differ_between_the_forms(tmp_path, qform, factor, level):
    affine = scaled(factor, factor, factor)
    volume = load_volume(stored(tmp_path, qform=qform, sform_affine=affine))
    np.testing.assert_allclose(volume.affine, affine, rtol=1e-6)
    assert [check.level for check in volume.checks] == ([level] if level else [])
    if level:
        assert volume.checks[0].value == pytest.approx(100 * abs(factor**3 - 1), rel=1e-5)


def test_forms_that_exchange_left_and_right_are_a_caution(tmp_path):
    volume = load_volume(stored(tmp_path, sform_affine=scaled(-1, 1, 1)))
    (check,) = volume.checks
    assert check.level == "warn"
    assert "LAS" in check.text
    assert "RAS" in check.text


def test_forms_that_differ_in_place_alone_are_a_note(tmp_path):
    moved = AFFINE.copy()
    moved[0, 3] += 30
    volume = load_volume(stored(tmp_path, sform_affine=moved))
    assert volume.checks == ()
    assert "differ by up to 30.0 mm" in volume.notes[0]


@pytest.mark.parametrize(
    ("fields", "levels"),
    [
        ({}, []),
        ({"SliceThickness": 20.0, "SpacingBetweenSlices": 20.0, "PixelSpacing": [1.5, 1.5]}, []),
        ({"SliceThickness": 8}, []),  # a gap of 12 mm
        ({"SliceThickness": 8, "SpacingBetweenSlices": 12}, []),  # the gap under the wrong name
        ({"SliceThickness": 1}, ["fail"]),
        ({"SliceThickness": 8, "SpacingBetweenSlices": 8}, ["fail"]),
        ({"SpacingBetweenSlices": 21}, ["warn"]),
        ({"PixelSpacing": [1.6, 1.6]}, ["warn"]),
        ({"PixelSpacing": [0.75, 0.75], "SpacingBetweenSlices": 10}, ["fail", "fail"]),
        ({"PixelSpacing": "1.5", "SliceThickness": None, "SpacingBetweenSlices": True}, []),
    ],
)
def test_voxel_sizes_are_compared_with_the_sidecar(fields, levels):
    assert [check.level for check in compare_with_sidecar("scan", AFFINE, fields)] == levels


@given(
    axis=st.sampled_from([0, 1, 2]),
    pixel=st.floats(0.3, 3),
    distance=st.floats(1, 40),
    thickness=st.floats(0.5, 1.0),
)
def test_a_true_sidecar_is_never_contradicted(axis, pixel, distance, thickness):
    sizes = np.full(3, pixel)
    sizes[axis] = distance
    fields = {
        "PixelSpacing": [round(pixel, 4), round(pixel, 4)],
        "SpacingBetweenSlices": distance,
        "SliceThickness": thickness * distance,
    }
    assert compare_with_sidecar("scan", np.diag([*sizes, 1.0]), fields) == []
