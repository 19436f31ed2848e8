import dataclasses

import numpy as np
import pandas as pd
import pytest

from bids_example.code.body import HEALTHY_FAT_PERCENT, Body, Scan
from bids_example.code.cross_section import Tissue
from bids_example.code.phantom import make_phantom
from bids_example.code.voxelize import Pose
from pipelines.anatomy.vocabulary import label_values, muscles
from pipelines.geometry import to_canonical, voxel_sizes
from pipelines.quantification.table import measure_muscles

SMALL = Scan(shape=(128, 88, 4), spacing=(3.0, 3.0, 70.0))
FAT = {
    ("sartorius", "left"): 12.0,
    ("semimembranosus", "right"): 70.0,
    ("adductor_magnus", "left"): 35.0,
}


@pytest.fixture(scope="module")
def healthy():
    return make_phantom(Body(seed=1), SMALL)


@pytest.fixture(scope="module")
def fatty():
    return make_phantom(Body(seed=1, fat_percent=FAT, patchiness=0.8), SMALL)


def measured(phantom, ff=None):
    if ff is None:
        water, fat = phantom.water.astype(float), phantom.fat.astype(float)
        total = water + fat
        ff = np.where(total > 0, 100 * fat / np.where(total > 0, total, 1), np.nan)
    labels, affine, _ = to_canonical(phantom.labels, phantom.affine)
    table = measure_muscles(labels, to_canonical(ff, phantom.affine)[0], affine).muscles
    return table[table["level"] == "muscle"].merge(
        phantom.truth, on=["muscle", "side"], suffixes=("", "_true"), validate="1:1"
    )


def test_without_noise_the_truth_is_recovered_exactly(fatty):
    found = measured(fatty, fatty.true_ff.astype(float))
    assert len(found) == 22
    used = found[~found["few_voxels"]]
    assert len(used) >= 20
    np.testing.assert_allclose(used["ff_mean"], used["ff_percent"], atol=1e-4)


def test_with_noise_the_truth_is_recovered(fatty):
    found = measured(fatty)
    used = found[~found["few_voxels"]]
    np.testing.assert_allclose(used["ff_mean"], used["ff_percent"], atol=0.3)


def test_truth_is_what_was_asked_for(fatty):
    truth = fatty.truth.set_index(["muscle", "side"])["ff_percent"]
    for key, percent in FAT.items():
        assert truth[key] == percent
    assert truth["gracilis", "left"] == HEALTHY_FAT_PERCENT


def test_labels_are_our_values_and_counted_in_the_truth(healthy):
    values, counts = np.unique(healthy.labels[healthy.labels > 0], return_counts=True)
    found = {
        (label_values()[v][0].name, label_values()[v][1]): c
        for v, c in zip(values, counts, strict=True)
    }
    truth = healthy.truth.set_index(["muscle", "side"])["n_voxels"].to_dict()
    assert found == truth
    assert (healthy.tissue[healthy.labels > 0] == Tissue.MUSCLE).all()


def test_tissues_look_like_themselves(healthy):
    ff = healthy.true_ff
    for tissue, low, high in (
        (Tissue.SUBCUTANEOUS_FAT, 85, 95),
        (Tissue.MARROW, 85, 95),
        (Tissue.NEIGHBOUR_MUSCLE, 3, 20),
        (Tissue.MUSCLE, 3, 20),
    ):
        assert low < np.median(ff[healthy.tissue == tissue]) < high, tissue
    air = (healthy.tissue == Tissue.AIR) & (healthy.limb == 0)
    assert np.isnan(ff[air]).all()
    total = healthy.water + healthy.fat
    bone = total[healthy.tissue == Tissue.CORTICAL_BONE]
    assert np.median(bone) < 0.5 * np.median(total[healthy.tissue == Tissue.MUSCLE])


def test_background_shows_the_stated_noise(healthy):
    air = healthy.limb == 0
    assert healthy.noise_sigma == pytest.approx(1000 / 150)
    for image in (healthy.water, healthy.fat):
        assert image.dtype == np.int16
        found = np.sqrt(np.mean(image[air].astype(float) ** 2) / 2)
        assert found == pytest.approx(healthy.noise_sigma, rel=0.03)


