"""Left and right are told apart in geometry of our own and in real label maps."""

import numpy as np
import pytest
from scipy import ndimage, stats

from pipelines.anatomy.label_maps import read_label_map
from pipelines.anatomy.vocabulary import Label, muscles
from pipelines.segmentation.sides.mid_plane import median_slope
from pipelines.segmentation.sides.splitting import split_sides

THIGH = read_label_map("thigh11")
VALUES = {label.value: muscles()[label.muscle] for label in THIGH}

# A thigh of our own: seed (medial, anterior) and weight of each muscle, mm. Every point of a disc
# belongs to the muscle whose seed is nearest after the weight is taken off (a power diagram).
LIMB_RADIUS = 58.0
LAYOUT = {
    1: (46, 14, 2),  # sartorius
    2: (0, 50, 14),  # rectus femoris
    3: (-44, 18, 22),  # vastus lateralis
    4: (-17, 18, 12),  # vastus intermedius
    5: (24, 25, 16),  # vastus medialis
    6: (30, -18, 18),  # adductor magnus
    7: (56, -20, 6),  # gracilis
    8: (-15, -42, 14),  # biceps femoris, long head
    9: (12, -50, 10),  # semitendinosus
    10: (30, -44, 10),  # semimembranosus
    11: (-28, -20, 10),  # biceps femoris, short head
}
AFFINE = np.diag([2.0, 2.0, 10.0, 1.0])
AFFINE[:3, 3] = (-300, -160, 0)
SHAPE = (300, 160, 6)


def thighs(distance=180.0, *, angle=0.0, centre=(0.0, 0.0), scale=(1.0, 1.0), drop=((), ())):
    """Two thighs with known sides; returns labels and the truth in our values."""
    labels = np.zeros(SHAPE, np.uint8)
    truth = np.zeros(SHAPE, np.uint16)
    x, y = (AFFINE[i, 3] + 2.0 * np.arange(SHAPE[i]) for i in (0, 1))
    turn = np.deg2rad(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    straight = (np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1) - centre) @ rotation
    for index, (side, sign) in enumerate((("left", -1), ("right", 1))):
        medial = -sign * (straight[..., 0] - sign * distance / 2) / scale[index]
        anterior = straight[..., 1] / scale[index]
        power = [(medial - m) ** 2 + (anterior - a) ** 2 - w**2 for m, a, w in LAYOUT.values()]
        value = 1 + np.argmin(power, axis=0)
        inside = (np.hypot(medial, anterior) < LIMB_RADIUS) & ~np.isin(value, drop[index])
        for v in np.unique(value[inside]):
            labels[inside & (value == v)] = v
            truth[inside & (value == v)] = VALUES[v].value(side)
    return labels, truth


def agreement(labels, truth, affine=AFFINE):
    found = split_sides(labels, affine, THIGH).labels
    inside = truth > 0
    assert ((found > 0) == inside).all(), "labels were lost or made"
    return (found[inside] == truth[inside]).mean()


@pytest.mark.parametrize("angle", [-40, -20, 0, 20, 40])
def test_rotation_about_the_long_axis(angle):
    assert agreement(*thighs(angle=angle)) == 1.0


@pytest.mark.parametrize("angle", [0, 20])
def test_legs_that_touch(angle):
    # the gracilis muscles are 4 mm apart
    assert agreement(*thighs(distance=120.0, angle=angle)) == 1.0


@pytest.mark.parametrize("centre", [(-130, 40), (120, -30)])
def test_patient_off_centre(centre):
    assert agreement(*thighs(centre=centre)) == 1.0


def test_one_leg_wasted():
    labels, truth = thighs(distance=150.0, scale=(0.45, 1.0))
    assert agreement(labels, truth) == 1.0


def test_muscles_missing_on_one_side():
    labels, truth = thighs(drop=((1, 2, 4, 5, 7, 8, 9, 11), (3,)))
    assert agreement(labels, truth) == 1.0


