"""Completed thighs on disk."""

import numpy as np

from pipelines.segmentation.synthesis.thigh_store import load_thigh, save_thigh


def test_round_trip(simple_thigh, tmp_path):
    path = tmp_path / "thigh.npz"
    save_thigh(simple_thigh, path)
    loaded = load_thigh(path)
    for name in ("tissue", "pelvis", "depth", "level", "native"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(simple_thigh, name))
    assert loaded.midline == simple_thigh.midline
    assert loaded.tissue[:, :, 3].flags.c_contiguous
