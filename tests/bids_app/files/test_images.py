import contextlib
import gzip
import hashlib
import os
import struct
import zlib

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bids_app.errors import AppError, ExitCode
from bids_app.files.images import load_labels, load_volume
from tests.bids_app.mids_tree import AFFINE, SHAPE, make_tree, nifti_bytes

DATA = np.arange(1, 61, dtype=np.int16).reshape(SHAPE)

# Offsets in the NIfTI-1 header.
DIM, DATATYPE, PIXDIM, SCL_SLOPE, QFORM_CODE, SROW = 40, 70, 76, 112, 252, 280


def patched(offset: int, layout: str, *values: float, data=DATA, **kwargs) -> bytes:
    raw = bytearray(nifti_bytes(data, **kwargs))
    struct.pack_into("<" + layout, raw, offset, *values)
    return bytes(raw)


def refusal(tmp_path, content, name="scan.nii", load=load_volume, **kwargs) -> AppError:
    root = make_tree(tmp_path, {name: content})
    with pytest.raises(AppError) as caught:
        load(root / name, **kwargs)
    assert str(root / name) in caught.value.message
    assert caught.value.hint
    return caught.value


class TestSound:
    @pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
    def test_integers_keep_their_type_values_and_affine(self, tmp_path, name):
        root = make_tree(tmp_path, {name: DATA})
        volume = load_volume(root / name)
        assert volume.data.dtype == np.int16
        np.testing.assert_array_equal(volume.data, DATA)
        np.testing.assert_allclose(volume.affine, AFFINE)
        assert volume.affine.dtype == np.float64
        assert volume.path == root / name
        assert volume.notes == ()

    def test_slope_and_intercept_are_applied(self, tmp_path):
        raw = patched(SCL_SLOPE, "ff", 0.5, -3.0)
        volume = load_volume(make_tree(tmp_path, {"a.nii": raw}) / "a.nii")
        assert volume.data.dtype == np.float32
        np.testing.assert_array_equal(volume.data, DATA * 0.5 - 3.0)

    @pytest.mark.parametrize("slope", [0.0, np.nan])
    def test_slope_of_zero_or_nan_means_unscaled(self, tmp_path, slope):
        raw = patched(SCL_SLOPE, "ff", slope, 7.0)
        volume = load_volume(make_tree(tmp_path, {"a.nii": raw}) / "a.nii")
        assert volume.data.dtype == np.int16
        np.testing.assert_array_equal(volume.data, DATA)

    def test_float64_becomes_float32_and_nan_stays(self, tmp_path):
        data = DATA.astype(np.float64)
        data[0, 0, 0] = np.nan
        volume = load_volume(make_tree(tmp_path, {"a.nii": data}) / "a.nii")
        assert volume.data.dtype == np.float32
        np.testing.assert_array_equal(volume.data, data)

    def test_big_endian_is_brought_to_native_order(self, tmp_path):
        header = nib.Nifti1Header(endianness=">")
        header.set_data_dtype(">i2")
        raw = nib.Nifti1Image(DATA.astype(">i2"), AFFINE, header).to_bytes()
        assert raw[:4] == struct.pack(">i", 348)
        volume = load_volume(make_tree(tmp_path, {"a.nii": raw}) / "a.nii")
        assert volume.data.dtype.isnative
        np.testing.assert_array_equal(volume.data, DATA)

    def test_nifti2(self, tmp_path):
        raw = nifti_bytes(DATA, nifti2=True)
        volume = load_volume(make_tree(tmp_path, {"a.nii": raw}) / "a.nii")
        np.testing.assert_array_equal(volume.data, DATA)

    def test_gzip_of_several_members_and_padding(self, tmp_path):
        raw = nifti_bytes(DATA)
        content = gzip.compress(raw[:400]) + gzip.compress(raw[400:]) + b"\0" * 512
        volume = load_volume(make_tree(tmp_path, {"a.nii.gz": content}) / "a.nii.gz")
        np.testing.assert_array_equal(volume.data, DATA)

    def test_zeros_after_the_image_are_padding(self, tmp_path):
        content = nifti_bytes(DATA) + b"\0" * 100
        volume = load_volume(make_tree(tmp_path, {"a.nii": content}) / "a.nii")
        np.testing.assert_array_equal(volume.data, DATA)

    @pytest.mark.parametrize("tail", [(1,), (1, 1)])
    def test_axes_of_length_one_are_dropped(self, tmp_path, tail):
        data = DATA.reshape(*SHAPE, *tail)
        volume = load_volume(make_tree(tmp_path, {"a.nii": data}) / "a.nii")
        np.testing.assert_array_equal(volume.data, DATA)

    def test_single_slice_is_a_volume(self, tmp_path):
        raw = nifti_bytes(DATA[:, :, :1])
        assert load_volume(make_tree(tmp_path, {"a.nii": raw}) / "a.nii").data.shape == (4, 5, 1)

    def test_series(self, tmp_path):
        data = np.stack([DATA, DATA + 100], axis=-1)
        root = make_tree(tmp_path, {"a.nii": data, "b.nii": DATA})
        np.testing.assert_array_equal(load_volume(root / "a.nii", dimensions=4).data, data)
        np.testing.assert_array_equal(
            load_volume(root / "b.nii", dimensions=4).data, DATA[..., None]
        )

    def test_only_qform(self, tmp_path):
        raw = nifti_bytes(DATA, sform=False)
        volume = load_volume(make_tree(tmp_path, {"a.nii": raw}) / "a.nii")
        np.testing.assert_allclose(volume.affine, AFFINE)
        assert volume.notes == ()

    def test_reading_leaves_the_file_alone(self, tmp_path):
        path = make_tree(tmp_path, {"a.nii.gz": DATA}) / "a.nii.gz"
        before = hashlib.sha256(path.read_bytes()).digest()
        load_volume(path).data[:] = 0
        assert hashlib.sha256(path.read_bytes()).digest() == before

    def test_real_scan(self, shared_data):
        path = shared_data / "ideal-thigh/sub-001/mr-quant/sub-001_WATER.nii.gz"
        volume = load_volume(path)
        assert volume.data.shape == (512, 512, 16)
        assert volume.data.dtype == np.int16
        reference = nib.load(path)
        np.testing.assert_array_equal(volume.data, np.asarray(reference.dataobj))
        np.testing.assert_array_equal(volume.affine, reference.affine)


