"""Slices whose labels are not arranged as in a thigh are told from those that are."""

import numpy as np
import pytest

from pipelines.anatomy.label_maps import read_label_map
from pipelines.segmentation.review.body_parts import (
    ELSEWHERE,
    LEAST_EVIDENCE_MM,
    best_run,
    judge_slices,
    likeness,
    outside_part,
    slice_references,
)
from pipelines.segmentation.sides.limb_slices import describe_slices
from tests.pipelines.segmentation.sides.test_splitting import AFFINE, THIGH, thighs

NAMES = [label.muscle for label in THIGH]


def stack(n_thigh: int, n_other: int, thickness: float = 10.0):
    """Two thighs below slices in which the same labels lie upside down, as no limb has them."""
    one = thighs()[1][:, :, 0]
    turned = one[:, ::-1]
    labels = np.stack([one] * n_thigh + [turned] * n_other, axis=2)
    affine = AFFINE @ np.diag([1, 1, thickness / 10.0, 1])
    return labels, affine


def inside(judged, side):
    rows = judged[(judged["side"] == side) & (judged["part"] == "thigh")]
    return rows["slice"].tolist()


def test_thighs_are_thighs():
    judged = judge_slices(*stack(8, 0), THIGH, "thigh")
    assert len(judged) == 16
    assert (judged["part"] == "thigh").all()
    assert (judged["confidence"] > 0.5).all()
    assert judged["area_cm2"].iloc[0] == pytest.approx(np.pi * 5.8**2, rel=0.02)


def test_what_lies_above_is_cut_off():
    labels, affine = stack(8, 12)
    judged = judge_slices(labels, affine, THIGH, "thigh")
    for side in ("left", "right"):
        assert inside(judged, side) == list(range(8))
    outside = outside_part(labels, judged, "thigh")
    assert not outside[:, :, :8].any()
    np.testing.assert_array_equal(outside[:, :, 8:], labels[:, :, 8:] > 0)


def test_one_odd_slice_is_kept():
    labels, affine = stack(8, 1)
    assert (judge_slices(labels, affine, THIGH, "thigh")["part"] == "thigh").all()


def test_no_slice_is_a_thigh():
    judged = judge_slices(*stack(0, 10), THIGH, "thigh")
    assert (judged["part"] == ELSEWHERE).all()
    assert (judged["confidence"] > 0.5).all()


def test_maps_with_other_muscles_too():
    # MuscleMap numbers 14 muscles of each side; those without a reference do not disturb
    judged = judge_slices(*stack(8, 0), read_label_map("musclemap_thigh28"), "thigh")
    assert (judged["part"] == "thigh").all()


def test_no_reference_or_too_few_muscles():
    labels, affine = stack(2, 0)
    assert judge_slices(labels, affine, THIGH, "forearm") is None
    assert judge_slices(labels, affine, THIGH[:5], "thigh") is None


def test_nothing_labelled():
    judged = judge_slices(np.zeros((20, 20, 3), np.uint16), np.eye(4), THIGH, "thigh")
    assert judged.empty


def test_run_of_most_evidence():
    against = -LEAST_EVIDENCE_MM
    assert best_run(np.array([3.0, 20.0, 5.0])) == slice(0, 3)
    # cutting costs as much as it brings: kept
    assert best_run(np.array([0.9 * against, 20.0, 20.0])) == slice(0, 3)
    assert best_run(np.array([1.1 * against, 20.0, 20.0])) == slice(1, 3)
    # a gap inside a run is bridged if both of its sides are worth it
    assert best_run(np.array([20.0, 0.9 * against, 20.0])) == slice(0, 3)
    assert best_run(np.array([2 * against, 1.0, 2 * against])) == slice(0, 0)
    assert best_run(np.array([])) == slice(0, 0)


def test_likeness_of_equal_and_of_strange():
    found = describe_slices(*stack(1, 1), NAMES).arrangements
    alike = likeness(found, found)
    np.testing.assert_allclose(np.diag(alike), 1.0)
    # rows: left limb upright and turned, then the right limb; mirrored limbs are alike
    assert alike[0, 2] == pytest.approx(1.0, abs=0.02)
    assert alike[0, 1] < 0.4


def test_restricted_to_fewer_muscles_is_what_they_alone_give():
    labels, affine = stack(1, 0)
    kept = NAMES[:8]
    whole = describe_slices(labels, affine, NAMES).arrangements.restricted(kept)
    alone = describe_slices(labels, affine, kept).arrangements
    for name in ("share", "medial", "anterior"):
        np.testing.assert_allclose(getattr(whole, name), getattr(alone, name), atol=1e-9)


def test_references_cover_the_muscles_of_the_model():
    reference = slice_references()["thigh"]
    assert set(reference.muscles) == set(NAMES)
    assert reference.share.shape == (100, 11)
    np.testing.assert_allclose(reference.share.sum(axis=1), 1.0)
