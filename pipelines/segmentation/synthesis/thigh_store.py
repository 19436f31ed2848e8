"""Keep completed thighs on disk: completing one takes seconds, reading one takes none."""

from pathlib import Path

import numpy as np

from pipelines.segmentation.synthesis.anatomy import Thigh

_STACKS = ("tissue", "pelvis", "depth")


def save_thigh(thigh: Thigh, path: Path) -> None:
    """Write a completed thigh to an ``.npz`` file."""
    stacks = {name: getattr(thigh, name).transpose(2, 0, 1) for name in _STACKS}
    with path.open("wb") as stream:
        np.savez(
            stream,
            **stacks,
            level=thigh.level,
            midline=np.array(thigh.midline),
            native=thigh.native,
        )


def load_thigh(path: Path) -> Thigh:
    """Read a completed thigh; its sections are contiguous in memory, as the sampler reads them."""
    with np.load(path, allow_pickle=False) as stored:
        tissue, pelvis, depth = (stored[name].transpose(1, 2, 0) for name in _STACKS)
        return Thigh(
            tissue, pelvis, depth, stored["level"], float(stored["midline"]), stored["native"]
        )
