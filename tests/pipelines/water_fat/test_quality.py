import numpy as np
import pandas as pd
import pytest

from pipelines.quality import Check
from pipelines.water_fat import quality
from pipelines.water_fat.fat_fraction import VoxelCounts
from pipelines.water_fat.grids import MatchedGrids
from pipelines.water_fat.limbs import Limbs, label_limbs
from pipelines.water_fat.noise import NoiseEstimate
from tests.pipelines.water_fat.limb_phantom import Limb, Scene, make_phantom


def swap_table(*rows: tuple[int, str, float, str, str]) -> pd.DataFrame:
    columns = ["slice", "limb", "shell_ff", "status", "action"]
    table = pd.DataFrame(rows, columns=columns)
    exchanged = table["action"] == "exchanged"
    table["shell_ff_after"] = table["shell_ff"].where(~exchanged, 100 - table["shell_ff"])
    return table


NORMAL = swap_table((0, "left", 82.0, "normal", "none"), (0, "right", 79.0, "normal", "none"))


def outcome(check: Check) -> tuple[str, str, float | None]:
    value = None if check.value is None else round(check.value, 6)
    return check.name, check.level, value


def test_bundle_of_water_and_fat() -> None:
    phantom = make_phantom(Scene())
    limbs = label_limbs(phantom.limb > 0, phantom.affine)
    image = np.zeros((2, 2, 2))
    grids = MatchedGrids(image, image, np.eye(4), True, False, (0, 0, 0), "Fat was moved.")
    checks = quality.dixon_checks(
        phantom.ff,
        phantom.limb > 0,
        limbs,
        phantom.affine,
        NORMAL,
        noise=NoiseEstimate(5.0, 5.0, 400.0, 80.0, 1.5),
        counts=VoxelCounts(1000, 0, 0, 0, 0),
        grids=grids,
    )
    assert [check.name for check in checks] == [
        "body_mask",
        "limbs",
        "grid",
        "water_fat_swap",
        "noise_floor",
        "no_fat_fraction",
        "left_right_difference",
        "limb_cut",
        "slice_coverage",
        "non_finite",
        "negative",
        "saturated",
    ]
    assert {c.name for c in checks if c.level != "pass"} == {"grid"}
    assert checks[2].text == "Fat was moved."


def test_bundle_of_a_map_of_one_leg() -> None:
    phantom = make_phantom(Scene((Limb(0),)))
    limbs = label_limbs(phantom.limb > 0, phantom.affine)
    checks = quality.dixon_checks(
        phantom.ff, phantom.limb > 0, limbs, phantom.affine, NORMAL, units=("permille", 90.0)
    )
    assert [check.name for check in checks] == [
        "body_mask",
        "limbs",
        "ff_units",
        "water_fat_swap",
        "noise_floor",
        "no_fat_fraction",
        "limb_cut",
        "slice_coverage",
    ]
    assert "left or right" in checks[1].text


@pytest.mark.parametrize(
    ("share", "level", "text"),
    [
        (0.3, "pass", "The body fills 30 % of the image."),
        (0.005, "warn", "covers only 0.5 % of the image"),
        (0.98, "warn", "covers 98 % of the image; background may have been taken"),
    ],
)
def test_body(share: float, level: str, text: str) -> None:
    body = np.zeros(1000, bool)
    body[: int(1000 * share)] = True
    check = quality.check_body(body.reshape(10, 10, 10))
    assert outcome(check) == ("body_mask", level, 100 * share)
    assert text in check.text


@pytest.mark.parametrize(
    ("value", "level"), [(90.0, "pass"), (50.0, "pass"), (9.0, "warn"), (130.0, "warn")]
)
def test_units(value: float, level: str) -> None:
    check = quality.check_units("fraction", value)
    assert outcome(check) == ("ff_units", level, value)
    assert f"read as fraction: 99 % of the body lie below {value:.0f} %" in check.text
    assert ("--fat-fraction-units" in check.text) == (level == "warn")


def test_repaired_swap() -> None:
    table = swap_table(
        (2, "left", 80.0, "normal", "none"),
        (2, "right", 12.0, "swapped", "exchanged"),
        (3, "right", 13.0, "swapped", "exchanged"),
        (4, "right", 13.0, "swapped", "exchanged"),
        (7, "right", 11.0, "swapped", "exchanged"),
        (9, "left", 11.0, "swapped", "exchanged"),
    )
    check = quality.check_swaps(table)
    assert outcome(check) == ("water_fat_swap", "warn", 5.0)
    assert check.text == (
        "Water and fat were swapped in the right limb, slices 2-4, 7; left limb, slice 9 (counted "
        "from 0 at the feet): the layer 2-8 mm under the skin read as water. They were exchanged "
        "there; look at the repaired slices."
    )


def test_swap_in_a_map() -> None:
    check = quality.check_swaps(swap_table((0, "single", 12.0, "swapped", "flagged")))
    assert outcome(check) == ("water_fat_swap", "fail", 1.0)
    assert "(probably 100 minus the value) and were not changed" in check.text


def test_undecided_swap() -> None:
    table = swap_table(
        (0, "single", 31.0, "undecided", "none"), (1, "single", 70.0, "normal", "none")
    )
    check = quality.check_swaps(table)
    assert outcome(check) == ("water_fat_swap", "warn", 31.0)
    assert "cannot be excluded in the single limb, slice 0" in check.text


