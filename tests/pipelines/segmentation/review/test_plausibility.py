"""Shape of limbs, and what is said of absent, misplaced and lopsided muscles."""

import numpy as np
import pandas as pd
import pytest

from pipelines.anatomy.vocabulary import Label, muscles
from pipelines.segmentation.review.plausibility import (
    check_plausibility,
    mean_deviation,
    reference_ranges,
)
from pipelines.segmentation.sides.limb_side import describe_limbs
from pipelines.segmentation.sides.splitting import split_sides
from tests.pipelines.segmentation.sides.test_splitting import AFFINE, THIGH, thighs

BOTH = ("left", "right")


def checks_of(labels, limbs=BOTH, label_map=THIGH):
    found = check_plausibility(labels, AFFINE, label_map, limbs, "thigh")
    return {check.name: check for check in found}


@pytest.fixture
def normal():
    """Two ordinary thighs in our values."""
    return thighs()[1]


def value(muscle, side):
    return muscles()[muscle].value(side)


def test_ordinary_thighs_pass_everything(normal):
    checks = checks_of(normal)
    assert set(checks) == {
        "absent_muscles",
        "muscle_position",
        "muscle_volume",
        "muscle_symmetry",
        "body_region",
    }
    assert {check.level for check in checks.values()} == {"pass"}
    assert checks["body_region"].text == "The labels look like a thigh."


