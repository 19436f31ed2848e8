"""One review for the labels of models and for label maps that others made."""

import numpy as np
import pytest

from pipelines.anatomy.label_maps import read_label_map
from pipelines.segmentation.review.part_check import check_body_part
from pipelines.segmentation.review.review import Tissue, review_given_labels, review_labels
from tests.pipelines.segmentation.review.limb_phantom import labelled_thighs, shifted
from tests.pipelines.segmentation.review.test_body_parts import stack
from tests.pipelines.segmentation.sides.test_splitting import THIGH

BOTH = ("left", "right")
# A label map that names the sides itself.
SIDED = read_label_map("musclemap_thigh28")


def levels(review):
    return {check.name: check.level for check in review.checks}


def test_model_and_given_labels_in_place_pass_alike():
    labels, ff, body, affine = labelled_thighs()
    tissue = Tissue(ff, body)
    own = review_labels(labels, affine, THIGH, BOTH, region="thigh", tissue=tissue)
    given = review_given_labels(labels, affine, THIGH, BOTH, tissue=tissue)
    sided = review_given_labels(labels, affine, SIDED, (), tissue=tissue)
    assert set(levels(own).values()) == {"pass"}
    assert levels(given) == levels(own)
    assert levels(sided) == {"sides": "pass", **levels(own)}
    assert own.removed_ml == 0
    np.testing.assert_array_equal(own.labels, labels)


def test_given_labels_that_are_turned_or_moved_or_exchanged():
    labels, ff, body, affine = labelled_thighs()
    tissue = Tissue(ff, body)
    moved = review_given_labels(shifted(labels, 0, 6), affine, SIDED, (), tissue=tissue)
    turned = review_given_labels(labels[::-1, ::-1], affine, SIDED, (), tissue=tissue)
    digit = labels % 10
    exchanged = np.where(labels > 0, labels - digit + 3 - digit, 0).astype(np.uint16)
    swapped = review_given_labels(exchanged, affine, SIDED, (), tissue=tissue)
    assert levels(moved)["label_placement"] == "fail"
    assert levels(turned)["label_placement"] == levels(turned)["sides"] == "fail"
    assert levels(swapped)["sides"] == "fail"


def test_labels_above_the_thigh_are_removed_from_a_models_labels_only():
    labels, affine = stack(16, 12)
    tissue = Tissue(np.full(labels.shape, 5.0, np.float32), np.ones(labels.shape, bool))
    own = review_labels(labels, affine, THIGH, BOTH, region="thigh", tissue=tissue)
    assert not own.labels[:, :, 16:].any()
    np.testing.assert_array_equal(own.labels[:, :, :16], labels[:, :, :16])
    assert own.removed_ml == pytest.approx((labels[:, :, 16:] > 0).sum() * 40 / 1000)
    check = next(one for one in own.checks if one.name == "body_part")
    assert check.level == "warn"
    assert "slices 16-27" in check.text
    assert f"{own.removed_ml:.0f} ml were removed" in check.text
    given = review_given_labels(labels, affine, THIGH, BOTH, tissue=tissue)
    np.testing.assert_array_equal(given.labels, labels)
    check = next(one for one in given.checks if one.name == "body_part")
    assert (check.level, given.removed_ml) == ("warn", 0.0)
    assert "counted all the same" in check.text


def test_labels_of_another_part_are_kept_and_failed():
    labels, affine = stack(0, 12)
    found = review_labels(labels, affine, THIGH, BOTH, region="thigh")
    np.testing.assert_array_equal(found.labels, labels)
    assert levels(found)["body_part"] == "fail"


def test_a_map_of_few_muscles_is_judged_by_tissue_and_sides():
    labels, ff, body, affine = labelled_thighs()
    quadriceps = [label for label in SIDED if label.muscle and label.value <= 8]
    kept = {label.muscle for label in quadriceps}
    for label in THIGH:
        if label.muscle not in kept:
            labels[np.isin(labels, [v for v in np.unique(labels) if _name(v) == label.muscle])] = 0
    found = review_given_labels(labels, affine, quadriceps, (), tissue=Tissue(ff, body))
    assert levels(found) == {"sides": "pass", "label_placement": "pass", "label_tissue": "pass"}
    assert found.parts is None


def test_nothing_labelled():
    labels = np.zeros((20, 20, 3), np.uint16)
    tissue = Tissue(np.zeros(labels.shape, np.float32), labels == 0)
    found = review_labels(labels, np.eye(4), THIGH, (), region="thigh", tissue=tissue)
    assert levels(found)["absent_muscles"] in ("pass", "warn")
    assert check_body_part(found.parts, "thigh", removed_ml=0.0).level == "pass"


def test_shifted_label_map_of_the_cases(shared_cases):
    import nibabel as nib

    from pipelines.geometry import resample, to_canonical
    from pipelines.segmentation.sides.splitting import split_sides
    from pipelines.water_fat.dixon import fat_fraction_from_water_fat

    case = shared_cases / "64-labels-shifted-12mm"
    scans = case / "bids" / "sub-01" / "mr-quant"
    water, fat, given = (
        nib.load(path)
        for path in (
            scans / "sub-01_WATER.nii.gz",
            scans / "sub-01_FAT.nii.gz",
            case / "labels" / "sub-01" / "mr-quant" / "sub-01_desc-muscles_dseg.nii.gz",
        )
    )
    (w, affine, _), (f, _, _), (labels, own, _) = (
        to_canonical(np.asanyarray(image.dataobj), image.affine) for image in (water, fat, given)
    )
    dixon = fat_fraction_from_water_fat(w, f, affine)
    labels = resample(labels, own, w.shape, affine, interpolation="nearest")
    values = [_label(value) for value in np.unique(labels[labels > 0])]
    split = split_sides(labels, affine, values)
    tissue = Tissue(dixon.ff, dixon.body)
    found = review_given_labels(split.labels, affine, values, split.limbs, tissue=tissue)
    check = next(one for one in found.checks if one.name == "label_placement")
    assert check.level == "fail"
    assert check.value == pytest.approx(12.0, abs=1.5)


def _name(value):
    from pipelines.anatomy.vocabulary import label_values

    return label_values()[int(value)][0].name if value else None


def _label(value):
    from pipelines.anatomy.vocabulary import Label, label_values

    muscle, side = label_values()[int(value)]
    return Label(int(value), muscle.name, muscle.name, side)
