"""Read the trees of a stored XGBoost booster (UBJSON), with no other part of it brought to life.

XGBoost's own ways to get at its trees (JSON or text dumps) take seconds per booster; an ensemble
has up to a hundred boosters with thousands of trees each. The small part around the trees is read
in Python, the trees themselves are scanned by compiled code.
"""

import json
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.arrays import Float64, Int64, UInt8
from pipelines.diagnosis.explanation.trees.scan import TREE_ARRAYS, scan_trees
from pipelines.errors import ModelError

_NUMBERS = {"i": ">b", "U": ">B", "I": ">h", "l": ">i", "L": ">q", "d": ">f", "D": ">d"}
_CONSTANTS = {"Z": None, "T": True, "F": False}


@dataclass(frozen=True)
class BoosterFile:
    """What a stored booster of T trees and K classes holds."""

    content: UInt8  # the file
    tree_class: Int64  # (T,): class each tree votes for
    offsets: Int64  # (T, 7): where the arrays of TREE_ARRAYS begin in the file
    counts: Int64  # (T, 7): their numbers of values
    features: int
    base: Float64  # (K,): margin before the first tree


def read_booster(data: bytes, source: str) -> BoosterFile:
    """Locate the trees of a multi-class tree booster (``xgboost.Booster.save_raw('ubj')``).

    `source` is how messages name it.
    """
    reader = _Reader(data)
    try:
        learner = reader.value()["learner"]
        booster = learner["gradient_booster"]
        model = booster["model"]
        parameters = learner["learner_model_param"]
        classes, features = int(parameters["num_class"]), int(parameters["num_feature"])
        base = np.atleast_1d(np.array(json.loads(parameters["base_score"]), dtype=np.float64))
        tree_class = np.array(model["tree_info"], dtype=np.int64)
    except (KeyError, IndexError, TypeError, ValueError, struct.error, RecursionError) as error:
        raise ModelError(
            f"{source} is not a booster as XGBoost stores it ({type(error).__name__}: {error}).",
            "Store the model again.",
        ) from error
    # From version 3.3 on, XGBoost stores DART as plain trees with a weight each.
    kind = "dart" if model.get("weight_drop") else booster["name"]
    if kind != "gbtree" or reader.offsets is None:
        raise ModelError(f"{source} is a booster of kind {kind!r}, not of trees.")
    one_output = set(tree_class.tolist()) == set(range(classes))
    if classes < 2 or not one_output or len(tree_class) != len(reader.offsets):
        raise ModelError(
            f"{source} has no tree of its own for each class.",
            "Models with one output only, or with several per tree, cannot be explained.",
        )
    if base.size not in (1, classes):
        raise ModelError(f"{source} has {base.size} base scores for {classes} classes.")
    return BoosterFile(
        np.frombuffer(data, np.uint8),
        tree_class,
        reader.offsets,
        reader.counts,
        features,
        np.broadcast_to(base, (classes,)),
    )


class _Reader:
    """Reads UBJSON (ubjson.org, draft 12) as far as XGBoost uses it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self.offsets: Int64 | None = None
        self.counts = np.zeros((0, len(TREE_ARRAYS)), np.int64)

    def value(self) -> Any:
        """Read the value at the current position."""
        return self._typed(self._character())

    def _typed(self, kind: str) -> Any:
        if kind == "{":
            return self._object()
        if kind == "[":
            return self._array()
        if kind == "S":
            return self._text()
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        return self._number(kind)

    def _character(self) -> str:
        self._position += 1
        return chr(self._data[self._position - 1])

    def _peek(self) -> str:
        return chr(self._data[self._position])

    def _number(self, kind: str) -> Any:
        if kind not in _NUMBERS:
            raise ValueError(f"unknown type {kind!r} at byte {self._position}")
        (number,) = struct.unpack_from(_NUMBERS[kind], self._data, self._position)
        self._position += struct.calcsize(_NUMBERS[kind])
        return number

    def _length(self) -> int:
        length = self._number(self._character())
        if not 0 <= length <= len(self._data):
            raise ValueError(f"impossible length {length} at byte {self._position}")
        return int(length)

    def _text(self) -> str:
        length = self._length()
        self._position += length
        if self._position > len(self._data):
            raise ValueError("the file ends within a text")
        return self._data[self._position - length : self._position].decode("utf-8")

    def _object(self) -> dict[str, Any]:
        content: dict[str, Any] = {}
        while self._peek() != "}":
            name = self._text()
            if name == "trees" and self.offsets is None:
                self._trees()
                content[name] = None
            else:
                content[name] = self.value()
        self._position += 1
        return content

    def _array(self) -> list[Any]:
        kind = None
        if self._peek() == "$":
            self._position += 1
            kind = self._character()
        if self._peek() != "#":
            if kind is not None:
                raise ValueError(f"array without a length at byte {self._position}")
            items = []
            while self._peek() != "]":
                items.append(self.value())
            self._position += 1
            return items
        self._position += 1
        length = self._length()
        return [self.value() if kind is None else self._typed(kind) for _ in range(length)]

    def _trees(self) -> None:
        """Scan the list of trees instead of reading it."""
        if self._data[self._position : self._position + 2] != b"[#":
            raise ValueError("trees are not a list with a length")
        self._position += 2
        length = self._length()
        end, self.offsets, self.counts = scan_trees(self._data, self._position, length)
        self._position = end