def test_thin_fat_and_normal_fat_pass() -> None:
    check = quality.check_swaps(NORMAL)
    assert outcome(check) == ("water_fat_swap", "pass", 79.0)
    assert "(lowest 79 %)" in check.text
    lean = quality.check_swaps(swap_table((0, "single", 35.0, "thin_fat", "none")))
    assert outcome(lean) == ("water_fat_swap", "pass", 35.0)
    assert "fat is thin in the single limb, slice 0" in lean.text


@pytest.mark.parametrize(
    "table", [swap_table(), swap_table((0, "single", np.nan, "unmeasured", "none"))]
)
def test_swaps_that_could_not_be_looked_for(table: pd.DataFrame) -> None:
    check = quality.check_swaps(table)
    assert outcome(check) == ("water_fat_swap", "warn", None)
    assert "too small to be measured" in check.text


def test_noise() -> None:
    low = quality.check_noise(NoiseEstimate(5.0, 5.0, 400.0, 80.0, 1.54))
    assert outcome(low) == ("noise_floor", "pass", 1.54)
    assert "read 1.5 % (signal-to-noise ratio 80)." in low.text
    high = quality.check_noise(NoiseEstimate(40.0, 40.0, 400.0, 10.0, 11.1))
    assert outcome(high) == ("noise_floor", "warn", 11.1)
    assert "do not differ from zero" in high.text
    zeroed = NoiseEstimate(None, None, 400.0, None, None, "the background was set to zero")
    unknown = quality.check_noise(zeroed)
    assert outcome(unknown) == ("noise_floor", "warn", None)
    assert "could not be measured: the background was set to zero." in unknown.text
    assert outcome(quality.check_noise(None)) == ("noise_floor", "warn", None)


@pytest.mark.parametrize(("right_ff", "level"), [(5.0, "pass"), (92.0, "warn")])
def test_left_right(right_ff: float, level: str) -> None:
    labels = np.zeros((10, 10, 4), np.uint8)
    labels[1:4], labels[6:9] = 1, 2
    labels[6:9, :, 3] = 0  # the right limb ends one slice lower
    ff = np.where(labels == 1, 10.0, np.where(labels == 2, right_ff, np.nan)).astype(np.float32)
    ff[1:4, :, 3] = 100.0
    check = quality.check_left_right(ff, Limbs(labels, ("left", "right")))
    assert outcome(check) == ("left_right_difference", level, 10.0 - right_ff)
    assert f"left 10 %, right {right_ff:.0f} %" in check.text
    assert ("a swap is likelier than disease" in check.text) == (level == "warn")


def test_left_and_right_never_in_one_slice() -> None:
    labels = np.zeros((10, 10, 2), np.uint8)
    labels[:5, :, 0], labels[5:, :, 1] = 1, 2
    ff = np.ones(labels.shape, np.float32)
    check = quality.check_left_right(ff, Limbs(labels, ("left", "right")))
    assert outcome(check) == ("left_right_difference", "warn", None)


def test_cut_limb() -> None:
    labels = np.zeros((40, 50, 3), np.uint8)
    labels[0:10, 5:30, 1] = 1  # 25 voxels of 2 mm along the left border
    labels[25:39, 10:40] = 2
    check = quality.check_cut(Limbs(labels, ("left", "right")), np.diag([3.0, 2.0, 8.0, 1.0]))
    assert outcome(check) == ("limb_cut", "warn", 50.0)
    assert "cuts the left limb, slice 1 (counted" in check.text
    labels[0] = 0
    whole = quality.check_cut(Limbs(labels, ("left", "right")), np.diag([3.0, 2.0, 8.0, 1.0]))
    assert outcome(whole) == ("limb_cut", "pass", 0.0)


def test_missing_slices() -> None:
    labels = np.zeros((10, 10, 6), np.uint8)
    labels[1:4, :, 1:], labels[6:9, :, 2:5] = 1, 2
    check = quality.check_slices(labels > 0, Limbs(labels, ("left", "right")))
    assert outcome(check) == ("slice_coverage", "warn", 3.0)
    assert check.text == (
        "Slices 0 (counted from 0 at the feet) show no body; no limb was found in the right limb, "
        "slices 1, 5 (counted from 0 at the feet)."
    )
    whole = quality.check_slices(labels[:, :, 2:5] > 0, Limbs(labels[:, :, 2:5], ("left", "right")))
    assert outcome(whole) == ("slice_coverage", "pass", 0.0)
    assert whole.text == "All 3 slices show the limbs."


def test_doubtful_voxels() -> None:
    checks = quality.check_voxels(VoxelCounts(10_000, 1, 50, 20, 7))
    assert [outcome(check) for check in checks] == [
        ("non_finite", "warn", 0.01),
        ("negative", "pass", 0.5),
        ("saturated", "warn", 0.2),
    ]
    assert checks[0].text == (
        "Voxels of the body that are NaN or infinite: 1 (0.01 %). They have no fat fraction."
    )
    assert checks[2].text.endswith(
        "clipped at the largest value: 20 (0.2 %). Their fat fraction is wrong."
    )
    clean = quality.check_voxels(VoxelCounts(10_000, 0, 0, 0, 0))
    assert {check.level for check in clean} == {"pass"}
    assert clean[1].text == "Voxels of the body with negative signal: 0 (0 %)."
