"""One limb and a model that knows pairs: completed with its mirror image, the right way round."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.segmentation import segment as segment_module
from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.catalogue.registry import read_registry
from pipelines.segmentation.inference.predict import load_segmenter
from pipelines.segmentation.segment import segment
from pipelines.segmentation.sides.single_limb import (
    GAP_VOXELS,
    find_limbs,
    limb_columns,
    predict_single_limb,
)
from pipelines.water_fat.dixon import fat_fraction_from_water_fat
from pipelines.water_fat.limbs import Limbs
from tests.pipelines.segmentation.tiny_models import SPACING

AFFINE = np.diag([SPACING, SPACING, 6.0, 1.0])
LATERAL, MEDIAL = 2, 1


def pair_network(tiles):
    """Finds muscles only in a pair: its outermost columns on both sides must be lateral."""
    classes = np.arange(3, dtype=np.float32).reshape(3, 1, 1)
    for tile in tiles:
        signal = tile[0].round()
        columns = np.flatnonzero((signal > 0).any(axis=0))
        ends = signal[:, [columns[0], columns[-1]]].max(axis=0)
        found = signal if (ends == LATERAL).all() else np.zeros_like(signal)
        yield -10 * (found - classes) ** 2


@pytest.fixture(scope="module")
def segmenter(trained_folder, tmp_path_factory):
    files = open_model(
        str(trained_folder),
        read_registry(),
        cache_dir=tmp_path_factory.mktemp("cache"),
        trust_model=True,
    )
    loaded = load_segmenter(files, device="cpu", backend="torch")
    # one tile for the whole image, as the rule of the network needs
    plan = replace(loaded.plan, patch_size=(120, 560))
    return replace(loaded, plan=plan, folds=(pair_network,))


def limb_scan(side):
    """One limb whose lateral part has value 2, its medial part 1."""
    channels = np.zeros((2, 64, 40, 3), np.float32)
    lateral, medial = (
        (slice(12, 22), slice(22, 40))
        if side == "left"
        else (
            slice(30, 40),
            slice(12, 30),
        )
    )
    channels[0, lateral, 8:30] = LATERAL
    channels[0, medial, 8:30] = MEDIAL
    return channels


@pytest.mark.parametrize("side", ["left", "right"])
def test_limb_is_completed_on_its_medial_side(segmenter, side):
    channels = limb_scan(side)
    steps = []
    found, check = predict_single_limb(
        channels,
        slice(8, 44),
        AFFINE,
        segmenter,
        lambda done, total: steps.append(done / total),
    )
    np.testing.assert_array_equal(found.labels, channels[0])
    assert (found.probability[:8] == 255).all()
    # the pair has twice the limb's volume; half of it is reported
    assert found.soft_voxels[LATERAL].sum() == pytest.approx(
        (channels[0] == LATERAL).sum(), rel=0.01
    )
    assert (check.name, check.level) == ("mirrored_limb", "warn")
    assert f"found most muscle as a {side} limb, beside its mirror image" in check.text
    assert steps == sorted(steps)
    assert steps[-1] == 1.0


def test_image_as_it_is_stays_in_the_running(segmenter):
    # already a pair, taken for a single limb by mistake
    channels = np.concatenate([limb_scan("left"), limb_scan("left")[:, ::-1]], axis=1)
    found, check = predict_single_limb(channels, slice(8, 120), AFFINE, segmenter)
    np.testing.assert_array_equal(found.labels, channels[0])
    assert "found most muscle alone." in check.text


def discs(*centres):
    x, y = np.meshgrid(*(SPACING * np.arange(n) for n in (260, 120)), indexing="ij")
    limb = np.zeros((260, 120), bool)
    for centre in centres:
        limb |= np.hypot(x - centre, y - 90) < 60
    noise = np.abs(np.random.default_rng(0).normal(0, 0.02, (2, 260, 120, 4)))
    return (noise + limb[None, :, :, None]).astype(np.float32)


def test_columns_of_a_single_limb():
    columns = limb_columns(find_limbs(discs(200), AFFINE))
    assert columns.start == pytest.approx(140 / SPACING - GAP_VOXELS, abs=2)
    assert columns.stop == pytest.approx(260 / SPACING + GAP_VOXELS, abs=2)


def test_pair_is_not_completed():
    assert limb_columns(find_limbs(discs(90, 260), AFFINE)) is None


@pytest.mark.parametrize("pair_only", [True, False])
def test_only_models_of_pairs_get_mirror_images(segmenter, pair_only):
    channels = np.zeros((2, 260, 120, 4), np.float32)
    body = discs(200)[0] > 0.5
    channels[0] = np.where(body, MEDIAL, 0)
    channels[0, :110][body[:110]] = LATERAL
    files = replace(segmenter.files, limb_pair=pair_only)
    images = {"water": channels[0], "fat": channels[1]}
    result = segment(images, AFFINE, replace(segmenter, files=files))
    assert result.provenance["MirrorCompletion"] is pair_only
    assert ("mirrored_limb" in {check.name for check in result.checks}) is pair_only
    assert result.labels.any() == pair_only


def test_limbs_that_were_found_before_are_not_sought_again(segmenter, monkeypatch):
    water, fat = discs(200)
    images = {"water": water, "fat": fat}
    files = replace(segmenter.files, limb_pair=True)
    pairs = replace(segmenter, files=files)
    sought = segment(images, AFFINE, pairs)
    limbs = fat_fraction_from_water_fat(water, fat, AFFINE).limbs

    def never(*_):
        raise AssertionError("sought")

    monkeypatch.setattr(segment_module, "find_limbs", never)
    given = segment(images, AFFINE, pairs, limbs=limbs)
    np.testing.assert_array_equal(given.labels, sought.labels)
    assert given.provenance == sought.provenance
    assert given.provenance["MirrorCompletion"]


def test_columns_leave_out_arms():
    labels = np.zeros((90, 20, 3), np.uint8)
    labels[30:50] = 1
    columns = limb_columns(Limbs(labels, ("single",)))
    assert (columns.start, columns.stop) == (30 - GAP_VOXELS, 50 + GAP_VOXELS)