def test_measures_of_a_simple_limb():
    # two bars side by side, 20 x 20 mm each, one limb on each side of the image
    labels = np.zeros((100, 40, 3), np.uint16)
    labels[10:20, 10:20] = value("vastus_lateralis", "left")
    labels[20:30, 10:20] = value("gracilis", "left")
    labels[70:80, 10:20] = value("gracilis", "right")
    labels[80:90, 10:20] = value("vastus_lateralis", "right")
    table = describe_limbs(labels, np.diag([2.0, 2.0, 5.0, 1.0])).set_index(["muscle", "side"])
    radius = np.sqrt(800 / np.pi)
    for side in BOTH:
        for muscle, sign in (("vastus_lateralis", -1), ("gracilis", 1)):
            row = table.loc[(muscle, side)]
            assert row["volume_ml"] == pytest.approx(6.0)
            assert row["share"] == pytest.approx(0.5)
            assert row["medial"] == pytest.approx(sign * 10 / radius)
            assert row["anterior"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("angle", [-30, 30])
def test_positions_do_not_depend_on_rotation_size_or_place(angle):
    straight = describe_limbs(thighs()[1], AFFINE).set_index(["muscle", "side"])
    turned = describe_limbs(
        thighs(angle=angle, centre=(30, 10), scale=(0.8, 0.8))[1], AFFINE
    ).set_index(["muscle", "side"])
    for column in ("share", "medial", "anterior"):
        np.testing.assert_allclose(turned[column], straight[column], atol=0.06)


def test_absent_muscles_are_named(normal):
    normal[normal == value("gracilis", "left")] = 0
    normal[normal == value("sartorius", "right")] = 0
    check = checks_of(normal)["absent_muscles"]
    assert (check.level, check.value) == ("warn", 2.0)
    assert check.text == (
        "Not found (their values are missing, not zero): sartorius (right), gracilis (left)."
    )


def test_muscles_of_an_absent_limb_are_not_missed(normal):
    normal[normal % 10 == 2] = 0
    checks = checks_of(normal, limbs=("left",))
    assert checks["absent_muscles"].level == "pass"
    assert checks["muscle_symmetry"].text == "One limb: left and right cannot be compared."


def test_model_with_sides_of_its_own_expects_those(normal):
    label_map = [Label(1, "x", "gracilis", "left"), Label(2, "y", "plantaris", "left")]
    check = checks_of(normal, limbs=(), label_map=label_map)["absent_muscles"]
    assert "plantaris (left)" in check.text
    assert "gracilis" not in check.text


def test_misplaced_muscle_is_named(normal):
    # gracilis and vastus lateralis of one limb have changed names
    first, second = value("gracilis", "left"), value("vastus_lateralis", "left")
    swapped = normal.copy()
    swapped[normal == first], swapped[normal == second] = second, first
    check = checks_of(swapped)["muscle_position"]
    assert (check.level, check.value) == ("warn", 2.0)
    assert "gracilis (left)" in check.text
    assert "vastus_lateralis (left)" in check.text


def test_huge_muscle_is_named(normal):
    normal[(normal == 0)[..., :] & (np.arange(300) < 148)[:, None, None]] = value(
        "sartorius", "left"
    )
    check = checks_of(normal)["muscle_volume"]
    assert check.level == "warn"
    assert "sartorius (left)" in check.text


def test_lopsided_muscle_is_named_with_its_ratio(normal):
    rf = np.argwhere(normal == value("rectus_femoris", "left"))
    for i, j, k in rf[rf[:, 0] > np.quantile(rf[:, 0], 0.3)]:
        normal[i, j, k] = 0
    check = checks_of(normal)["muscle_symmetry"]
    assert check.level == "warn"
    assert check.value == pytest.approx(3.0, abs=0.5)
    assert "rectus_femoris (" in check.text


def test_small_muscles_are_not_compared():
    labels = np.zeros((40, 8, 2), np.uint16)
    labels[2:4, 2:4] = value("plantaris", "left")
    labels[30:31, 2:3] = value("plantaris", "right")
    check = checks_of(labels)["muscle_symmetry"]
    assert check.level == "pass"
    assert check.text == "No muscle is large enough on both sides."


def test_other_anatomy_is_a_failure(normal):
    # front and back of both limbs exchanged, as no thigh is
    check = checks_of(normal[:, ::-1])["body_region"]
    assert check.level == "fail"
    assert check.value > check.threshold == 1.7
    assert "standard deviations from their usual places. Was another body region" in check.text


def test_unsure_network_lowers_the_limit(normal):
    for dice, limit in ((0.9, 1.7), (0.7, 1.4), (None, 1.7)):
        checks = check_plausibility(normal, AFFINE, THIGH, BOTH, "thigh", median_dice=dice)
        region = next(check for check in checks if check.name == "body_region")
        assert region.level == "pass"
        assert region.threshold == limit


def test_deviation_is_in_standard_deviations():
    usual = reference_ranges()["gracilis"]
    row = {
        "muscle": "gracilis",
        "share": 0.1,
        "medial": usual.place[0] + 3 * usual.spread[0],
        "anterior": usual.place[1] - usual.spread[1],
    }
    tiny = {**row, "share": 0.001, "medial": 99.0}
    other = {**row, "muscle": "soleus"}
    assert mean_deviation(pd.DataFrame([row, tiny, other])) == pytest.approx(2.0)
    assert mean_deviation(pd.DataFrame([other])) == 0.0


def test_hardly_any_muscle_is_a_failure(normal):
    few = np.isin(normal // 10, [muscles()[m].index for m in ("gracilis", "sartorius")])
    check = checks_of(np.where(few, normal, 0).astype(np.uint16))["body_region"]
    assert check.level == "fail"
    assert "18 of 22 muscles are absent" in check.text


def test_few_strange_muscles_of_one_limb_are_no_failure(normal):
    normal[normal % 10 == 2] = 0
    for muscle in ("sartorius", "biceps_femoris_short_head", "semitendinosus"):
        normal[normal == value(muscle, "left")] = 0
    checks = checks_of(normal, limbs=("left",))
    assert checks["absent_muscles"].value == 3
    assert checks["muscle_position"].value <= 3
    assert checks["body_region"].level == "pass"


def test_regions_without_reference_are_not_judged():
    labels = np.zeros((40, 8, 2), np.uint16)
    labels[2:6, 2:6] = value("soleus", "left")
    checks = checks_of(labels, limbs=("left",), label_map=[Label(3, "SOL", "soleus", "both")])
    assert "body_region" not in checks


def test_reference_covers_the_muscles_of_the_default_model():
    assert set(reference_ranges()) == {label.muscle for label in THIGH}
    for usual in reference_ranges().values():
        for low, high in (usual.share, usual.medial, usual.anterior):
            assert low < high
    # anatomy that no measurement can change
    assert reference_ranges()["gracilis"].medial[0] > 0
    assert reference_ranges()["vastus_lateralis"].medial[1] < 0
    assert reference_ranges()["rectus_femoris"].anterior[0] > 0
    assert reference_ranges()["semitendinosus"].anterior[1] < 0


@pytest.mark.parametrize("name", ["Training_T1_THIGH_018_0002", "Helsinki_STIR_THIGH_119_0001"])
def test_real_thighs_pass(shared_data, name):
    import nibabel as nib

    path = shared_data / "thigh-labels" / f"{name}.nii.gz"
    image = nib.as_closest_canonical(nib.load(path))
    split = split_sides(np.asanyarray(image.dataobj).astype(np.uint8), image.affine, THIGH)
    found = check_plausibility(split.labels, image.affine, THIGH, split.limbs, "thigh")
    assert [check.name for check in found if check.level != "pass"] == []
