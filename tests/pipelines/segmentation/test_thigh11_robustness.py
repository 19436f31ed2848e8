"""The bundled model on real scans it was not made for: other grids, one thigh, a lower leg."""

import nibabel as nib
import numpy as np
import pytest

from pipelines.anatomy.vocabulary import muscles
from pipelines.geometry import resample
from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.catalogue.registry import read_registry
from pipelines.segmentation.inference.predict import load_segmenter
from pipelines.segmentation.segment import segment
from pipelines.water_fat.dixon import fat_fraction_from_water_fat

# Every second slice: enough anatomy in half of the time.
SLICES = slice(1, None, 2)


def read(path, volume=0):
    image = nib.as_closest_canonical(nib.load(path))
    data = np.asanyarray(image.dataobj)
    return (data[..., volume] if data.ndim == 4 else data).astype(np.float32), image.affine


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def files(cache):
    return open_model("thigh11", read_registry(), cache_dir=cache)


@pytest.fixture(scope="module")
def segmenter(files, cache):
    return load_segmenter(files, device="cpu", cache_dir=cache)


@pytest.fixture(scope="module")
def thigh(shared_data):
    """Water, fat and affine of a patient, every second slice."""
    folder = shared_data / "ideal-thigh" / "sub-001" / "mr-quant"
    water, affine = read(folder / "sub-001_WATER.nii.gz")
    fat, _ = read(folder / "sub-001_FAT.nii.gz")
    thinned = affine.copy()
    thinned[:3, 3] += affine[:3, 2]
    thinned[:3, 2] *= 2
    return water[..., SLICES], fat[..., SLICES], thinned


@pytest.fixture(scope="module")
def whole(thigh, segmenter):
    water, fat, affine = thigh
    return segment({"water": water, "fat": fat}, affine, segmenter)


def mean_dice(first, second):
    values = np.intersect1d(np.unique(first), np.unique(second))
    values = values[values > 0]
    assert len(values) >= 11
    return np.mean(
        [
            2 * ((first == v) & (second == v)).sum() / ((first == v).sum() + (second == v).sum())
            for v in values
        ]
    )


def level(result, name):
    return next(check.level for check in result.checks if check.name == name)


def test_both_thighs_are_found_whole(whole):
    assert len(np.unique(whole.labels)) == 1 + 2 * 11
    for name in ("sides", "absent_muscles", "body_region"):
        assert level(whole, name) == "pass"


def test_openvino_and_pytorch_agree(thigh, whole, files):
    water, fat, affine = thigh
    plain = load_segmenter(files, device="cpu", backend="torch")
    found = segment({"water": water, "fat": fat}, affine, plain).labels
    for value in np.unique(found)[1:]:
        a, b = found == value, whole.labels == value
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) >= 0.995


# Resampling blurs, and 2 mm leave little of thin muscles: labels differ, but do not move.
@pytest.mark.parametrize(("pixel", "least"), [(0.5, 0.78), (2.0, 0.7)])
def test_other_pixel_sizes(thigh, whole, segmenter, pixel, least):
    water, fat, affine = thigh
    factor = pixel / np.linalg.norm(affine[:3, 0])
    shape = (*(int(n / factor) for n in water.shape[:2]), 3)
    target = affine @ np.diag([factor, factor, 1, 1])
    target[:3, 3] += affine[:3, 2] * 3 + affine[:3, :2] @ np.full(2, (factor - 1) / 2)
    images = {
        kind: resample(image, affine, shape, target, outside=0.0)
        for kind, image in (("water", water), ("fat", fat))
    }
    found = segment(images, target, segmenter).labels
    expected = resample(whole.labels, affine, shape, target, interpolation="nearest", outside=0)
    assert mean_dice(found, expected) > least
    for side in (1, 2):
        centre, true = (
            np.argwhere((labels > 0) & (labels % 10 == side)).mean(axis=0)[:2] * pixel
            for labels in (found, expected)
        )
        np.testing.assert_allclose(centre, true, atol=4.0)


@pytest.mark.parametrize("side", ["left", "right"])
def test_one_thigh_only(thigh, whole, segmenter, side):
    water, fat, affine = thigh
    left, right = (np.argwhere((whole.labels > 0) & (whole.labels % 10 == s)) for s in (1, 2))
    cut = int(left[:, 0].max() + right[:, 0].min()) // 2  # skin and fat are part of a limb
    half = slice(0, cut) if side == "left" else slice(cut, None)
    moved = affine.copy()
    moved[:3, 3] += affine[:3, 0] * (half.start or 0)
    found = segment({"water": water[half], "fat": fat[half]}, moved, segmenter)
    assert set(np.unique(found.labels[found.labels > 0] % 10)) == {1 if side == "left" else 2}
    assert mean_dice(found.labels, whole.labels[half]) > 0.8
    assert level(found, "sides") == level(found, "mirrored_limb") == "warn"
    assert level(found, "body_region") == "pass"


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_limbs_of_the_fat_fraction_give_the_same_labels(thigh, segmenter, share):
    water, fat, affine = thigh
    part = (slice(0, int(share * water.shape[0])), slice(None), slice(0, 3))
    water, fat = water[part], fat[part]
    limbs = fat_fraction_from_water_fat(water, fat, affine).limbs
    assert len(limbs.names) == 2 * share
    images = {"water": water, "fat": fat}
    given, sought = (segment(images, affine, segmenter, limbs=known) for known in (limbs, None))
    np.testing.assert_array_equal(given.labels, sought.labels)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("three-echo/sub-siemenscalf3d/mr-anat/sub-siemenscalf3d_MEGRE", 6),
        ("multi-echo-spin-echo/sub-vol01/mr-anat/sub-vol01_MESE", 1),
    ],
)
def test_lower_leg_is_recognized_as_no_thigh(shared_data, segmenter, name, step):
    image, affine = read(shared_data / f"{name}.nii.gz")
    found = segment({"in_phase": image[..., ::step]}, affine @ np.diag([1, 1, step, 1]), segmenter)
    assert level(found, "body_region") == "fail"


def test_other_scanner_with_one_echo_only(shared_data, segmenter):
    folder = shared_data / "three-echo" / "sub-siemensthigh" / "mr-anat"
    image, affine = read(folder / "sub-siemensthigh_MEGRE.nii.gz")
    found = segment({"in_phase": image}, affine, segmenter)
    assert level(found, "body_region") == "pass"
    assert level(found, "absent_muscles") == "pass"
    for name in ("vastus_lateralis", "vastus_medialis", "semimembranosus"):
        left, right = (
            (found.labels == muscles()[name].value(side)).sum() for side in ("left", "right")
        )
        assert 0.7 < left / right < 1.4


def test_no_thigh_muscle_in_the_trunk(shared_cases, segmenter):
    # thighs in slices 0-26, a trunk with arms above
    folder = shared_cases / "81-neck-to-knee" / "bids" / "sub-01" / "mr-quant"
    water, affine = read(folder / "sub-01_WATER.nii.gz")
    fat, _ = read(folder / "sub-01_FAT.nii.gz")
    images = {"water": water[..., ::3], "fat": fat[..., ::3]}
    found = segment(images, affine @ np.diag([1, 1, 3, 1]), segmenter)
    assert found.labels[..., :9].any(axis=(0, 1)).all()
    assert not found.labels[..., 9:].any()
    levels = {check.name: check.level for check in found.checks}
    assert levels["body_part"] == "warn"
    assert levels["muscle_position"] == levels["body_region"] == "pass"
    assert found.provenance["OutsideVolumeRemoved"] > 1000
