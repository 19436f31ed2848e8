import numpy as np
import pytest

from pipelines.water_fat.limbs import Limbs, label_limbs
from tests.pipelines.water_fat.limb_phantom import (
    TWO_THIGHS,
    Limb,
    Phantom,
    Scene,
    dice,
    make_phantom,
)

ARMS = (Limb(-186, radius=28), Limb(188, radius=28))


def labelled(scene: Scene) -> tuple[Limbs, Phantom]:
    phantom = make_phantom(scene)
    return label_limbs(phantom.limb > 0, phantom.affine), phantom


@pytest.mark.parametrize(
    "scene",
    [
        Scene(),
        Scene(rotation_deg=20, shape=(240, 240, 5)),
        Scene(rotation_deg=-35, shape=(240, 240, 5)),
        Scene((Limb(-85), Limb(85, radius=42))),
        Scene((Limb(-150), Limb(20))),
        Scene((Limb(-80, radius=40), Limb(80, radius=45))),
        Scene(shape=(128, 80, 5), voxel_mm=(3, 3, 5)),
        Scene(shape=(400, 240, 2), voxel_mm=(0.9, 0.9, 5)),
    ],
)
def test_two_limbs_apart(scene: Scene) -> None:
    limbs, phantom = labelled(scene)
    assert limbs.names == ("left", "right")
    np.testing.assert_array_equal(limbs.labels, phantom.limb)


@pytest.mark.parametrize("rotation", [0, 20, -20])
@pytest.mark.parametrize("half_distance", [69, 66, 60])
def test_touching_limbs_are_parted_at_the_neck(rotation: float, half_distance: float) -> None:
    scene = Scene(
        (Limb(-half_distance), Limb(half_distance)), rotation_deg=rotation, shape=(240, 240, 3)
    )
    limbs, phantom = labelled(scene)
    assert limbs.names == ("left", "right")
    # The later limb overwrites the lens in which both overlap, so half of it differs.
    for i in (1, 2):
        assert dice(limbs.labels == i, phantom.limb == i) > 0.98


@pytest.mark.parametrize("limb", [Limb(0), Limb(-100), Limb(110, radius=50), Limb(-190)])
def test_one_limb_has_no_side(limb: Limb) -> None:
    limbs, phantom = labelled(Scene((limb,)))
    assert limbs.names == ("single",)
    np.testing.assert_array_equal(limbs.labels, phantom.limb)


def test_arms_beside_the_legs_are_no_limbs() -> None:
    limbs, phantom = labelled(Scene((Limb(-85, radius=65), Limb(85, radius=65), *ARMS)))
    assert limbs.names == ("left", "right")
    np.testing.assert_array_equal(limbs.labels, np.where(phantom.limb > 2, 0, phantom.limb))


def test_an_arm_beside_one_leg_is_no_limb() -> None:
    limbs, phantom = labelled(Scene((Limb(0), Limb(120, radius=28))))
    assert limbs.names == ("single",)
    np.testing.assert_array_equal(limbs.labels, np.where(phantom.limb == 2, 0, phantom.limb))


def pelvis_above_thighs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a body whose upper slices are one ellipse, its affine, and x in mm."""
    phantom = make_phantom(Scene(shape=(240, 144, 8)))
    body = phantom.limb > 0
    x = (np.arange(240) - 119.5) * 1.6
    y = (np.arange(144) - 71.5) * 1.6
    body[:, :, 5:] = ((x[:, None] / 170) ** 2 + (y[None, :] / 95) ** 2 <= 1)[:, :, None]
    return body, phantom.affine, x


def test_the_pelvis_is_split_below_which_two_thighs_are() -> None:
    body, affine, x = pelvis_above_thighs()
    limbs = label_limbs(body, affine)
    assert limbs.names == ("left", "right")
    expected = np.where(body, np.where(x < 0, 1, 2)[:, None, None], 0)
    clear = np.abs(x) > 3
    np.testing.assert_array_equal(limbs.labels[clear][:, :, 5:], expected[clear][:, :, 5:])


def test_a_pelvis_alone_is_one_part() -> None:
    body, affine, _ = pelvis_above_thighs()
    limbs = label_limbs(body[:, :, 5:], affine)
    assert limbs.names == ("single",)
    np.testing.assert_array_equal(limbs.labels > 0, body[:, :, 5:])


def test_a_slice_that_lacks_one_limb_keeps_the_side_of_the_other() -> None:
    limbs, phantom = labelled(Scene(TWO_THIGHS, skip=frozenset({(0, 1), (1, 3)})))
    np.testing.assert_array_equal(limbs.labels, phantom.limb)


def test_empty_slices_have_no_limb() -> None:
    limbs, _ = labelled(Scene(skip=frozenset({(0, 2), (1, 2)})))
    assert not limbs.labels[:, :, 2].any()
    assert label_limbs(np.zeros((20, 20, 2), bool), np.eye(4)).names == ("single",)
