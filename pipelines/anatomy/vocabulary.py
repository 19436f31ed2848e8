"""Read the muscle tables: one name per muscle, everywhere.

``muscles.tsv`` holds one row per muscle, ``groups.tsv`` the muscles of each group. Only the
standard library is used, so that listing muscles costs nothing.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pipelines.package_data import package_rows

Side = Literal["left", "right"]
LabelSide = Literal["left", "right", "both"]
SIDES: tuple[Side, Side] = ("left", "right")

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


def lookup_rows(present: Collection[int]) -> list[dict[str, str | int]]:
    """Describe the values that occur in a label image we write, for its look-up table."""
    return [
        {
            "index": value,
            "name": f"{side}_{muscle.name}",
            "abbreviation": muscle.abbreviation,
            "color": muscle.color,
            "muscle": muscle.name,
            "side": side,
            "region": muscle.region,
        }
        for value, (muscle, side) in label_values().items()
        if value in present
    ]
