"""With its tiles and without the cut to the body, our labels are those of nnU-Net's predictor."""

import contextlib
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.catalogue.registry import read_registry
from pipelines.segmentation.inference.predict import load_segmenter, predict_labels
from tests.pipelines.segmentation.tiny_models import SPACING, disc_scan

# Its logits are float16 and interpolated in another order, which turns voxels on borders.
LEAST_AGREEMENT = 0.9995


@pytest.fixture(scope="module")
def segmenter(trained_folder, tmp_path_factory):
    files = open_model(
        str(trained_folder),
        read_registry(),
        cache_dir=tmp_path_factory.mktemp("cache"),
        trust_model=True,
    )
    return load_segmenter(files, device="cpu", threads=1, tile_step=0.5, body_cut=False)


@pytest.fixture(scope="module")
def predictor(trained_folder):
    with contextlib.redirect_stdout(io.StringIO()):
        made = nnUNetPredictor(
            use_mirroring=False,
            perform_everything_on_device=False,
            device=torch.device("cpu"),
            allow_tqdm=False,
        )
        made.initialize_from_trained_model_folder(str(trained_folder), use_folds=(0,))
    return made


def scan(shape, spacing):
    """Discs in a limb that leaves much air on one side."""
    channels, affine, _ = disc_scan(shape, spacing, seed=7)
    air = np.abs(np.random.default_rng(8).normal(0, 0.02, (2, 60, *shape[1:])))
    return np.concatenate([air.astype(np.float32), channels], axis=1), affine


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((150, 140, 5), (0.8, 0.8, 12.0)),
        ((80, 75, 5), (SPACING, SPACING, 6.0)),
        ((60, 60, 6), (2.0, 2.0, 5.0)),  # slices too thin to be treated one by one
    ],
)
def test_labels_are_those_of_nnunet(segmenter, predictor, shape, spacing):
    channels, affine = scan(shape, spacing)
    ours = predict_labels(channels, affine, segmenter).labels
    stored = np.ascontiguousarray(channels.transpose(0, 3, 2, 1))
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = predictor.predict_single_npy_array(stored, {"spacing": list(spacing[::-1])})
    assert set(np.unique(ours)) == {0, 1, 2}
    assert (ours == theirs.transpose(2, 1, 0)).mean() >= LEAST_AGREEMENT


def test_cut_to_the_body_moves_the_tiles(segmenter):
    channels, affine = scan((80, 75, 5), (SPACING, SPACING, 6.0))
    seen = {}

    def spy(tiles):
        for tile in tiles:
            seen[cut].append(tile.copy())
            yield np.zeros((3, *tile.shape[1:]), np.float32)

    for cut in (False, True):
        seen[cut] = []
        predict_labels(channels, affine, replace(segmenter, folds=(spy,), body_cut=cut))
    # 140 columns of 64: four tiles in a row; the body and 15 mm of air fit into fewer
    assert len(seen[True]) < len(seen[False])
