"""Shared by the tests of segmentation: a small trained model, and simple anatomy."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.pipelines.segmentation.tiny_models import train, write_model


@pytest.fixture(scope="session")
def checkpoint() -> dict[str, Any]:
    """Checkpoint of the trained 2D network."""
    return train(three_dimensional=False)


@pytest.fixture(scope="session")
def checkpoint_3d() -> dict[str, Any]:
    """Checkpoint of the trained 3D network (6 mm slices)."""
    return train(three_dimensional=True)


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory, checkpoint: dict[str, Any]) -> Path:
    """Results folder of the trained 2D model; do not change it."""
    return write_model(tmp_path_factory.mktemp("model"), checkpoint)


@pytest.fixture
def model_folder(tmp_path: Path, trained_folder: Path) -> Path:
    """A copy of the model that a test may damage."""
    target = tmp_path / trained_folder.name
    shutil.copytree(trained_folder, target)
    return target


@pytest.fixture(scope="session")
def simple_thigh() -> Any:
    """Two round thighs of eleven sectors around a femur, the same in all twelve sections."""
    from pipelines.segmentation.synthesis.anatomy import Thigh
    from pipelines.segmentation.synthesis.canvas import CANVAS_SHAPE, PIXEL_MM
    from pipelines.segmentation.synthesis.tissues import CORTEX, FAT, MARROW

    x, y = np.meshgrid(*(np.arange(n) for n in CANVAS_SHAPE), indexing="ij")
    section = np.zeros(CANVAS_SHAPE, np.uint8)
    depth = np.full(CANVAS_SHAPE, -200.0)
    for center in (110, 274):
        radius = np.hypot(x - center, y - 120)
        sector = (np.arctan2(y - 120, x - center) + np.pi) / (2 * np.pi) * 11
        inside = radius < 60
        section[inside] = FAT
        section[radius < 56] = 1 + np.clip(sector[radius < 56], 0, 10).astype(np.uint8)
        section[radius < 12] = CORTEX
        section[radius < 8] = MARROW
        depth = np.maximum(depth, (60 - radius) * PIXEL_MM)
    sections = 12
    return Thigh(
        tissue=np.repeat(section[..., None], sections, axis=2),
        pelvis=np.full((*CANVAS_SHAPE, sections), FAT, np.uint8),
        depth=np.repeat(depth[..., None].astype(np.float16), sections, axis=2),
        level=np.linspace(-0.2, 1.2, sections),
        midline=191.5,
        native=np.arange(sections) % 3 == 0,
    )
