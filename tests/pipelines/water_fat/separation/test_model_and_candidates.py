import numpy as np
import pytest

from pipelines.water_fat.separation.blocks import (
    NEIGHBOUR_STEPS,
    echo_products,
    make_blocks,
    neighbours,
)
from pipelines.water_fat.separation.candidates import (
    TRIED_R2STAR,
    field_grid,
    find_candidates,
    residual_curve,
)
from pipelines.water_fat.separation.model import EchoModel, wrap
from pipelines.water_fat.separation.spectra import fat_spectrum

EVEN = np.array([1.15, 2.11, 3.07, 4.03, 4.99, 5.95]) / 1000
UNEVEN = np.array([1.6, 3.3, 4.6, 6.9, 8.1]) / 1000


def model_of(times: np.ndarray) -> EchoModel:
    return EchoModel.of(times, 3.0, fat_spectrum())


def voxels(model: EchoModel, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return random noiseless signals (echoes, voxels) of R2* 20 and their fields."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0, 1, count)
    field = rng.uniform(-300, 300, count)
    start = np.exp(2j * np.pi * rng.uniform(0, 1, count))
    mixed = (1 - share) + share * model.fat[:, None]
    turn = np.exp((2j * np.pi * field - TRIED_R2STAR[0]) * model.times_s[:, None])
    return (start * mixed * turn).astype(np.complex64), field


def test_period_of_even_and_uneven_echoes() -> None:
    assert model_of(EVEN).period_hz == pytest.approx(1 / 0.00096, rel=1e-6)
    assert model_of(UNEVEN).period_hz is None
    field = np.array([0.0, 600.0, -1700.0], np.float32)
    np.testing.assert_allclose(wrap(field, 1000.0), [0, -400, 300])
    np.testing.assert_allclose(wrap(field, None), field)


def test_projector_removes_water_and_fat_and_nothing_else() -> None:
    model = model_of(EVEN)
    projector = model.projector(50.0)
    np.testing.assert_allclose(projector @ model.basis(50.0), 0, atol=1e-12)
    np.testing.assert_allclose(projector @ projector, projector, atol=1e-12)
    assert np.trace(projector).real == pytest.approx(model.echoes - 2)


def test_blocks_hold_every_tissue_voxel_once() -> None:
    tissue = np.random.default_rng(1).uniform(size=(13, 9, 3)) < 0.6
    blocks = make_blocks(tissue, np.diag([2.0, 2.0, 5.0, 1.0]))
    assert blocks.size == (2, 2, 1)
    assert blocks.shape == (7, 5, 3)
    assert sorted(blocks.voxel) == np.flatnonzero(tissue).tolist()
    x, y, z = np.unravel_index(blocks.voxel, tissue.shape)
    cell = np.ravel_multi_index((x // 2, y // 2, z), blocks.shape)
    np.testing.assert_array_equal(cell, np.repeat(blocks.cell, blocks.count))
    painted = blocks.paint(blocks.count.astype(float), empty=-1)
    assert painted[painted > 0].sum() == tissue.sum()


def test_neighbours_are_the_given_steps_apart_and_listed_once() -> None:
    tissue = np.ones((12, 10, 2), np.bool_)
    tissue[4:6] = False
    blocks = make_blocks(tissue, np.diag([2.0, 2.0, 5.0, 1.0]))
    pairs = neighbours(blocks)
    place = np.stack(np.unravel_index(blocks.cell, blocks.shape), axis=1)
    steps = place[pairs.second] - place[pairs.first]
    assert {tuple(step) for step in steps} == set(NEIGHBOUR_STEPS)
    np.testing.assert_allclose(pairs.distance_mm, np.linalg.norm(steps * [4, 4, 5], axis=1))
    assert len({frozenset(p) for p in zip(pairs.first, pairs.second, strict=True)}) == len(steps)


@pytest.mark.parametrize("times", [EVEN, UNEVEN])
def test_residual_curve_is_that_of_the_projected_voxels(times: np.ndarray) -> None:
    model = model_of(times)
    tissue = np.ones((4, 4, 2), np.bool_)
    blocks = make_blocks(tissue, np.diag([2.0, 2.0, 5.0, 1.0]))
    signal, _ = voxels(model, tissue.sum())
    grid = field_grid(model)
    curve = residual_curve(echo_products(blocks, signal), model, grid)
    step = grid.size // 7
    turn = np.exp(-2j * np.pi * np.multiply.outer(grid[::step], model.times_s))
    totals = []
    for r2star in TRIED_R2STAR:
        rest = np.einsum("nm,fm,mv->fnv", model.projector(r2star), turn, signal)
        totals.append(blocks.sum((np.abs(rest) ** 2).sum(axis=1)).T)
    np.testing.assert_allclose(curve[:, ::step], np.minimum(*totals), atol=2e-4)


@pytest.mark.parametrize("times", [EVEN, UNEVEN])
def test_true_field_is_among_the_candidates_of_a_noiseless_voxel_and_nearly_always_first(
    times: np.ndarray,
) -> None:
    model = model_of(times)
    tissue = np.ones((20, 20, 1), np.bool_)
    blocks = make_blocks(tissue, np.diag([4.0, 4.0, 5.0, 1.0]))
    signal, field = voxels(model, tissue.sum())
    found = find_candidates(echo_products(blocks, signal), model)
    truth = field[blocks.voxel][:, None]
    error = np.abs(wrap((found.field - truth).astype(np.float32), model.period_hz))
    # Where two explanations are nearly equal, the true one may come second.
    assert (np.where(found.exists, error, np.inf).min(axis=1) < 15).all()
    assert (error[:, 0] < 15).mean() > 0.97
    assert found.exists[:, 0].all()


def test_candidates_know_their_water_and_fat() -> None:
    model = model_of(EVEN)
    tissue = np.ones((2, 1, 1), np.bool_)
    blocks = make_blocks(tissue, np.diag([4.0, 4.0, 5.0, 1.0]))
    water = np.exp(-40 * model.times_s)
    fat = model.fat * np.exp(-40 * model.times_s)
    signal = np.stack([water, 2 * fat], axis=1).astype(np.complex64)
    found = find_candidates(echo_products(blocks, signal), model)
    assert found.fat_share[:, 0] == pytest.approx([0, 1], abs=0.05)
    assert found.fat[1, 0] == pytest.approx(4, rel=0.05)
    # The other explanations need water and fat of opposite sign.
    assert found.opposition[0, 0] < 0.01
