import numpy as np
import pytest
from scipy import ndimage

from pipelines.errors import DataError
from pipelines.water_fat.body import body_mask, skin_depth
from tests.pipelines.water_fat.limb_phantom import Limb, Scene, dice, make_phantom

SCENES = {
    "healthy": Scene(sigma=15),
    "without noise": Scene(),
    "noisy": Scene(sigma=80),
    "zeroed background": Scene(sigma=15, zero_background=True),
    "end-stage muscle": Scene((Limb(-85, muscle_ff=90), Limb(85, muscle_ff=90)), sigma=15),
    "hardly any fat": Scene((Limb(-85, fat_mm=1.0), Limb(85, fat_mm=1.0)), sigma=15),
    "one leg": Scene((Limb(0),), sigma=15),
    "one thin limb in a large field": Scene((Limb(0, radius=35, fat_mm=4),), 15, (300, 300, 4)),
    "touching": Scene((Limb(-66), Limb(66)), sigma=15),
    "cut by the border": Scene((Limb(-150), Limb(20)), sigma=15),
    "coarse voxels": Scene(sigma=15, shape=(128, 80, 5), voxel_mm=(3, 3, 5)),
}


@pytest.mark.parametrize("name", SCENES)
def test_mask_covers_the_limbs_and_only_them(name: str) -> None:
    phantom = make_phantom(SCENES[name])
    assert dice(body_mask(phantom.total, phantom.affine), phantom.limb > 0) > 0.985


def test_outline_is_at_the_skin() -> None:
    phantom = make_phantom(Scene(sigma=15))
    body, truth = body_mask(phantom.total, phantom.affine), phantom.limb > 0
    for k in range(body.shape[2]):
        wrong = body[:, :, k] ^ truth[:, :, k]
        edge_mm = 1.6 * np.maximum(
            ndimage.distance_transform_edt(truth[:, :, k]),
            ndimage.distance_transform_edt(~truth[:, :, k]),
        )
        assert not wrong[edge_mm > 3.3].any()


def test_bone_is_body() -> None:
    phantom = make_phantom(Scene(sigma=15))
    body = body_mask(phantom.total, phantom.affine)
    cortical = np.hypot(*(np.indices(body.shape[:2]) * 1.6 - [[[106.0]], [[114.4]]])) < 12
    assert phantom.total[cortical].min() < 40  # the dark ring is really there
    assert body[cortical].all()


def test_any_contrast_gives_the_same_mask() -> None:
    phantom = make_phantom(Scene(sigma=15))
    from_sum = body_mask(phantom.total, phantom.affine)
    from_water = body_mask(phantom.water, phantom.affine)
    assert dice(from_sum, from_water) > 0.98


def test_uneven_sensitivity_does_not_matter() -> None:
    phantom = make_phantom(Scene(sigma=6))
    shading = np.linspace(0.3, 1.0, phantom.water.shape[0])[:, None, None]
    shading = shading * np.linspace(0.5, 1.0, phantom.water.shape[2])
    assert dice(body_mask(phantom.total * shading, phantom.affine), phantom.limb > 0) > 0.98


def test_the_unit_of_the_signal_does_not_matter() -> None:
    phantom = make_phantom(Scene(sigma=15))
    body = body_mask(phantom.total, phantom.affine)
    for factor in (1e-6, 1e6):
        scaled = body_mask(phantom.total.astype(np.float64) * factor, phantom.affine)
        assert dice(scaled, body) > 0.9999
    integers = np.round(phantom.total).astype(np.uint16)
    assert dice(body_mask(integers, phantom.affine), body) > 0.999


def test_padding_and_missing_values_do_not_matter() -> None:
    phantom = make_phantom(Scene(sigma=80))
    signal = phantom.total.copy()
    signal[:, :20] = 0
    signal[:3] = np.nan
    signal[60, 60, 2] = np.inf
    assert dice(body_mask(signal, phantom.affine), phantom.limb > 0) > 0.985


def test_ghosts_and_specks_are_not_body() -> None:
    phantom = make_phantom(Scene(sigma=15))
    signal = phantom.total.copy()
    signal[119:121] = np.maximum(signal[119:121], 200)  # a line 3 mm wide
    signal[30:36, 4:10] = 500  # 1 cm2
    assert dice(body_mask(signal, phantom.affine), phantom.limb > 0) > 0.985


def test_arms_are_body() -> None:
    arms = (Limb(-186, radius=30, fat_mm=4), Limb(188, radius=30, fat_mm=4))
    phantom = make_phantom(Scene((Limb(-85, radius=65), Limb(85, radius=65), *arms), sigma=15))
    body = body_mask(phantom.total, phantom.affine)
    assert body[phantom.limb > 2].mean() > 0.88


def test_slices_without_body_are_empty() -> None:
    phantom = make_phantom(Scene(sigma=15, skip=frozenset({(0, 0), (1, 0)})))
    body = body_mask(phantom.total, phantom.affine)
    assert not body[:, :, 0].any()
    assert body[:, :, 1].any()


def test_an_image_full_of_body_is_all_body() -> None:
    signal = 500 + np.random.default_rng(0).normal(0, 10, (64, 64, 3))
    assert body_mask(signal, np.diag([2.0, 2.0, 8.0, 1.0])).all()


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_an_image_without_signal_is_refused(value: float) -> None:
    with pytest.raises(DataError, match="holds no signal: its voxels are zero or not finite"):
        body_mask(np.full((32, 32, 3), value), np.eye(4))


def test_noise_alone_is_refused() -> None:
    rng = np.random.default_rng(0)
    noise = np.hypot(*rng.normal(0, 10, (2, 96, 96, 4)))
    with pytest.raises(DataError, match="image looks like noise") as caught:
        body_mask(noise, np.diag([1.6, 1.6, 8.0, 1.0]))
    assert "late echoes" in caught.value.hint


def test_a_speck_is_refused() -> None:
    signal = np.zeros((64, 64, 3))
    signal[30:34, 30:34] = 100
    with pytest.raises(DataError, match="nothing of the size of a limb stands out"):
        body_mask(signal, np.diag([1.6, 1.6, 8.0, 1.0]))


def test_four_dimensions_are_refused() -> None:
    with pytest.raises(DataError, match=r"this one has shape \(4, 4, 4, 2\)"):
        body_mask(np.ones((4, 4, 4, 2)), np.eye(4))


def test_skin_depth_grows_inwards_in_mm() -> None:
    body = np.zeros((40, 40), bool)
    body[10:30, 5:35] = True
    depth = skin_depth(body, np.diag([2.0, 1.0, 8.0, 1.0]))
    assert depth[9, 20] == 0
    assert depth[10, 20] == pytest.approx(2.0)
    assert depth[13, 20] == pytest.approx(8.0)
    assert depth[20, 7] == pytest.approx(3.0)


def test_the_image_border_is_not_skin() -> None:
    body = np.zeros((40, 40), bool)
    body[:20] = True
    depth = skin_depth(body, np.eye(4))
    assert depth[0, 20] == pytest.approx(20.0)
    assert np.isinf(skin_depth(np.ones((4, 4), bool), np.eye(4))).all()
