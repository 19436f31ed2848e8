"""Wrong outlines: shapes whose Dice coefficient and size follow from counting voxels."""

import numpy as np
import pytest

from benchmarks.outline_perturbation import (
    DIRECTIONS,
    KINDS,
    Outline,
    Scene,
    added_voxels,
    kept_voxels,
    perturb,
    scene_of,
)

SIZES = np.array([1.0, 2.0, 10.0])
BLOCK = (slice(30, 50), slice(30, 50), slice(5, 15))


def scene(others: bool = True) -> Scene:
    """Return a block of 20 x 20 x 10 voxels, with another muscle 5 voxels to its right."""
    mask = np.zeros((80, 80, 20), bool)
    mask[BLOCK] = True
    neighbour = np.zeros_like(mask)
    neighbour[55:75, 30:50, 5:15] = others
    return Scene(mask, neighbour, np.ones_like(mask), SIZES)


def outlines(kind: str, dice: float, where: Scene | None = None) -> dict[str, Outline]:
    return {one.variant: one for one in KINDS[kind](where or scene(), dice)}


def dice_of(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * np.count_nonzero(first & second) / (first.sum() + second.sum())


@pytest.mark.parametrize("dice", [0.95, 0.9, 0.85, 0.8, 0.75])
def test_every_kind_has_the_dice_asked_for(dice: float) -> None:
    block = scene()
    found = list(perturb(block, dice))
    assert {one.kind for one in found} == set(KINDS)
    for one in found:
        tolerance = 0.01 if one.kind == "shifted" else 0.0002  # whole voxels of 4000
        assert dice_of(block.mask, one.mask) == pytest.approx(dice, abs=tolerance)


def test_sizes_at_a_dice_coefficient() -> None:
    assert kept_voxels(1000, 0.75) == 600  # 2 x 600 / 1600
    assert added_voxels(600, 0.75) == 400  # 2 x 600 / 1600
    assert kept_voxels(1000, 1.0) == 1000
    assert added_voxels(1000, 1.0) == 0


def test_eroded_loses_the_shallowest_voxels() -> None:
    block = scene()
    lost = block.mask & ~outlines("eroded", 0.75)[""].mask
    assert lost.sum() == 1600
    kept = block.depth[block.mask & ~lost]
    assert block.depth[lost].max() <= kept.min()


def test_a_layer_of_one_voxel_is_lost_whole() -> None:
    # Voxels of the first and last column along the axis of 1 mm: 2 x 20 x 10 of 4000.
    outline = outlines("eroded", 2 * 3600 / 7600)[""]
    assert not outline.mask[30].any()
    assert not outline.mask[49].any()
    assert outline.mask.sum() == 3600
    assert outline.mm == 1.0


def test_dilated_takes_in_the_nearest_tissue_only() -> None:
    block = scene()
    block.tissue[50:] = False  # nothing to take in on the right
    outline = outlines("dilated", 2 * 4000 / 8200, block)[""]
    gained = outline.mask & ~block.mask
    assert gained.sum() == 200
    assert gained[29, 30:50, 5:15].all()
    assert outline.mm == 1.0


def test_neighbour_takes_in_the_nearest_voxels_of_the_other_muscle() -> None:
    block = scene()
    outline = outlines("neighbour", 2 * 4000 / 8400)[""]
    gained = outline.mask & ~block.mask
    assert gained.sum() == 400
    assert gained[55:57, 30:50, 5:15].all()
    assert outline.mm == 7.0  # from the last voxel of the block, 49, to 56


def test_no_outline_where_there_is_no_other_muscle() -> None:
    assert not outlines("neighbour", 0.95, scene(others=False))
    found = {one.kind for one in perturb(scene(others=False), 0.95)}
    assert found == set(KINDS) - {"neighbour"}


def test_no_outline_where_a_shift_leaves_the_image() -> None:
    mask = np.zeros((20, 80, 3), bool)
    mask[:, 30:50] = True
    full = Scene(mask, np.zeros_like(mask), np.ones_like(mask), SIZES)
    assert set(outlines("shifted", 0.9, full)) == {"anterior", "posterior"}


@pytest.mark.parametrize(
    ("direction", "vector", "mm"),
    [
        ("right", (2, 0), 2.0),
        ("left", (-2, 0), 2.0),
        ("anterior", (0, 2), 4.0),
        ("posterior", (0, -2), 4.0),
    ],
)
def test_a_shift_of_two_of_twenty_voxels_has_dice_0_9(
    direction: str, vector: tuple[int, int], mm: float
) -> None:
    block = scene()
    outline = outlines("shifted", 0.9)[direction]
    assert np.array_equal(outline.mask, np.roll(block.mask, vector, axis=(0, 1)))
    assert outline.mm == mm
    assert set(DIRECTIONS) == set(outlines("shifted", 0.9))


def test_shifts_know_the_dice_of_every_vector() -> None:
    vectors, dice = scene().shifts
    known = dict(zip(map(tuple, vectors.tolist()), dice, strict=True))
    assert known[0, 0] == 1.0
    assert known[5, 0] == 15 / 20
    assert known[-5, 4] == 15 * 16 / 400
    assert known[25, 0] == 0.0
    assert (31, 0) not in known  # beyond the image


@pytest.mark.parametrize(("end", "gone"), [("proximal", 14), ("distal", 5)])
def test_an_end_cut_takes_slices_from_that_end(end: str, gone: int) -> None:
    # One of ten slices: 2 x 9 / 19.
    outline = outlines("end cut", 18 / 19)[end]
    assert not outline.mask[..., gone].any()
    assert outline.mask.sum() == 3600
    assert outline.mm == 10.0


def test_the_last_slice_cut_is_cut_from_its_edge() -> None:
    block = scene()
    outline = outlines("end cut", 2 * 3500 / 7500)["proximal"]  # 400 of slice 14, 100 of slice 13
    lost = block.mask & ~outline.mask
    assert np.count_nonzero(lost, axis=(0, 1))[12:15].tolist() == [0, 100, 400]
    assert not lost[35:45, 35:45, 13].any()
    assert outline.mm == 20.0


def test_scene_of_cuts_a_box_with_what_is_around() -> None:
    labels = np.zeros((200, 200, 30), np.uint8)
    labels[100:110, 100:110, 10:20] = 5
    labels[120:130, 100:110, 10:20] = 6
    ff = np.full(labels.shape, 10.0)
    ff[0:100] = np.nan
    found, around = scene_of(labels, ff, 5, SIZES)
    assert found.mask.shape == (90, 50, 18)  # 40 mm more on both sides of 10 x 10 x 10 voxels
    assert found.voxels == 1000
    assert found.others.sum() == 1000
    assert np.array_equal(found.tissue, np.isfinite(around))
    assert np.count_nonzero(~found.tissue.any(axis=(1, 2))) == 40
