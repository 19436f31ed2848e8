import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.anatomy.vocabulary import groups, label_values, muscles
from pipelines.quantification.columns import MuscleTables
from pipelines.quantification.options import QuantificationOptions
from pipelines.quantification.table import add_confidence, measure_muscles
from tests.pipelines.quantification.solids import (
    ISOTROPIC,
    THICK,
    box_image,
    ellipsoid,
    measured_independently,
    value,
)

NAMES = ["sartorius", "gracilis", "semitendinosus"]
VALUES = [value(name, side) for name in NAMES for side in ("left", "right")]


def random_image(seed, shape=(24, 22, 7)):
    """Blobs of six labels with holes, gaps and voxels without FF."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint16)
    for label in VALUES:
        low = [rng.integers(0, n - 3) for n in shape]
        high = [rng.integers(a + 3, n + 1) for a, n in zip(low, shape, strict=True)]
        labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = label
    labels[rng.random(shape) < 0.03] = 0
    ff = rng.uniform(0, 100, shape).astype(np.float32)
    ff[rng.random(shape) < 0.02] = np.nan
    return labels, ff


def muscle_rows(table):
    return table[table["level"] == "muscle"].set_index("label")


@given(st.integers(0, 10_000), st.sampled_from([THICK, ISOTROPIC]))
@settings(max_examples=20, deadline=None)
def test_equals_an_independent_measurement(seed, affine):
    labels, ff = random_image(seed)
    found = muscle_rows(measure_muscles(labels, ff, affine).muscles)
    assert sorted(found.index) == sorted(set(np.unique(labels)) - {0})
    for label in found.index:
        expected = measured_independently(labels, ff, affine, label)
        np.testing.assert_allclose(
            found.loc[label, list(expected)].astype(float),
            pd.Series(expected).astype(float),
            rtol=1e-5,
            atol=1e-6,
            err_msg=str(label),
        )


def test_ellipsoid_has_the_volume_and_sections_of_the_formula():
    radii = np.array([24.0, 30.0, 45.0])
    mask = ellipsoid((60, 70, 100), 1.0, radii)
    labels = mask * np.uint16(value("rectus_femoris"))
    row = measure_muscles(labels, np.full(mask.shape, 20, np.float32), np.eye(4)).muscles.iloc[0]
    volume = 4 / 3 * np.pi * radii.prod() / 1000
    assert row["volume_ml"] == pytest.approx(volume, rel=0.005)
    assert row["lean_volume_ml"] == pytest.approx(0.8 * volume, rel=0.005)
    assert row["csa_max_cm2"] == pytest.approx(np.pi * 24 * 30 / 100, rel=0.01)
    assert row["csa_mid_cm2"] == pytest.approx(np.pi * 24 * 30 / 100, rel=0.01)
    assert row["ccsa_mid_cm2"] == pytest.approx(0.8 * np.pi * 24 * 30 / 100, rel=0.01)
    assert row["csa_max_slice"] in range(48, 52)  # four slices round to the same section
    assert not row["truncated_proximal"]
    assert not row["truncated_distal"]


def test_cylinder_with_a_linear_gradient():
    x, y = np.meshgrid(np.arange(60) - 29.5, np.arange(60) - 29.5, indexing="ij")
    disc = x**2 + y**2 <= 25**2
    labels = np.repeat(disc[:, :, None], 30, axis=2) * np.uint16(value("soleus", "right"))
    # 60 % at the distal end to 0 % at the proximal end: 6 points per tenth of the length.
    ff = np.broadcast_to(60 - 60 * (np.arange(30) + 0.5) / 30, labels.shape).astype(np.float32)
    row = measure_muscles(labels, ff, np.diag([1.0, 1.0, 4.0, 1.0])).muscles.iloc[0]
    assert row["volume_ml"] == pytest.approx(np.pi * 25**2 * 120 / 1000, rel=0.01)
    assert row["ff_slope"] == pytest.approx(6.0)
    assert row["ff_mean"] == pytest.approx(30.0)
    assert row["ff_proximal"] == pytest.approx(10.0)
    assert row["ff_middle"] == pytest.approx(30.0)
    assert row["ff_distal"] == pytest.approx(50.0)
    assert row["ff_frac_gt50"] == pytest.approx(100 / 6)
    assert row["erosion"] == "in_plane"
    assert (row["region"], row["side"], row["label"]) == ("leg", "right", value("soleus", "right"))


def test_partial_volume_rim_counts_for_volume_but_not_for_fat():
    mask = np.zeros((30, 30, 4), bool)
    mask[5:25, 5:25] = True
    rim = mask.copy()
    rim[6:24, 6:24] = False
    ff = np.where(rim, 60.0, 5.0).astype(np.float32)
    row = measure_muscles(mask * np.uint16(value("sartorius")), ff, THICK).muscles.iloc[0]
    assert row["ff_mean"] == 5.0
    assert row["ff_mean_uneroded"] == pytest.approx((76 * 60 + 324 * 5) / 400)
    assert row["n_voxels"] == 1600
    assert row["n_voxels_ff"] == 4 * 324
    assert row["csa_max_cm2"] == pytest.approx(400 * 0.0225)
    assert row["fat_volume_ml"] == pytest.approx((76 * 0.6 + 324 * 0.05) * 4 * 0.045)


def test_erosion_can_be_switched_off():
    labels, ff = random_image(1)
    row = measure_muscles(labels, ff, THICK, QuantificationOptions(erode=False)).muscles.iloc[0]
    assert row["erosion"] == "none"
    assert not row["few_voxels"]
    assert row["ff_mean"] == pytest.approx(row["ff_mean_uneroded"])
    assert row["n_voxels_ff"] == row["n_voxels"] - row["n_voxels_no_ff"]


def test_rows_are_in_vocabulary_order_then_groups():
    labels = np.zeros((200, 4, 2), np.uint16)
    thigh = [v for v, (m, _) in label_values().items() if m.region == "thigh"]
    for i, label in enumerate(reversed(thigh)):
        labels[4 * i : 4 * i + 4, :, :] = label
    table = measure_muscles(labels, np.full(labels.shape, 9, np.float32), THICK).muscles
    expected = [(m.name, side) for m, side in label_values().values() if m.region == "thigh"]
    in_thigh = [g for g, members in groups().items() if muscles()[members[0]].region == "thigh"]
    expected += [(g, side) for g in in_thigh for side in ("left", "right")]
    assert list(zip(table["muscle"], table["side"], strict=True)) == expected
    assert table["members"].dropna().str.fullmatch(r"(\d+)/\1").all()


@pytest.mark.parametrize("axis", [0, 1])
def test_flipping_the_image_within_the_slice_changes_nothing(axis):
    labels, ff = random_image(2)
    flip = np.eye(4)
    flip[axis, axis], flip[axis, 3] = -1, labels.shape[axis] - 1
    pd.testing.assert_frame_equal(
        measure_muscles(np.flip(labels, axis), np.flip(ff, axis), THICK @ flip).muscles,
        measure_muscles(labels, ff, THICK).muscles,
        rtol=1e-9,
    )


def test_turning_the_stack_upside_down_swaps_the_ends():
    labels, ff = random_image(3)
    found = muscle_rows(measure_muscles(labels[:, :, ::-1], ff[:, :, ::-1], THICK).muscles)
    expected = muscle_rows(measure_muscles(labels, ff, THICK).muscles)
    for one, other in (
        ("ff_proximal", "ff_distal"),
        ("truncated_proximal", "truncated_distal"),
        ("volume_ml", "volume_ml"),
        ("ff_mean", "ff_mean"),
    ):
        pd.testing.assert_series_equal(found[one], expected[other], check_names=False)
    pd.testing.assert_series_equal(found["ff_slope"], -expected["ff_slope"])


@given(st.permutations(VALUES))
@settings(max_examples=10, deadline=None)
def test_renaming_the_muscles_moves_their_numbers_along(renamed):
    labels, ff = random_image(4)
    lookup = np.arange(3000, dtype=np.uint16)
    lookup[VALUES] = renamed
    original = muscle_rows(measure_muscles(labels, ff, THICK).muscles)
    found = muscle_rows(measure_muscles(lookup[labels], ff, THICK).muscles)
    columns = ["volume_ml", "ff_mean", "ff_p95", "csa_mid_cm2", "ff_slope", "n_voxels_ff"]
    for before, after in zip(VALUES, renamed, strict=True):
        assert found.loc[after, columns].tolist() == original.loc[before, columns].tolist()


def test_a_shifted_turned_scan_gives_the_same_table():
    labels, ff = random_image(5)
    turn = np.deg2rad(17)
    world = np.eye(4)
    world[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    world[:3, 3] = [40, -12, 300]
    pd.testing.assert_frame_equal(
        measure_muscles(labels, ff, world @ THICK).muscles,
        measure_muscles(labels, ff, THICK).muscles,
        rtol=1e-9,
    )


def test_one_thick_slice():
    labels = box_image((20, 20, 1), {value("gracilis", "right"): np.s_[3:13, 3:13, 0]})
    row = measure_muscles(labels, np.full(labels.shape, 8, np.float32), THICK).muscles.iloc[0]
    assert row["truncated_proximal"]
    assert row["truncated_distal"]
    assert row["n_slices"] == 1
    assert row["csa_mid_cm2"] == row["csa_max_cm2"] == pytest.approx(2.25)
    assert row["ff_middle"] == 8
    assert row[["ff_proximal", "ff_distal", "ff_slope"]].isna().all()


def test_a_gap_in_the_muscle_is_no_volume():
    labels = box_image((20, 20, 6), {value("gracilis"): np.s_[3:13, 3:13, 1:5]})
    labels[:, :, 2:4] = 0
    row = measure_muscles(labels, np.full(labels.shape, 8, np.float32), THICK).muscles.iloc[0]
    assert row["n_slices"] == 2
    assert row["volume_ml"] == pytest.approx(200 * 0.045)
    assert row["csa_mid_cm2"] == pytest.approx(2.25)


def test_missing_fat_fraction_never_counts_as_no_fat():
    labels = box_image((20, 20, 4), {value("gracilis"): np.s_[3:13, 3:13, 0:4]})
    ff = np.full(labels.shape, 30, np.float32)
    ff[3:8] = np.nan
    row = measure_muscles(labels, ff, THICK).muscles.iloc[0]
    assert row["ff_mean"] == 30
    assert row["ff_mean_uneroded"] == 30
    assert row["n_voxels"] == 400
    assert row["n_voxels_no_ff"] == 200
    ff[:] = np.nan
    row = measure_muscles(labels, ff, THICK, noise_floor=5.0).muscles.iloc[0]
    assert row["volume_ml"] == pytest.approx(18.0)
    assert row[["ff_mean", "ff_median", "lean_volume_ml", "below_noise_floor"]].isna().all()
    assert row["few_voxels"]
    assert row["n_voxels_ff"] == 0


@pytest.mark.parametrize(("floor", "expected"), [(None, pd.NA), (7.0, False), (9.0, True)])
def test_noise_floor_flag(floor, expected):
    labels = box_image((20, 20, 2), {value("gracilis"): np.s_[3:13, 3:13, 0:2]})
    ff = np.full(labels.shape, 8, np.float32)
    table = measure_muscles(labels, ff, THICK, noise_floor=floor).muscles
    assert table["below_noise_floor"].iloc[0] is expected or (
        table["below_noise_floor"].iloc[0] == expected
    )


def test_an_image_without_muscles_gives_an_empty_table():
    labels = np.zeros((5, 5, 5), np.uint16)
    table = measure_muscles(labels, np.zeros(labels.shape, np.float32), THICK).muscles
    assert len(table) == 0
    assert list(table) == list(MuscleTables.MUSCLES.columns)


def test_profile_and_table_agree():
    labels, ff = random_image(6)
    found = measure_muscles(labels, ff, THICK)
    table, profile = found.muscles, found.profile
    assert list(profile) == list(MuscleTables.PROFILE.columns)
    for _, row in table[table["level"] == "muscle"].iterrows():
        part = profile[(profile["muscle"] == row["muscle"]) & (profile["side"] == row["side"])]
        assert part["slice"].is_monotonic_increasing
        assert part["area_cm2"].sum() * 2.0 == pytest.approx(row["volume_ml"])
        assert part["n_voxels_ff"].sum() == row["n_voxels_ff"]
        used = part[part["n_voxels_ff"] > 0]
        mean = np.average(used["ff_mean"], weights=used["n_voxels_ff"].astype(float))
        assert mean == pytest.approx(row["ff_mean"])


def test_forty_muscles_take_their_boxes_not_the_whole_image():
    """Measuring 40 masks over the full image would take ten times longer than this allows."""
    thigh = [v for v, (m, _) in label_values().items() if m.region in ("thigh", "leg")][:40]
    labels = np.zeros((256, 256, 96), np.uint16, order="F")
    for i, label in enumerate(thigh):
        row, column = divmod(i, 8)
        labels[50 * row : 50 * row + 45, 32 * column : 32 * column + 28, 5:90] = label
    ff = np.full(labels.shape, 10, np.float32, order="F")
    start = time.process_time()
    table = measure_muscles(labels, ff, np.diag([1.0, 1.0, 5.0, 1.0])).muscles
    assert time.process_time() - start < 3.0
    assert (table["level"] == "muscle").sum() == 40


@pytest.fixture
def table() -> pd.DataFrame:
    labels = np.zeros((12, 12, 3), np.uint16)
    labels[1:5, 1:11] = muscles()["semitendinosus"].value("left")
    labels[7:11, 1:11] = muscles()["semimembranosus"].value("right")
    ff = np.full(labels.shape, 10.0, np.float32)
    return measure_muscles(labels, ff, np.diag([1.0, 1.0, 5.0, 1.0])).muscles


def test_values_go_to_their_muscle_and_side_and_never_to_groups(table: pd.DataFrame) -> None:
    confidence = pd.DataFrame(
        {
            "muscle": ["semimembranosus", "semitendinosus"],
            "side": ["right", "left"],
            "soft_dice": [0.7, 0.9],
            "expected_dice": [0.6, 0.8],
        }
    )
    filled = add_confidence(table, confidence)
    by_muscle = filled[filled["level"] == "muscle"].set_index("muscle")
    assert by_muscle.loc["semitendinosus", "soft_dice"] == 0.9
    assert by_muscle.loc["semimembranosus", "expected_dice"] == 0.6
    assert filled.loc[filled["level"] == "group", "soft_dice"].isna().all()
    assert list(filled.columns) == list(table.columns)
    pd.testing.assert_series_equal(filled["volume_ml"], table["volume_ml"])


def test_a_muscle_the_confidence_does_not_know_stays_without(table: pd.DataFrame) -> None:
    confidence = pd.DataFrame({"muscle": ["semitendinosus"], "side": ["left"], "soft_dice": [0.9]})
    filled = add_confidence(table, confidence).set_index("muscle")
    assert np.isnan(filled.loc["semimembranosus", "soft_dice"])


def test_without_confidence_the_columns_are_there_and_empty(table: pd.DataFrame) -> None:
    assert table["expected_dice"].isna().all()
