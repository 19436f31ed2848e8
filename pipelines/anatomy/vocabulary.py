"""Read the muscle tables: one name per muscle, everywhere.

``muscles.tsv`` holds one row per muscle, ``groups.tsv`` the muscles of each group, and
``labels/<name>.tsv`` how a model or another tool numbers its labels. Only the standard library is
used, so that listing muscles costs nothing.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pipelines.errors import DataError
from pipelines.package_data import package_rows

Side = Literal["left", "right"]
LabelSide = Literal["left", "right", "both"]
SIDES: tuple[Side, Side] = ("left", "right")
_LABEL_SIDES: Mapping[str, LabelSide] = {"left": "left", "right": "right", "both": "both"}

# Last digit of a value in the label images we write; 0 is kept for muscles without a side.
_SIDE_DIGIT: Mapping[Side, int] = {"left": 1, "right": 2}


@dataclass(frozen=True)
class Muscle:
    """One row of ``muscles.tsv``.

    Attributes
    ----------
    index : int
        Number of the muscle; its label values are ``10 * index + 1`` (left) and ``+ 2`` (right).
    name : str
        snake_case English of Terminologia Anatomica.
    region : str
        Body region (``pelvis``, ``thigh``, ``leg``, ...).
    abbreviation : str
        Short form for figures.
    color : str
        ``#rrggbb`` for look-up tables and figures.
    """

    index: int
    name: str
    region: str
    abbreviation: str
    color: str

    def value(self, side: Side) -> int:
        """Return the value of this muscle and side in the label images we write."""
        return 10 * self.index + _SIDE_DIGIT[side]


@dataclass(frozen=True)
class Label:
    """What one value of a label image means.

    Attributes
    ----------
    value : int
        Value in the image.
    label : str
        The name its maker gives it.
    muscle : str or None
        Our name, or None for a structure that is not measured (bone, background tissue).
    side : {'left', 'right', 'both'}
        ``both`` if left and right share the value.
    """

    value: int
    label: str
    muscle: str | None
    side: LabelSide


@cache
def muscles() -> Mapping[str, Muscle]:
    """Return every known muscle by name, in table order."""
    return {
        row["name"]: Muscle(
            int(row["index"]), row["name"], row["region"], row["abbreviation"], row["color"]
        )
        for row in package_rows(__package__, "muscles.tsv")
    }


@cache
def groups() -> Mapping[str, tuple[str, ...]]:
    """Return the muscles of every group, by group name."""
    members: dict[str, list[str]] = {}
    for row in package_rows(__package__, "groups.tsv"):
        members.setdefault(row["group"], []).append(row["muscle"])
    return {group: tuple(names) for group, names in members.items()}


@cache
def label_values() -> Mapping[int, tuple[Muscle, Side]]:
    """Return the muscle and side of each value in the label images we write."""
    return {muscle.value(side): (muscle, side) for muscle in muscles().values() for side in SIDES}


def label_map_names() -> list[str]:
    """Return the names of the label maps that come with the package."""
    folder = files("pipelines.anatomy") / "labels"
    return sorted(p.name.removesuffix(".tsv") for p in folder.iterdir() if p.name.endswith(".tsv"))


def read_label_map(name_or_path: str) -> list[Label]:
    """Read how a model or another tool numbers its labels.

    Parameters
    ----------
    name_or_path : str
        A name from :func:`label_map_names`, or the path of a TSV file with the columns ``value``,
        ``label``, ``muscle`` (our name, ``n/a`` for a structure that is not measured) and ``side``
        (``left``, ``right`` or ``both``).

    Returns
    -------
    list of Label
        In the order of the file.

    Raises
    ------
    DataError
        If the file cannot be read, or a row is malformed or names an unknown muscle.
    """
    if name_or_path in label_map_names():
        rows = package_rows(__package__, f"labels/{name_or_path}.tsv")
    else:
        try:
            with Path(name_or_path).open(encoding="utf-8", newline="") as stream:
                rows = list(csv.DictReader(stream, delimiter="\t"))
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"The label map {name_or_path} cannot be read: {error}.",
                f"Give a TSV file or one of: {', '.join(label_map_names())}.",
            ) from error
    return [_label(row, f"{name_or_path}, line {line}") for line, row in enumerate(rows, start=2)]


def _label(row: Mapping[str, str], where: str) -> Label:
    hint = "Columns are value, label, muscle, side; muscle names: run.py --list muscles."
    try:
        value, label, muscle, side = (row[key] for key in ("value", "label", "muscle", "side"))
        number = int(value)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"Malformed row in label map {where}: {error!r}.", hint) from error
    if muscle != "n/a" and muscle not in muscles():
        raise DataError(f"Unknown muscle {muscle!r} in label map {where}.", hint)
    if side not in _LABEL_SIDES:
        raise DataError(f"Side {side!r} in label map {where} is not left, right or both.", hint)
    return Label(number, label, None if muscle == "n/a" else muscle, _LABEL_SIDES[side])