def test_same_input_same_output(healthy):
    again = make_phantom(Body(seed=1), SMALL)
    for field in ("water", "fat", "true_ff", "labels", "tissue", "limb", "affine"):
        np.testing.assert_array_equal(getattr(again, field), getattr(healthy, field))
    pd.testing.assert_frame_equal(again.truth, healthy.truth)


def test_a_second_scan_has_the_same_body_and_other_noise(healthy):
    second = make_phantom(Body(seed=1), dataclasses.replace(SMALL, noise_seed=1))
    np.testing.assert_array_equal(second.labels, healthy.labels)
    np.testing.assert_array_equal(second.true_ff, healthy.true_ff)
    assert (second.water != healthy.water).mean() > 0.5


def test_another_seed_is_another_person(healthy):
    other = make_phantom(Body(seed=2), SMALL)
    assert (other.labels != healthy.labels).any()


@pytest.mark.parametrize("orientation", ["LPS", "LAS", "SRA"])
def test_orientation_changes_storage_only(healthy, orientation):
    stored = make_phantom(Body(seed=1), dataclasses.replace(SMALL, orientation=orientation))
    assert stored.water.shape == ((4, 128, 88) if orientation == "SRA" else (128, 88, 4))
    for field in ("water", "fat", "labels", "tissue", "limb"):
        data, affine, _ = to_canonical(getattr(stored, field), stored.affine)
        np.testing.assert_array_equal(data, getattr(healthy, field))
        np.testing.assert_allclose(affine, healthy.affine)


def test_world_origin_is_on_the_body_axis(healthy):
    np.testing.assert_allclose(voxel_sizes(healthy.affine), SMALL.spacing)
    middle = (np.array(SMALL.shape) - 1) / 2
    np.testing.assert_allclose(healthy.affine @ [*middle, 1], [0, 0, 0, 1])
    x = healthy.affine[0, 0] * np.nonzero(healthy.limb == 1)[0] + healthy.affine[0, 3]
    assert x.max() < 0


def test_thinning_takes_volume(healthy):
    body = Body(seed=1, thinning_mm={("rectus_femoris", "left"): 2.0})
    thin = make_phantom(body, SMALL).truth.set_index(["muscle", "side"])["volume_ml"]
    full = healthy.truth.set_index(["muscle", "side"])["volume_ml"]
    assert thin["rectus_femoris", "left"] < 0.75 * full["rectus_femoris", "left"]
    assert thin["rectus_femoris", "right"] == full["rectus_femoris", "right"]


def test_distal_gain_puts_the_fat_distally():
    body = Body(seed=1, fat_percent={("vastus_lateralis", "left"): 30.0}, distal_gain=1.5)
    found = measured(make_phantom(body, SMALL)).set_index(["muscle", "side"])
    row = found.loc["vastus_lateralis", "left"]
    assert row["ff_slope"] > 1
    assert row["ff_distal"] > row["ff_proximal"] + 5


def test_one_leg_and_part_of_the_thigh():
    pose = Pose(sides=("left",), levels=(0.0, 0.05))
    phantom = make_phantom(scan=dataclasses.replace(SMALL, pose=pose))
    assert set(phantom.truth["side"]) == {"left"}
    assert "adductor_magnus" not in set(phantom.truth["muscle"])


def test_no_noise_at_infinite_snr():
    phantom = make_phantom(Body(seed=1), dataclasses.replace(SMALL, snr=np.inf))
    assert (phantom.water[phantom.limb == 0] == 0).all()
    assert phantom.noise_sigma == 0


def test_unknown_muscles_are_refused():
    assert "pectineus" in muscles()
    with pytest.raises(ValueError, match=r"no muscle \('pectineus', 'left'\)"):
        Body(fat_percent={("pectineus", "left"): 9.0})
    with pytest.raises(ValueError, match=r"no muscle \('soleus', 'right'\)"):
        Body(thinning_mm={("soleus", "right"): 1.0})


@pytest.mark.parametrize("percent", [0.0, 100.0, -3.0])
def test_impossible_fat_fractions_are_refused(percent):
    with pytest.raises(ValueError, match="not in"):
        Body(fat_percent={("gracilis", "left"): percent})