class TestDamagedFile:
    def test_empty(self, tmp_path):
        assert "is empty." in refusal(tmp_path, b"").message

    @pytest.mark.parametrize("keep", [3, 30, 100, -9, -1])
    def test_truncated_gzip(self, tmp_path, keep):
        content = gzip.compress(nifti_bytes(DATA))[:keep]
        error = refusal(tmp_path, content, "scan.nii.gz")
        assert error.exit_code == ExitCode.BAD_DATA
        assert "is truncated: the compressed data end too early" in error.message
        assert "copy the file again" in error.hint

    def test_flipped_bit_in_gzip_fails_the_check_sum(self, tmp_path):
        stored = zlib.compressobj(0, zlib.DEFLATED, 31)
        content = bytearray(stored.compress(nifti_bytes(DATA)) + stored.flush())
        content[-20] ^= 1
        error = refusal(tmp_path, bytes(content), "scan.nii.gz")
        assert error.exit_code == ExitCode.BAD_DATA
        assert "is a damaged gzip file" in error.message
        assert "incorrect data check" in error.message

    def test_garbage_after_gzip(self, tmp_path):
        error = refusal(tmp_path, gzip.compress(nifti_bytes(DATA)) + b"<html>", "scan.nii.gz")
        assert "has 6 bytes of something else after the compressed image" in error.message

    def test_garbage_after_image(self, tmp_path):
        error = refusal(tmp_path, nifti_bytes(DATA) + b"abc")
        assert "has 3 bytes more than its header says" in error.message

    def test_truncated_image(self, tmp_path):
        error = refusal(tmp_path, nifti_bytes(DATA)[:-10])
        assert "is truncated: 10 of 120 bytes are missing" in error.message

    @pytest.mark.parametrize("content", [b"hello world", b"\0" * 1000, b"x" * 1000])
    def test_not_nifti(self, tmp_path, content):
        error = refusal(tmp_path, content)
        assert error.exit_code == ExitCode.BAD_DATA
        assert "is not a NIfTI image." in error.message

    def test_dicom(self, tmp_path):
        error = refusal(tmp_path, b"\0" * 128 + b"DICM" + b"\0" * 400)
        assert "is a DICOM file" in error.message
        assert "dcm2omids or dcm2niix" in error.hint

    def test_analyze(self, tmp_path):
        raw = bytearray(nifti_bytes(DATA))
        raw[344:348] = b"ni1\0"
        error = refusal(tmp_path, bytes(raw))
        assert "is an Analyze image or the header of a NIfTI pair" in error.message
        assert "one .nii.gz" in error.hint

    def test_unknown_data_type(self, tmp_path):
        error = refusal(tmp_path, patched(DATATYPE, "h", 77))
        assert error.exit_code == ExitCode.BAD_DATA
        assert "is a damaged NIfTI file: data code 77 not recognized" in error.message

    def test_absurd_shape_is_refused_before_memory_is_taken(self, tmp_path):
        error = refusal(tmp_path, patched(DIM, "4h", 3, 32767, 32767, 32767))
        assert "has a damaged header: its shape would be 32767 x 32767 x 32767" in error.message

    def test_memory(self, tmp_path, monkeypatch):
        def exhausted(path, stream):
            raise MemoryError

        monkeypatch.setattr("bids_app.files.images.ImageBytes", exhausted)
        error = refusal(tmp_path, DATA)
        assert error.exit_code == ExitCode.TRY_AGAIN
        assert "--nprocs" in error.hint


