from collections import Counter

import numpy as np
import pandas as pd
import pytest

from pipelines.water_fat.fat_fraction import fat_fraction
from pipelines.water_fat.limbs import Limbs, label_limbs
from pipelines.water_fat.swaps import detect_swaps, flag_swaps, repair_swaps, without_shell
from tests.pipelines.water_fat.limb_phantom import Limb, Phantom, Scene, exchanged, make_phantom

END_STAGE = (Limb(-85, muscle_ff=88), Limb(85, muscle_ff=88))
UNSWAPPED = {
    "healthy": Scene(sigma=15),
    "noisy": Scene(sigma=80),
    "end stage": Scene(END_STAGE, sigma=15),
    "one side diseased": Scene((Limb(-85, muscle_ff=85), Limb(85)), sigma=15),
    "one leg": Scene((Limb(0),), sigma=15),
    "rotated": Scene(sigma=15, rotation_deg=20, shape=(240, 240, 5)),
    "touching": Scene((Limb(-66), Limb(66)), sigma=15),
    "calf": Scene((Limb(-80, radius=45, fat_mm=6), Limb(80, radius=45, fat_mm=6)), sigma=15),
    "coarse": Scene(sigma=15, shape=(128, 80, 5), voxel_mm=(3, 3, 5)),
    "fine": Scene(sigma=15, shape=(420, 220, 2), voxel_mm=(0.8, 0.8, 5)),
}


def judged(phantom: Phantom, water: np.ndarray, fat: np.ndarray) -> tuple[Limbs, pd.DataFrame]:
    body = phantom.limb > 0
    limbs = label_limbs(body, phantom.affine)
    return limbs, detect_swaps(fat_fraction(water, fat), body, limbs, phantom.affine)


def statuses(table: pd.DataFrame) -> dict[str, int]:
    return dict(Counter(table["status"]))


@pytest.mark.parametrize("name", UNSWAPPED)
def test_no_swap_is_seen_where_there_is_none(name: str) -> None:
    phantom = make_phantom(UNSWAPPED[name])
    _, table = judged(phantom, phantom.water, phantom.fat)
    assert statuses(table) == {"normal": len(table)}


@pytest.mark.parametrize("name", UNSWAPPED)
def test_a_swap_in_two_slices_of_one_limb_is_found(name: str) -> None:
    phantom = make_phantom(UNSWAPPED[name])
    where = phantom.limb == 1
    where[:, :, 2:] = False
    _, table = judged(phantom, *exchanged(phantom, where))
    expected = (table["limb"] == table["limb"][0]) & (table["slice"] < 2)
    assert (table.loc[expected, "status"] == "swapped").all()
    assert (table.loc[~expected, "status"] == "normal").all()


@pytest.mark.parametrize("name", sorted(set(UNSWAPPED) - {"end stage", "one side diseased"}))
def test_a_swap_of_everything_is_found(name: str) -> None:
    phantom = make_phantom(UNSWAPPED[name])
    _, table = judged(phantom, phantom.fat, phantom.water)
    assert statuses(table) == {"swapped": len(table)}


def test_a_swap_of_legs_that_are_all_fat_cannot_be_told_from_lean_ones() -> None:
    phantom = make_phantom(UNSWAPPED["end stage"])
    _, table = judged(phantom, phantom.fat, phantom.water)
    assert statuses(table) == {"undecided": 10}