def test_empty_slices():
    labels, truth = thighs(angle=15)
    labels[..., [0, 2, 3]] = 0
    truth[..., [0, 2, 3]] = 0
    assert agreement(labels, truth) == 1.0


def test_legs_that_drift_sideways_along_the_slices():
    labels, truth = thighs()
    for k in range(SHAPE[2]):
        for array in (labels, truth):
            array[..., k] = np.roll(array[..., k], 12 * (k - 3), axis=0)
    assert agreement(labels, truth) == 1.0


def test_muscles_grown_together_across_the_midline_are_cut():
    labels, _ = thighs()
    labels[130:171, 69:72] = 7  # a bridge between the gracilis muscles
    found = split_sides(labels, AFFINE, THIGH).labels
    left, right = VALUES[7].value("left"), VALUES[7].value("right")
    assert (found[130:149, 69:72] == left).all()
    assert (found[152:171, 69:72] == right).all()


def test_stray_island_takes_the_side_it_lies_on():
    labels, truth = thighs()
    labels[100:102, 79:81, 2] = 9  # a speck of semitendinosus amid the left thigh
    found = split_sides(labels, AFFINE, THIGH).labels
    assert (found[100:102, 79:81, 2] == VALUES[9].value("left")).all()
    truth[100:102, 79:81, 2] = VALUES[9].value("left")
    np.testing.assert_array_equal(found, truth)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("angle", [-30, 0, 30])
def test_one_thigh_is_recognized_by_its_muscles(side, angle):
    labels, truth = thighs(angle=angle)
    other = truth % 10 == (2 if side == "left" else 1)
    labels[other] = 0
    # move it to the middle of the image: its place must not matter
    shift = -round(np.argwhere(labels > 0)[:, 0].mean() - 150)
    labels = np.roll(labels, shift, axis=0)
    split = split_sides(labels, AFFINE, THIGH)
    assert split.limbs == (side,)
    assert set(np.unique(split.labels[split.labels > 0] % 10)) == {1 if side == "left" else 2}
    (check,) = split.checks
    assert (check.name, check.level) == ("sides", "warn")
    assert f"Only one limb was found and taken as the {side} one because its medial" in check.text


def test_one_muscle_alone_goes_by_its_place():
    labels = np.zeros(SHAPE, np.uint8)
    labels[60:80, 70:90] = 2
    split = split_sides(labels, AFFINE, THIGH)
    assert split.limbs == ("left",)
    assert "its muscles do not tell" in split.checks[0].text


def test_wide_labels_of_one_limb_are_a_failure():
    labels, _ = thighs(drop=((1, 2, 3, 4, 5), (6, 7, 8, 9, 10, 11)))
    (check,) = split_sides(labels, AFFINE, THIGH).checks
    assert (check.name, check.level) == ("sides", "fail")
    assert check.value > check.threshold == 250.0


def test_plane_check_tells_the_angle():
    (check,) = split_sides(thighs(angle=20)[0], AFFINE, THIGH).checks
    assert (check.name, check.level) == ("sides", "pass")
    assert check.value == pytest.approx(20, abs=1)


def test_medial_muscles_that_face_outwards_are_reported():
    labels, _ = thighs(distance=180)
    # each thigh mirrored in place
    labels[60:151] = labels[60:151][::-1]
    labels[150:241] = labels[150:241][::-1]
    split = split_sides(labels, AFFINE, THIGH)
    (check,) = split.checks
    assert check.level == "warn"
    assert "left and right limb do not face the other limb" in check.text


def test_sides_of_the_model_are_kept_and_other_structures_dropped():
    label_map = [
        Label(1, "RF left", "rectus_femoris", "left"),
        Label(2, "RF right", "rectus_femoris", "right"),
        Label(3, "femur", None, "both"),
    ]
    labels = np.array([[[0, 1, 2, 3, 9]]], np.uint8)
    split = split_sides(labels, np.eye(4), label_map)
    rf = muscles()["rectus_femoris"]
    assert split.labels.tolist() == [[[0, rf.value("left"), rf.value("right"), 0, 0]]]
    assert (split.limbs, split.checks) == ((), [])