class TestWrongContent:
    def test_two_dimensions(self, tmp_path):
        error = refusal(tmp_path, DATA[0])
        assert error.exit_code == ExitCode.BAD_DATA
        assert "is not a volume: its shape is 5 x 3" in error.message

    def test_four_dimensions(self, tmp_path):
        error = refusal(tmp_path, np.stack([DATA, DATA, DATA], axis=-1))
        assert "holds 3 volumes (4 x 5 x 3 x 3) where one is needed" in error.message
        assert "one 3D file each" in error.hint

    def test_five_dimensions(self, tmp_path):
        data = np.ones((4, 5, 3, 2, 3), np.int16)
        error = refusal(tmp_path, data)
        assert "holds 6 volumes (4 x 5 x 3 x 2 x 3) where one is needed" in error.message

    def test_five_dimensions_are_no_series(self, tmp_path):
        data = np.ones((4, 5, 3, 2, 3), np.int16)
        error = refusal(tmp_path, data, dimensions=4)
        assert "(4 x 5 x 3 x 2 x 3) where a series is needed" in error.message

    @pytest.mark.parametrize("axis", [1, 2, 3])
    def test_no_voxels(self, tmp_path, axis):
        error = refusal(tmp_path, patched(DIM + 2 * axis, "h", 0))
        assert error.exit_code == ExitCode.BAD_DATA
        assert "has no voxels: its shape is" in error.message

    def test_complex(self, tmp_path):
        error = refusal(tmp_path, DATA.astype(np.complex64))
        assert "holds complex numbers" in error.message
        assert "part-phase" in error.hint

    def test_colour(self, tmp_path):
        rgb = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
        assert "is a colour image" in refusal(tmp_path, rgb).message

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_no_number_at_all(self, tmp_path, value):
        error = refusal(tmp_path, np.full(SHAPE, value, np.float32))
        assert "holds no number: every voxel is NaN or infinite" in error.message

    def test_blank(self, tmp_path):
        assert "is blank: every voxel is 0" in refusal(tmp_path, DATA * 0).message


class TestOrientation:
    def test_none_is_refused(self, tmp_path):
        error = refusal(tmp_path, nifti_bytes(DATA, affine=None))
        assert error.exit_code == ExitCode.BAD_DATA
        assert "qform_code and sform_code are 0" in error.message
        assert "left and right cannot be told" in error.message
        assert "set the qform" in error.hint

    def test_impossible_quaternion(self, tmp_path):
        raw = patched(QFORM_CODE + 4, "3f", 2.0, 2.0, 2.0, sform=False)
        error = refusal(tmp_path, raw)
        assert error.exit_code == ExitCode.BAD_DATA
        assert "is a damaged NIfTI file" in error.message

    @pytest.mark.parametrize(
        ("scale", "edges"), [(1e-3, "0.001 x 0.002 x 0.01"), (1e3, "1000 x 2000 x 1e+04")]
    )
    def test_voxels_in_metres_or_micrometres(self, tmp_path, scale, edges):
        error = refusal(tmp_path, nifti_bytes(DATA, np.diag([scale, scale, scale, 1]) @ AFFINE))
        assert f"has implausible voxels of {edges} mm" in error.message
        assert "millimetres" in error.hint


