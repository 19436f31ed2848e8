"""Probabilities against scipy."""

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.special import softmax as expected_softmax

from pipelines.diagnosis.training.compiled_loss import log_loss, softmax


@pytest.mark.parametrize("spread", [0.0, 0.3, 4.0, 30.0, 1000.0])
def test_softmax(spread):
    margins = np.random.default_rng(0).normal(0, spread, (20, 999)).astype(np.float32)
    found = np.empty_like(margins)

    softmax(margins, found)

    expected = expected_softmax(margins.astype(np.float64), axis=0)
    # Margins of 100 are known to 4e-6 in single precision, and so are their powers.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-36)


def test_exponential_over_its_whole_range():
    # Against a class at 0, a margin's probability is exp / (1 + exp).
    low = np.linspace(-87, 0, 200_001, dtype=np.float32)
    margins = np.stack([np.zeros_like(low), low])
    found = np.empty_like(margins)

    softmax(margins, found)

    powers = np.exp(low.astype(np.float64))
    np.testing.assert_allclose(found[1], powers / (1 + powers), rtol=6e-7)


def test_far_margins_have_no_probability_and_no_nan():
    margins = np.array([[0.0], [-1e30], [-np.inf]], np.float32)
    found = np.empty_like(margins)

    softmax(margins, found)

    assert found[:, 0].tolist() == pytest.approx([1.0, 0.0, 0.0], abs=1e-37)


def test_log_loss():
    random = np.random.default_rng(1)
    margins = random.normal(0, 3, (5, 200)).astype(np.float32)
    y = random.integers(0, 5, 200)

    expected = -log_softmax(margins.astype(np.float64), axis=0)[y, np.arange(200)].mean()
    assert log_loss(margins, y) == pytest.approx(expected, rel=1e-6)
