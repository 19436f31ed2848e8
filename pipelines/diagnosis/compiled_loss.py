"""Margins, probabilities and loss for :mod:`pipelines.diagnosis.compiled_trees`.

Margins are float32 with classes along the first axis and rows along the second.
"""

import math
from typing import Any

import numpy as np

from pipelines.diagnosis.explanation.compiled import compiled


@compiled
def softmax(margins: Any, probabilities: Any) -> None:
    """Turn margins into probabilities."""
    classes, n = margins.shape
    highest = np.full(n, -np.inf, np.float32)
    total = np.zeros(n, np.float32)
    for k in range(classes):
        for i in range(n):
            highest[i] = max(highest[i], margins[k, i])
    for k in range(classes):
        for i in range(n):
            power = np.float32(math.exp(margins[k, i] - highest[i]))
            probabilities[k, i] = power
            total[i] += power
    for k in range(classes):
        for i in range(n):
            probabilities[k, i] /= total[i]


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
