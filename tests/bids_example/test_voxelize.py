import numpy as np
import pytest

from bids_example.code.cross_section import Tissue
from bids_example.code.thigh import reference_thigh
from bids_example.code.voxelize import SAMPLES_PER_VOXEL, Pose, component, sample, slice_levels

SHAPE, SPACING = (64, 44, 2), (6.0, 6.0, 100.0)
THIGHS = {"left": reference_thigh(), "right": reference_thigh()}
INTACT = {"left": {}, "right": {}}


def sampled(**pose):
    return sample(THIGHS, INTACT, Pose(**pose), SHAPE, SPACING)


@pytest.fixture(scope="module")
def plain():
    return sampled()


def test_every_sample_point_is_counted_once(plain):
    counts, _ = plain
    assert (counts.sum(axis=0) == SAMPLES_PER_VOXEL).all()


def test_equal_thighs_are_mirror_images(plain):
    counts, limb = plain
    left, right = (component("gracilis", side) for side in ("left", "right"))
    np.testing.assert_array_equal(counts[left], counts[right][::-1])
    np.testing.assert_array_equal(limb == 1, (limb == 2)[::-1])


def test_left_is_at_low_x(plain):
    counts, limb = plain
    x = np.arange(SHAPE[0])[:, None, None]
    for side, low in (("left", True), ("right", False)):
        where = counts[component("vastus_lateralis", side)] > 0
        assert ((x * where).sum() / where.sum() < SHAPE[0] / 2) == low
    assert set(np.unique(limb)) == {0, 1, 2}
    assert ((limb > 0) == (counts[Tissue.AIR] < SAMPLES_PER_VOXEL)).all()


def test_gap_moves_the_thighs_apart():
    def empty_columns(gap):
        return (~sampled(gap_mm=gap)[1].any(axis=(1, 2)))[20:44].sum() * 6

    assert empty_columns(40.0) - empty_columns(16.0) == pytest.approx(24, abs=6)


def test_touching_thighs_meet_in_the_midline():
    limb = sampled(gap_mm=-8.0)[1][..., 1]
    middle = limb[31:33]
    touching = (middle[0] == 1) & (middle[1] == 2)
    assert touching.sum() >= 3
    assert (limb[:32] != 2).all()
    assert (limb[32:] != 1).all()


def test_roll_turns_the_body_about_its_axis():
    straight, rolled = sampled()[1] == 2, sampled(roll_deg=20.0)[1] == 2

    def centre(limb):
        x, y, _ = np.nonzero(limb)
        return (x.mean() - 31.5) + 1j * (y.mean() - 21.5)

    turned = np.angle(centre(rolled) / centre(straight), deg=True)
    assert turned == pytest.approx(20.0, abs=1.0)
    assert abs(centre(rolled)) == pytest.approx(abs(centre(straight)), rel=0.03)


def test_one_leg_only():
    counts, limb = sampled(sides=("right",))
    assert set(np.unique(limb)) == {0, 2}
    assert not counts[component("gracilis", "left")].any()
    assert counts[component("gracilis", "right")].any()


def test_levels_of_slices():
    np.testing.assert_allclose(slice_levels(Pose(levels=(0.2, 0.6)), 4), [0.25, 0.35, 0.45, 0.55])


@pytest.mark.parametrize("levels", [(0.5, 0.5), (0.7, 0.2), (-0.1, 0.5), (0.5, 1.2)])
def test_levels_outside_the_thigh_are_refused(levels):
    with pytest.raises(ValueError, match="do not rise between 0 and 1"):
        Pose(levels=levels)