def test_measured_medians_are_those_of_the_layers() -> None:
    phantom = make_phantom(Scene())
    _, table = judged(phantom, phantom.water, phantom.fat)
    assert table["slice"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert table["limb"].tolist() == ["left", "right"] * 5
    np.testing.assert_allclose(table["shell_ff"], 90.0, atol=1e-3)
    np.testing.assert_allclose(table["skin_ff"], 10.0, atol=1e-3)
    np.testing.assert_allclose(table["core_ff"], 5.0, atol=1e-3)
    # A ring 2-8 mm below a radius of 70 mm.
    ring_voxels = np.pi * (68**2 - 62**2) / 1.6**2
    np.testing.assert_allclose(table["shell_voxels"], ring_voxels, rtol=0.1)


@pytest.mark.parametrize("fat_mm", [0.0, 1.0, 2.0, 3.0, 4.0, 6.0])
@pytest.mark.parametrize("radius", [32.0, 45.0, 70.0])
def test_thin_fat_is_never_repaired(fat_mm: float, radius: float) -> None:
    limbs = tuple(Limb(x, radius=radius, fat_mm=fat_mm) for x in (-85, 85))
    phantom = make_phantom(Scene(limbs, sigma=15, shape=(240, 144, 3)))
    _, table = judged(phantom, phantom.water, phantom.fat)
    assert "swapped" not in statuses(table)


def test_thin_fat_in_the_order_of_a_lean_limb_is_no_swap() -> None:
    # Skin 2 %, shell 35 %, core 5 %: a layer of fat thinner than half of the shell.
    layered = layers(skin=2.0, shell=35.0, core=5.0)
    assert statuses(layered) == {"thin_fat": 3}


@pytest.mark.parametrize(
    ("skin", "shell", "core"),
    [
        (10.0, 25.0, 85.0),  # a lean knee or ankle, full of marrow
        (20.0, 30.0, 80.0),
        (45.0, 20.0, 5.0),  # thin skin that noise makes look fatty
        (8.0, 8.0, 8.0),  # hardly any fat at all, or all of it swapped
    ],
)
def test_contradicting_signs_are_not_repaired(skin: float, shell: float, core: float) -> None:
    alone = layers(skin, shell, core)
    assert "swapped" not in statuses(alone)
    below_a_normal_thigh = layers(skin, shell, core, reference=(20.0, 85.0, 10.0))
    assert "swapped" not in statuses(below_a_normal_thigh)
    assert (below_a_normal_thigh["status"][:2] == "normal").all()


def test_a_swapped_slice_of_a_lean_limb_does_not_condemn_the_others() -> None:
    # A hand of which two slices are swapped: the swapped ones look like a layer of fat.
    hand = layers(skin=11.0, shell=7.0, core=37.0, reference=(89.0, 93.0, 63.0))
    assert "swapped" not in statuses(hand)


def test_everything_in_the_reverse_order_is_not_taken_for_normal() -> None:
    # A lean limb (shell 40 %), swapped.
    assert statuses(layers(skin=90.0, shell=60.0, core=95.0)) == {"undecided": 3}


def test_limbs_too_small_to_measure_are_named_so() -> None:
    labels = np.zeros((40, 40, 1), np.uint8)
    labels[18:22, 18:22] = 1
    ff = np.full(labels.shape, 5.0, np.float32)
    table = detect_swaps(ff, labels > 0, Limbs(labels, ("single",)), np.diag([1.6, 1.6, 8, 1]))
    assert statuses(table) == {"unmeasured": 1}
    assert np.isnan(table["shell_ff"][0])


def test_slices_without_a_limb_have_no_row() -> None:
    phantom = make_phantom(Scene(skip=frozenset({(0, 0), (1, 0), (1, 3)})))
    _, table = judged(phantom, phantom.water, phantom.fat)
    rows = list(zip(table["slice"], table["limb"], strict=True))
    present = {1: ("left", "right"), 2: ("left", "right"), 3: ("left",), 4: ("left", "right")}
    assert rows == [(k, limb) for k, limbs in present.items() for limb in limbs]


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_repair_restores_every_voxel(dtype: type) -> None:
    phantom = make_phantom(Scene(sigma=15))
    images = [np.round(image).astype(dtype) for image in (phantom.water, phantom.fat)]
    half = np.zeros(phantom.limb.shape, bool)
    half[120:, :, 1:3] = True  # the whole half of the image, air included
    water, fat = np.where(half, images[1], images[0]), np.where(half, images[0], images[1])
    given = water.copy(), fat.copy()
    limbs, table = judged(phantom, water, fat)
    new_water, new_fat, repaired = repair_swaps(water, fat, phantom.limb > 0, limbs, table)
    np.testing.assert_array_equal(new_water, images[0])
    np.testing.assert_array_equal(new_fat, images[1])
    assert new_water.dtype == dtype
    np.testing.assert_array_equal(water, given[0])  # the inputs are untouched
    np.testing.assert_array_equal(fat, given[1])
    changed = repaired[repaired["action"] == "exchanged"]
    assert list(zip(changed["slice"], changed["limb"], strict=True)) == [(1, "right"), (2, "right")]
    np.testing.assert_allclose(changed["shell_ff"], 10, atol=1)
    np.testing.assert_allclose(changed["shell_ff_after"], 90, atol=1)
    kept = repaired[repaired["action"] == "none"]
    np.testing.assert_array_equal(kept["shell_ff_after"], kept["shell_ff"])
    _, again = judged(phantom, new_water, new_fat)
    np.testing.assert_allclose(again["shell_ff"], repaired["shell_ff_after"], atol=1e-3)


def test_arms_are_not_exchanged_with_the_leg_beside_them() -> None:
    arms = (Limb(-186, radius=28), Limb(188, radius=28))
    phantom = make_phantom(Scene((Limb(-85, radius=65), Limb(85, radius=65), *arms), sigma=15))
    water, fat = exchanged(phantom, np.isin(phantom.limb, (1, 2)))
    limbs, table = judged(phantom, water, fat)
    new_water, _, _ = repair_swaps(water, fat, phantom.limb > 0, limbs, table)
    np.testing.assert_array_equal(new_water[phantom.limb > 0], phantom.water[phantom.limb > 0])


def test_nothing_is_copied_when_nothing_is_swapped() -> None:
    phantom = make_phantom(Scene(sigma=15))
    limbs, table = judged(phantom, phantom.water, phantom.fat)
    water, fat, repaired = repair_swaps(phantom.water, phantom.fat, phantom.limb > 0, limbs, table)
    assert water is phantom.water
    assert fat is phantom.fat
    assert (repaired["action"] == "none").all()


def test_a_map_is_flagged_and_not_changed() -> None:
    phantom = make_phantom(Scene(sigma=15))
    _, table = judged(phantom, phantom.fat, phantom.water)
    flagged = flag_swaps(table)
    assert (flagged["action"] == "flagged").all()
    np.testing.assert_array_equal(flagged["shell_ff_after"], table["shell_ff"])


def layers(
    skin: float, shell: float, core: float, reference: tuple[float, float, float] | None = None
) -> pd.DataFrame:
    """Judge three slices of a limb with these fat fractions, after two with others."""
    phantom = make_phantom(Scene((Limb(0),), shape=(120, 120, 5 if reference else 3)))
    body = phantom.limb > 0
    x, y = np.indices(body.shape[:2]) * 1.6
    depth = 70 - np.hypot(x - x.mean(), y - y.mean())
    ff = np.full(body.shape, np.nan, np.float32)
    for k in range(body.shape[2]):
        values = reference if reference and k < 2 else (skin, shell, core)
        ff[:, :, k] = np.select([depth < 2.1, depth < 10], values[:2], values[2])
    limbs = Limbs(body.astype(np.uint8), ("single",))
    return detect_swaps(ff, body, limbs, phantom.affine)


def test_a_decided_limb_without_a_layer_of_fat_is_not_swapped() -> None:
    rows = [("left", "swapped")] * 3 + [("left", "normal"), ("left", "unmeasured")]
    rows += [("right", "swapped")] + [("right", "normal")] * 4
    table = pd.DataFrame(rows, columns=["limb", "status"])
    found = without_shell(table)["status"].tolist()
    # Most slices of the left limb are bare; the one of the right may be swapped.
    assert found == [*["no_shell"] * 3, "normal", "unmeasured", "swapped", *["normal"] * 4]
