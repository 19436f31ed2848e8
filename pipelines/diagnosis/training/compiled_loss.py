"""Margins, probabilities and loss for :mod:`pipelines.diagnosis.training.compiled_trees`.

Margins are float32 with classes along the first axis and rows along the second.
"""

import math
from typing import Any

import numpy as np

from pipelines.diagnosis.compiled import compiled

_LOG2_E = np.float32(1.4426950)
# The logarithm of 2 in two parts, the first with so few digits that products with it are exact.
_LOG_2 = np.float32(0.693359375)
_LOG_2_REST = np.float32(-2.1219444e-4)
# Margins further below the highest one count as this far: exp(-87) is about the smallest float32.
_LOWEST = np.float32(-87.0)


@compiled
def softmax(margins: Any, probabilities: Any) -> None:
    """Turn margins into probabilities."""
    classes, n = margins.shape
    highest = np.full(n, -np.inf, np.float32)
    total = np.zeros(n, np.float32)
    exponents = np.empty(n, np.int32)
    for k in range(classes):
        for i in range(n):
            highest[i] = max(highest[i], margins[k, i])
    for k in range(classes):
        _exponentiate(margins[k], highest, probabilities[k], exponents)
        for i in range(n):
            total[i] += probabilities[k, i]
    for k in range(classes):
        for i in range(n):
            probabilities[k, i] /= total[i]


@compiled
def _exponentiate(margins: Any, highest: Any, powers: Any, exponents: Any) -> None:
    """Set powers to exp(margins - highest), to 4e-7 of their value.

    Written out so that the compiler works on many rows at a time, which a call of the library's
    exp would prevent: 2^n times the Taylor series of what is left, which is at most ln(2) / 2.
    """
    two_to_n = exponents.view(np.float32)
    for i in range(len(margins)):
        x = max(margins[i] - highest[i], _LOWEST)
        n = np.int32(x * _LOG2_E - np.float32(0.5))
        rest = x - n * _LOG_2 - n * _LOG_2_REST
        power = np.float32(1 / 5040)
        power = power * rest + np.float32(1 / 720)
        power = power * rest + np.float32(1 / 120)
        power = power * rest + np.float32(1 / 24)
        power = power * rest + np.float32(1 / 6)
        power = power * rest + np.float32(0.5)
        power = power * rest + np.float32(1.0)
        powers[i] = power * rest + np.float32(1.0)
        # The bits of 2^n as a float32: the exponent, with a bias of 127, above 23 other bits.
        exponents[i] = (n + np.int32(127)) << np.int32(23)
    for i in range(len(margins)):
        powers[i] *= two_to_n[i]


@compiled
def copy(target: Any, source: Any) -> None:
    """Copy margins."""
    for k in range(source.shape[0]):
        for i in range(source.shape[1]):
            target[k, i] = source[k, i]


@compiled
def log_loss(margins: Any, y: Any) -> float:
    """Return the mean log loss."""
    probabilities = np.empty_like(margins)
    softmax(margins, probabilities)
    loss = 0.0
    for i in range(len(y)):
        loss -= math.log(max(probabilities[y[i], i], 1e-16))
    return loss / len(y)