def test_nothing_found():
    split = split_sides(np.zeros((4, 4, 2), np.uint8), np.eye(4), THIGH)
    assert not split.labels.any()
    assert (split.limbs, split.checks) == ((), [])


def test_oblique_slices_are_handled_in_world_coordinates():
    labels, truth = thighs()
    tilt = np.deg2rad(15)
    affine = AFFINE.copy()
    affine[:2, :2] = AFFINE[:2, :2] @ np.array(
        [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    )
    assert agreement(labels, truth, affine) == 1.0
    assert split_sides(labels, affine, THIGH).checks[0].value == pytest.approx(15, abs=1)


# Real label maps: thin slices, coarse pixels, thin and torn muscles.
REAL = (
    "Helsinki_STIR_THIGH_119_0001",
    "Helsinki_STIR_THIGH_123_0001",
    "Training_Fat_THIGH_057_0000",
)


@pytest.fixture(scope="module", params=REAL)
def real(request, shared_data):
    """Real labels, their affine, the truth, and the column between the legs."""
    import nibabel as nib

    image = nib.as_closest_canonical(
        nib.load(shared_data / "thigh-labels" / f"{request.param}.nii.gz")
    )
    labels = np.asanyarray(image.dataobj).astype(np.uint8)
    columns = np.flatnonzero((labels > 0).any(axis=(1, 2)))
    empty = np.setdiff1d(np.arange(columns[0], columns[-1]), columns)
    cut = int(np.median(empty))  # the legs of these maps are clearly apart
    truth = np.zeros(labels.shape, np.uint16)
    for value, muscle in VALUES.items():
        truth[:cut][labels[:cut] == value] = muscle.value("left")
        truth[cut:][labels[cut:] == value] = muscle.value("right")
    return labels, image.affine, truth, cut


def turned(array, angle):
    return ndimage.rotate(array, angle, axes=(0, 1), order=0)


def pushed_together(labels, truth, cut):
    """Move the right leg until it touches the left one in the tightest slice."""
    inside = labels > 0
    last_left = cut - 1 - np.argmax(inside[:cut][::-1], axis=0)
    first_right = cut + np.argmax(inside[cut:], axis=0)
    both = inside[:cut].any(axis=0) & inside[cut:].any(axis=0)
    shift = int((first_right - last_left)[both].min()) - 1
    assert shift > 0
    moved = []
    for array in (labels, truth):
        left, right = array.copy(), array.copy()
        left[cut:], right[:cut] = 0, 0
        moved.append(np.maximum(left, np.roll(right, -shift, axis=0)))
    return moved


@pytest.mark.parametrize("angle", [0, 20])
def test_real_thighs(real, angle):
    labels, affine, truth, _ = real
    assert agreement(turned(labels, angle), turned(truth, angle), affine) > 0.9995


@pytest.mark.parametrize("angle", [0, -20])
def test_real_thighs_that_touch(real, angle):
    labels, affine, truth, cut = real
    labels, truth = pushed_together(labels, truth, cut)
    assert agreement(turned(labels, angle), turned(truth, angle), affine) > 0.999


@pytest.mark.parametrize("side", ["left", "right"])
def test_single_real_thighs(real, side):
    labels, affine, truth, cut = real
    mine = slice(0, cut) if side == "left" else slice(cut, None)
    split = split_sides(turned(labels[mine], 25), affine, THIGH)
    assert split.limbs == (side,)
    np.testing.assert_array_equal(split.labels, turned(truth[mine], 25))


@pytest.mark.parametrize("x", [[0, 1, 2], [0, 2, 3, 9], [4, 5, 6, 7, 8, 11, 12]])
def test_slope_is_that_of_theil_and_sen(x):
    y = np.random.default_rng(len(x)).normal(30, 10, len(x))
    slope = median_slope(np.array(x), y)
    assert slope == stats.theilslopes(y, x).slope
    assert median_slope(np.array(x), 3.0 - 2.0 * np.array(x)) == -2.0
