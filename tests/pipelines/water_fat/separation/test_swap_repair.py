from dataclasses import replace

import numpy as np
import pytest

from pipelines.water_fat.body import body_mask
from pipelines.water_fat.limbs import label_limbs
from pipelines.water_fat.separation.anatomy import Anatomy
from pipelines.water_fat.separation.blocks import echo_products, make_blocks
from pipelines.water_fat.separation.field_map import (
    FieldProblem,
    choose_field,
    pose,
    voxel_field,
)
from pipelines.water_fat.separation.limb_choice import Reading
from pipelines.water_fat.separation.model import EchoModel, wrap
from pipelines.water_fat.separation.pure_tissue import Contradictions, find_contradictions
from pipelines.water_fat.separation.spectra import fat_spectrum
from pipelines.water_fat.separation.swap_repair import choose_with_anatomy
from tests.pipelines.water_fat.multi_echo_phantom import BONE, MARROW, SUBCUTANEOUS
from tests.pipelines.water_fat.separation.conftest import MakeScan, Scan

NOISE = 500.0 / 50.0


def anatomy_of(scan: Scan) -> Anatomy:
    overall = np.sqrt((np.abs(scan.echoes) ** 2).mean(axis=-1))
    affine = scan.phantom.affine
    body = body_mask(overall, affine)
    return Anatomy.of(body, label_limbs(body, affine), overall, affine)


def test_shell_and_marrow_are_found(make_scan: MakeScan) -> None:
    scan = make_scan("6pt-3T-short")
    anatomy = anatomy_of(scan)
    labels = scan.phantom.labels
    assert (labels[anatomy.shell] == SUBCUTANEOUS).mean() > 0.95
    assert (labels[anatomy.marrow & scan.phantom.tissue] == MARROW).all()
    assert anatomy.marrow[labels == MARROW].mean() > 0.5
    assert not anatomy.shell[labels == BONE].any()


Posed = tuple[Scan, Anatomy, FieldProblem, np.ndarray, Contradictions]


@pytest.fixture(scope="module")
def posed(make_scan: MakeScan) -> Posed:
    """Return a scan at 3 T with the problem of choosing its field."""
    scan = make_scan("3pt-3T-in-opposed", slices=3)
    anatomy = anatomy_of(scan)
    model = EchoModel.of(np.array(scan.protocol.echo_times_ms) / 1000, 3.0, fat_spectrum())
    blocks = make_blocks(scan.phantom.tissue & anatomy.body, scan.phantom.affine)
    signal = scan.echoes.reshape(-1, 3)[blocks.voxel].T.copy()
    products = echo_products(blocks, signal)
    problem = pose(blocks, products, model, NOISE, trust_residual=False)
    magnitudes = find_contradictions(products.power, blocks.count, model, NOISE)
    return scan, anatomy, problem, signal, magnitudes


def wrong_blocks(field: np.ndarray, scan: Scan, problem: FieldProblem) -> np.ndarray:
    truth = scan.phantom.b0.ravel()[problem.blocks.voxel]
    return np.abs(wrap((field - truth).astype(np.float32), problem.model.period_hz)) > 150


def test_a_swapped_limb_and_slice_is_solved_again(
    posed: Posed,
) -> None:
    scan, anatomy, problem, signal, magnitudes = posed
    # Evidence that lies: in the right leg of slice 1 water looks like fat and fat like water.
    candidates = problem.candidates
    share = scan.phantom.ff.ravel()[problem.blocks.voxel]
    fatty = problem.blocks.sum(share) / problem.blocks.count > 50
    x, _, z = np.unravel_index(problem.blocks.cell, problem.blocks.shape)
    lied_to = (z == 1) & (x >= problem.blocks.shape[0] // 2)
    right = (candidates.fat > candidates.water) == fatty[:, None]
    evidence = problem.evidence + np.where(lied_to[:, None], 12.0 * right, 12.0 * ~right)
    tampered = replace(problem, evidence=evidence.astype(np.float32))
    found = choose_with_anatomy([Reading(tampered, signal)], anatomy, magnitudes, use_shell=False)
    assert any(
        "1 limb slices; the field was chosen again there, and 1 of" in n for n in found.notes
    )
    swapped = choose_field(tampered)
    at_first = voxel_field(problem, swapped, (160, 96, 3))
    assert wrong_blocks(at_first, scan, problem).mean() > 0.1
    assert wrong_blocks(found.field, scan, problem).mean() < 0.005
    assert found.doubtful[lied_to].mean() > 0.5
    assert found.doubtful[~lied_to].mean() < 0.02


def test_nothing_is_repaired_where_nothing_is_swapped(
    posed: Posed,
) -> None:
    scan, anatomy, problem, signal, magnitudes = posed
    found = choose_with_anatomy([Reading(problem, signal)], anatomy, magnitudes, use_shell=True)
    assert not any("swapped" in note for note in found.notes)
    assert found.decision.probability > 0.999
    assert found.doubtful.mean() < 0.02
    assert wrong_blocks(found.field, scan, problem).mean() < 0.01
