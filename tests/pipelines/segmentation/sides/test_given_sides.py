"""Sides that labels state are compared with where they lie."""

import numpy as np
import pytest

from pipelines.anatomy.vocabulary import muscles
from pipelines.segmentation.sides.given_sides import check_given_sides
from tests.pipelines.segmentation.sides.test_splitting import AFFINE, thighs


@pytest.fixture
def labels():
    return thighs()[1]


def exchanged(labels, muscle=None):
    """Call the left labels right and the right ones left."""
    digit = labels % 10
    chosen = labels > 0 if muscle is None else labels // 10 == muscles()[muscle].index
    return np.where(chosen, labels - digit + 3 - digit, labels).astype(np.uint16)


def test_right_sides(labels):
    check = check_given_sides(labels, AFFINE)
    assert (check.level, check.value) == ("pass", 0.0)


def test_all_sides_exchanged(labels):
    check = check_given_sides(exchanged(labels), AFFINE)
    assert (check.level, check.value) == ("fail", 11.0)


def test_one_muscle_exchanged(labels):
    check = check_given_sides(exchanged(labels, "gracilis"), AFFINE)
    assert (check.level, check.value) == ("fail", 1.0)
    assert "gracilis" in check.text


def test_mirrored_in_the_image(labels):
    assert check_given_sides(labels[::-1], AFFINE).level == "fail"


def test_upside_down(labels):
    check = check_given_sides(labels[:, ::-1], AFFINE)
    assert check.level == "warn"
    assert "left and right limb" in check.text


@pytest.mark.parametrize(("called", "level"), [("left", "pass"), ("right", "warn")])
def test_one_limb(labels, called, level):
    labels[labels % 10 == 2] = 0
    given = labels if called == "left" else exchanged(labels)
    assert check_given_sides(given, AFFINE).level == level
