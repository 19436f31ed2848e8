"""Normalization schemes against nnU-Net's own, and those that are refused."""

import numpy as np
import pytest
from nnunetv2.preprocessing.normalization import default_normalization_schemes as theirs

from pipelines.errors import ModelError
from pipelines.segmentation.plans.intensities import (
    IntensityScheme,
    normalize_channel,
    read_schemes,
)
from tests.pipelines.segmentation.tiny_models import plans

CT = {"mean": 90.0, "std": 25.0, "percentile_00_5": 20.0, "percentile_99_5": 150.0}
SCHEMES = (
    "ZScoreNormalization",
    "CTNormalization",
    "NoNormalization",
    "RescaleTo01Normalization",
)


@pytest.fixture
def image():
    return np.random.default_rng(0).gamma(2.0, 40.0, (6, 20, 24)).astype(np.float32)


@pytest.fixture
def inside(image):
    mask = np.zeros(image.shape, bool)
    mask[1:5, 3:17, 2:20] = True
    return mask


@pytest.mark.parametrize("inside_only", [True, False])
@pytest.mark.parametrize("name", SCHEMES)
def test_schemes_agree_with_nnunet(image, inside, name, inside_only):
    scheme = IntensityScheme(name, inside_only, CT)
    before = image.copy()
    ours = normalize_channel(image, scheme, inside if inside_only else None)
    np.testing.assert_array_equal(image, before)
    assert ours.dtype == np.float32
    their_scheme = getattr(theirs, name)(use_mask_for_norm=inside_only, intensityproperties=CT)
    marked = np.where(inside, 0, -1)  # nnU-Net's mark for what lies outside
    np.testing.assert_allclose(ours, their_scheme.run(before, marked), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["ZScoreNormalization", "RescaleTo01Normalization"])
def test_constant_images_become_zero(name):
    image = np.full((2, 3, 4), 7.0, np.float32)
    scheme = IntensityScheme(name, False, {})
    np.testing.assert_array_equal(normalize_channel(image, scheme, None), 0)


def read(content):
    return read_schemes(content, content["configurations"]["2d"], 2, "model")


@pytest.mark.parametrize("key", ["per_channel", "by_modality"])
def test_schemes_are_read_from_the_plans(key):
    content = plans()
    configuration = content["configurations"]["2d"]
    configuration["normalization_schemes"] = ["CTNormalization", "ZScoreNormalization"]
    configuration["use_mask_for_norm"] = [False, True]
    del content["foreground_intensity_properties_per_channel"]
    content[f"foreground_intensity_properties_{key}"] = {"0": CT, "1": {}}
    assert read(content) == (
        IntensityScheme("CTNormalization", False, CT),
        IntensityScheme("ZScoreNormalization", True, {}),
    )


def test_unknown_scheme_is_refused():
    content = plans(normalization="RGBTo01Normalization")
    with pytest.raises(ModelError, match="normalize channel 0 with 'RGBTo01Norm") as caught:
        read(content)
    assert "CTNormalization, NoNormalization, RescaleTo01" in caught.value.hint


def test_missing_figures_are_named():
    content = plans(normalization="CTNormalization")
    content["foreground_intensity_properties_per_channel"]["0"] = {"mean": 1.0, "std": 2.0}
    with pytest.raises(ModelError, match=r"lack its percentile_00_5, percentile_99_5"):
        read(content)
