import numpy as np
import pytest

from pipelines.water_fat.separation.model import TYPICAL_R2STAR, EchoModel
from pipelines.water_fat.separation.neighbourhood import Neighbourhood, Spread, fat_class
from pipelines.water_fat.separation.refinement import refine, solve
from pipelines.water_fat.separation.spectra import fat_spectrum

SHAPE = (40, 30, 2)
MODEL = EchoModel.of(1.15e-3 + 0.96e-3 * np.arange(6), 3.0, fat_spectrum())


def field_of(shape: tuple[int, ...]) -> np.ndarray:
    x, y, z = np.indices(shape)
    return (60 * np.sin(x / 12) + 2 * y - 30 * z).astype(np.float32).ravel()


def signals(
    share: np.ndarray, field: np.ndarray, r2star: np.ndarray, noise: float = 0.0
) -> np.ndarray:
    mixed = (1 - share) + share * MODEL.fat[:, None]
    turn = np.exp((2j * np.pi * field - r2star) * MODEL.times_s[:, None] + 0.4j)
    rng = np.random.default_rng(0)
    scatter = rng.normal(0, noise, (2, *mixed.shape)) if noise else np.zeros((2, 1, 1))
    return (mixed * turn + scatter[0] + 1j * scatter[1]).astype(np.complex64)


def test_solve_returns_the_truth_for_the_true_field_and_decay() -> None:
    rng = np.random.default_rng(1)
    share, field, r2star = (
        rng.uniform(0, 1, 50),
        rng.uniform(-200, 200, 50),
        rng.uniform(20, 80, 50),
    )
    found = solve(
        signals(share, field, r2star), field.astype(np.float32), r2star.astype(np.float32), MODEL
    )
    np.testing.assert_allclose(found.fat, share * np.exp(0.4j), atol=2e-5)
    np.testing.assert_allclose(found.water, (1 - share) * np.exp(0.4j), atol=2e-5)
    assert found.residual.max() < 1e-8


@pytest.mark.parametrize("start_error", [-30.0, 0.0, 30.0])
def test_refinement_finds_field_decay_and_fat(start_error: float) -> None:
    voxel = np.arange(np.prod(SHAPE))
    field = field_of(SHAPE)
    share = np.full(field.size, 0.3)
    signal = signals(share, field, np.full(field.size, 65.0))
    found = refine(signal, field + np.float32(start_error), voxel, SHAPE, MODEL, noise=0.001)
    np.testing.assert_allclose(found.field, field, atol=0.2)
    np.testing.assert_allclose(found.r2star, 65, atol=0.5)
    np.testing.assert_allclose(np.abs(found.fat), 0.3, atol=1e-3)


def test_sharing_the_decay_takes_noise_out_of_the_fat_fraction() -> None:
    voxel = np.arange(np.prod(SHAPE))
    field = field_of(SHAPE)
    signal = signals(np.zeros(field.size), field, np.full(field.size, 40.0), noise=0.05)
    shared = refine(signal, field, voxel, SHAPE, MODEL, noise=0.05)
    # Every voxel for itself: 3600 images of one voxel each.
    alone = refine(signal, field, voxel, (1, 1, voxel.size), MODEL, noise=1e-6)
    assert shared.r2star.std() < 0.5 * alone.r2star.std()
    assert (shared.fat / shared.water).real.std() < (alone.fat / alone.water).real.std()


def test_window_sum_counts_neighbours_in_the_plane_and_only_tissue() -> None:
    tissue = np.ones(SHAPE, np.bool_)
    tissue[0] = False
    voxel = np.flatnonzero(tissue)
    neighbours = Neighbourhood(voxel, SHAPE)
    counted = np.zeros(SHAPE)
    counted.ravel()[voxel] = neighbours.window_sum(np.ones(voxel.size, np.float32), 3)
    np.testing.assert_allclose(counted[5, 5], 9, rtol=1e-5)
    np.testing.assert_allclose(counted[1, 5], 6, rtol=1e-5)
    np.testing.assert_allclose(counted[1, 0], 4, rtol=1e-5)


def test_average_of_a_uniform_quantity_is_that_quantity_and_falls_back_without_information() -> (
    None
):
    voxel = np.arange(np.prod(SHAPE))
    neighbours = Neighbourhood(voxel, SHAPE)
    weight = np.full(voxel.size, 1e3, np.float32)
    spread = Spread(TYPICAL_R2STAR, 30.0)
    sure = neighbours.average(55 * weight, weight, 0.05, spread)
    np.testing.assert_allclose(sure, 55, rtol=1e-4)
    unsure = neighbours.average(55 * weight * 1e-12, weight * 1e-12, 0.05, spread)
    np.testing.assert_allclose(unsure, TYPICAL_R2STAR, atol=1)


def test_fat_does_not_impose_its_decay_on_muscle() -> None:
    voxel = np.arange(np.prod(SHAPE))
    x = np.indices(SHAPE)[0].ravel()
    fatty = (x >= 20).astype(np.float32)
    value = np.where(x >= 20, 20, 70).astype(np.float32)
    weight = np.where(x >= 20, 9e3, 1e3).astype(np.float32)
    neighbours = Neighbourhood(voxel, SHAPE)
    spread = Spread(TYPICAL_R2STAR, 30.0)
    apart = neighbours.average(value * weight, weight, 0.05, spread, fatty)
    np.testing.assert_allclose(apart, value, rtol=1e-3)
    together = neighbours.average(value * weight, weight, 0.05, spread)
    assert together[x == 19].mean() < 50


def test_fat_class_passes_from_lean_to_fatty() -> None:
    fat = np.array([0.0, 0.3, 0.5, 0.7, 1.0], np.float32)
    np.testing.assert_allclose(fat_class(1 - fat, fat), [0, 0, 0.5, 1, 1], atol=1e-6)
