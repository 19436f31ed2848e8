"""Find the arrays of the trees in a stored booster, without reading what is not needed."""

# ruff: noqa: PLR0917
# Compiled functions take their arrays one by one.
from collections.abc import Mapping

import numpy as np

from pipelines.arrays import Int64
from pipelines.diagnosis.explanation.trees.compiled import compiled

# Arrays of a tree that are needed, with the UBJSON type XGBoost gives their values.
TREE_ARRAYS: Mapping[str, str] = {
    "left_children": "l",
    "right_children": "l",
    "split_indices": "l",
    "split_conditions": "d",
    "sum_hessian": "d",
    "default_left": "U",
    "split_type": "U",
}


def scan_trees(data: bytes, start: int, trees: int) -> tuple[int, Int64, Int64]:
    """Scan a list of trees: return its end, and offsets and counts of arrays, each (trees, 7).

    `start` is the position of the first tree. Offsets say where the arrays of ``TREE_ARRAYS``
    begin, counts how many values they have.
    """
    names = np.zeros((len(TREE_ARRAYS), 32), np.uint8)
    for row, name in zip(names, TREE_ARRAYS, strict=True):
        row[: len(name)] = np.frombuffer(name.encode(), np.uint8)
    sizes = np.array([len(name) for name in TREE_ARRAYS])
    kinds = np.array([ord(kind) for kind in TREE_ARRAYS.values()], np.uint8)
    offsets = np.full((trees, len(TREE_ARRAYS)), -1, np.int64)
    counts = np.zeros_like(offsets)
    content = np.frombuffer(data, np.uint8)
    end = int(_scan(content, start, names, sizes, kinds, offsets, counts))
    if end < 0:
        raise ValueError(f"tree {-end - 1} cannot be read")
    if (offsets < 0).any() or (counts != counts[:, :1]).any() or (counts < 1).any():
        raise ValueError("a tree lacks some of its arrays")
    return end, offsets, counts


@compiled
def _width(kind):  # type: ignore[no-untyped-def]
    """Return the number of bytes of a number or constant; -1 for anything else."""
    if kind in (ord("i"), ord("U"), ord("C")):
        return 1
    if kind == ord("I"):
        return 2
    if kind in (ord("l"), ord("d")):
        return 4
    if kind in (ord("L"), ord("D")):
        return 8
    if kind in (ord("Z"), ord("T"), ord("F")):
        return 0
    return -1


@compiled
def _length_at(content, at):  # type: ignore[no-untyped-def]
    """Return a length and the position after it; -1 if there is none."""
    if at + 9 > content.size or content[at] != ord("L"):
        return -1, at
    length = np.int64(0)
    for byte in content[at + 1 : at + 9]:
        length = (length << np.int64(8)) | np.int64(byte)
    if length < 0 or length > content.size:
        return -1, at
    return length, at + 9


@compiled
def _array_at(content, at):  # type: ignore[no-untyped-def]
    """Read the head of an array: type of its values, their number and position, and its end.

    The end is -1 if it is no array of numbers; an untyped array may only be empty.
    """
    kind = np.uint8(0)
    if at + 2 < content.size and content[at] == ord("$"):
        kind = content[at + 1]
        at += 2
    if at >= content.size or content[at] != ord("#"):
        return kind, 0, at, -1
    length, at = _length_at(content, at + 1)
    width = _width(kind)
    if kind == 0 and length == 0:
        width = 0
    if length < 0 or width < 0 or at + length * width > content.size:
        return kind, 0, at, -1
    return kind, length, at, at + length * width


@compiled
def _scalar_end(content, at, kind):  # type: ignore[no-untyped-def]
    """Return the position after a number, constant or text; -1 if it is none of them."""
    if kind == ord("S"):
        length, at = _length_at(content, at)
        return at + length if length >= 0 else -1
    width = _width(kind)
    return at + width if width >= 0 else -1


@compiled
def _row_of(content, at, size, kind, names, sizes, kinds):  # type: ignore[no-untyped-def]
    """Return which of the wanted arrays has this name and type, or -1."""
    for row in range(names.shape[0]):
        if sizes[row] != size or kinds[row] != kind:
            continue
        same = True
        for i in range(size):
            same = same and names[row, i] == content[at + i]
        if same:
            return row
    return -1


@compiled
def _scan(content, at, names, sizes, kinds, offsets, counts):  # type: ignore[no-untyped-def]
    """Fill offsets and counts; return the position after the trees, or -1 - tree if unreadable.

    A tree is an object of numbers, arrays of numbers and objects of texts.
    """
    for tree in range(offsets.shape[0]):
        if at >= content.size or content[at] != ord("{"):
            return -1 - tree
        at += 1
        depth = 1
        while depth > 0:
            if at >= content.size:
                return -1 - tree
            if content[at] == ord("}"):
                depth -= 1
                at += 1
                continue
            size, name = _length_at(content, at)
            at = name + size
            if size < 0 or at >= content.size:
                return -1 - tree
            kind = content[at]
            at += 1
            if kind == ord("{"):
                depth += 1
            elif kind == ord("["):
                kind, length, start, at = _array_at(content, at)
                row = _row_of(content, name, size, kind, names, sizes, kinds)
                if row >= 0 and depth == 1:
                    offsets[tree, row] = start
                    counts[tree, row] = length
            else:
                at = _scalar_end(content, at, kind)
            if at < 0:
                return -1 - tree
    return at
