"""Fat, skin and pelvis around the muscles."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.segmentation.synthesis.body import (
    Pad,
    Wrapping,
    draw_wrapping,
    fill_rows,
    pad_thickness,
    wrap_in_skin,
)
from pipelines.segmentation.synthesis.noise_bank import NoiseBank
from pipelines.segmentation.synthesis.tissues import BACKGROUND, FAT, LAST_CELL, MARROW, SKIN

SHAPE = (160, 80)


@pytest.fixture
def thighs():
    """Depth and sections of two round thighs of 20 pixels radius."""
    x, y = np.ogrid[: SHAPE[0], : SHAPE[1]]
    depth = np.maximum(20 - np.hypot(x - 40, y - 40), 20 - np.hypot(x - 120, y - 40))
    section = np.where(depth > 0, 5, 0).astype(np.uint8)
    right = np.broadcast_to(x > 80, SHAPE)
    return depth.astype(np.float32), section, right


def wrapping(layer=8.0, merge_level=2.0, appendage=False):
    hand = np.zeros(SHAPE, bool)
    hand[75:85, 65:75] = appendage
    return Wrapping(np.full(SHAPE, layer, np.float32), 0.7, merge_level, 4.0, 1, hand)


def wrapped(thighs, level, how):
    depth, section, right = thighs
    pelvis = np.full(SHAPE, MARROW, np.uint8)
    return wrap_in_skin([section], [pelvis], depth, right=right, level=level, wrapping=how)[0]


def test_layer_of_fat_has_the_drawn_thickness_and_ends_in_skin(thighs):
    row = wrapped(thighs, 1.0, wrapping(8.0))[40, 40:]
    assert (row[:20] == 5).all()
    assert (row[21:26] == FAT).all()
    assert row[27] == SKIN
    assert (row[29:] == BACKGROUND).all()


def test_layer_grows_towards_the_hip(thighs):
    areas = [(wrapped(thighs, level, wrapping()) == FAT).sum() for level in (0.0, 1.0, 1.4)]
    assert areas[0] < areas[1] < areas[2]


def test_muscles_are_untouched(thighs):
    np.testing.assert_array_equal(wrapped(thighs, 0.5, wrapping()) == 5, thighs[1] == 5)


def test_above_the_merge_level_the_pelvis_fills_the_gap(thighs):
    apart, merged = (wrapped(thighs, 1.2, wrapping(merge_level=m)) for m in (2.0, 1.0))
    assert apart[80, 40] == BACKGROUND
    assert merged[80, 40] == MARROW


def test_touching_thighs_show_two_skins(thighs):
    touching = wrapped(thighs, 1.0, wrapping(30.0))
    assert (touching[80, 35:45] == SKIN).all()


def test_hand_is_tissue_outside_the_thighs(thighs):
    with_hand = wrapped(thighs, 0.5, wrapping(appendage=True))
    assert with_hand[80, 70] == LAST_CELL
    assert wrapped(thighs, 0.5, wrapping())[80, 70] == BACKGROUND


def test_fill_rows():
    body = np.zeros((7, 2), bool)
    body[[1, 5], 0] = True
    np.testing.assert_array_equal(fill_rows(body)[:, 0], [0, 1, 1, 1, 1, 1, 0])
    assert not fill_rows(body)[:, 1].any()


def test_thin_and_thick_layers_are_drawn():
    bank = NoiseBank(1)
    layers = [
        np.median(
            draw_wrapping(
                SHAPE, bank, np.random.default_rng(s), appendage_chance=0.2, pad_chance=0.0
            ).layer
        )
        for s in range(80)
    ]
    assert min(layers) < 5
    assert max(layers) > 25


LATERAL_PAD = Pad(thickness=12.0, level=0.2, half_length=0.3, direction=np.pi, half_width=0.6)


def test_pad_widens_the_fat_on_the_lateral_side_of_both_legs(thighs):
    depth, _, right = thighs
    thickness = pad_thickness((LATERAL_PAD,), depth, right, 0.2)
    np.testing.assert_allclose(thickness[[5, 155], 40], 12.0, atol=0.1)
    np.testing.assert_allclose(thickness[[65, 95], 40], 0.0, atol=1e-6)
    padded, plain = (
        wrapped(thighs, 0.2, replace(wrapping(4.0), pads=pads)) for pads in ((LATERAL_PAD,), ())
    )
    more = (padded == FAT) & (plain != FAT)
    assert more[:20].sum() > 100
    assert not more[45:75].any()


def test_pad_fades_along_the_leg(thighs):
    depth, _, right = thighs
    most = [pad_thickness((LATERAL_PAD,), depth, right, z).max() for z in (0.2, 0.35, 0.6)]
    np.testing.assert_allclose(most, [12.0, 6.0, 0.0], atol=0.1)


def test_pads_lie_at_the_knee_and_the_buttock():
    bank = NoiseBank(1)
    drawn = [
        draw_wrapping(SHAPE, bank, np.random.default_rng(s), appendage_chance=0.0, pad_chance=1.0)
        for s in range(20)
    ]
    knee, buttock = zip(*(how.pads for how in drawn), strict=True)
    assert max(pad.level for pad in knee) < 0.3
    assert min(pad.level for pad in buttock) > 0.6
    # Behind the leg, or beside it.
    assert all(np.sin(pad.direction) < -0.3 for pad in buttock)