class TestUnreadable:
    def test_absent(self, tmp_path):
        with pytest.raises(AppError, match=r"nothing\.nii does not exist") as caught:
            load_volume(tmp_path / "nothing.nii")
        assert caught.value.exit_code == ExitCode.INPUT_MISSING

    def test_annex_link_says_what_to_run(self, tmp_path):
        target = tmp_path / ".git/annex/objects/Xx/Yy/MD5E-s9--abc.nii.gz"
        root = make_tree(tmp_path, {"scan.nii.gz": target})
        with pytest.raises(AppError) as caught:
            load_volume(root / "scan.nii.gz")
        assert caught.value.exit_code == ExitCode.INPUT_MISSING
        assert caught.value.hint == f"Fetch it first: datalad get {root / 'scan.nii.gz'}"

    def test_link_to_image_is_followed(self, tmp_path):
        root = make_tree(tmp_path, {"real.nii": DATA, "link.nii": tmp_path / "real.nii"})
        np.testing.assert_array_equal(load_volume(root / "link.nii").data, DATA)

    def test_folder(self, tmp_path):
        (tmp_path / "a.nii").mkdir()
        with pytest.raises(AppError, match="Is a directory") as caught:
            load_volume(tmp_path / "a.nii")
        assert caught.value.exit_code == ExitCode.INPUT_MISSING

    def test_permission(self, tmp_path, not_root):
        path = make_tree(tmp_path, {"a.nii": DATA}) / "a.nii"
        path.chmod(0)
        with pytest.raises(AppError, match="Permission denied") as caught:
            load_volume(path)
        assert caught.value.exit_code == ExitCode.INPUT_MISSING


class TestLabels:
    def test_stored_as_scaled_float(self, tmp_path):
        root = make_tree(tmp_path, {"a.nii": DATA.astype(np.float64)})
        volume = load_labels(root / "a.nii")
        assert volume.data.dtype == np.int32
        np.testing.assert_array_equal(volume.data, DATA)

    def test_integers_keep_their_type(self, tmp_path):
        root = make_tree(tmp_path, {"a.nii": DATA.astype(np.uint8)})
        assert load_labels(root / "a.nii").data.dtype == np.uint8

    @pytest.mark.parametrize("value", [1.5, np.nan])
    def test_fractions_and_nan(self, tmp_path, value):
        data = DATA.astype(np.float32)
        data[1, 2, 1] = value
        error = refusal(tmp_path, data, load=load_labels)
        assert error.exit_code == ExitCode.BAD_DATA
        assert "holds other values than whole numbers" in error.message

    def test_negative(self, tmp_path):
        error = refusal(tmp_path, DATA - 2, load=load_labels)
        assert "holds negative values" in error.message


@given(
    st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), min_size=1, max_size=4),
    st.booleans(),
)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_damage_to_a_header_is_refused_or_harmless(tmp_path, damage, nifti2):
    raw = bytearray(nifti_bytes(DATA, nifti2=nifti2))
    for offset, value in damage:
        raw[offset] = value
    path = tmp_path / "damaged.nii"
    path.write_bytes(raw)
    with contextlib.suppress(AppError):
        volume = load_volume(path)
        assert volume.data.ndim == 3
        assert volume.data.size > 0
        assert np.isfinite(volume.affine).all()
        assert 5e-6 < abs(np.linalg.det(volume.affine)) < 1e7


def test_io_error_names_the_file(tmp_path, monkeypatch):
    path = make_tree(tmp_path, {"a.nii": DATA}) / "a.nii"

    def broken(path):
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr("bids_app.files.reading.open_file", broken)
    with pytest.raises(AppError, match=r"Reading .*a\.nii failed: Input/output error") as caught:
        load_volume(path)
    assert caught.value.exit_code == ExitCode.IO_FAILURE
