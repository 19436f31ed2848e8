"""The shape of a thigh: outlines and compartments at any level, from two tables.

``thigh_outline.tsv`` gives the fascia, the fat under the skin and the femur, ``thigh_compartments.
tsv`` what lies inside the fascia, both at six levels from just above the knee cap (0) to the
ischial tuberosity (1). Lengths are mm, areas cm2. Coordinates are those of a right thigh seen from
above: x from medial to lateral, y from posterior to anterior, origin in the middle of the fascia.
The numbers are ours: rounded guesses of an adult's anatomy, not measurements of a person.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.interpolate import PchipInterpolator

from bids_example.code.power_diagram import Floats, Points

Content = Literal["muscle", "neighbour", "fat", "tendon"]

_FOLDER = Path(__file__).parent
_CONTENTS: Mapping[str, Content] = {
    "muscle": "muscle",
    "neighbour": "neighbour",
    "fat": "fat",
    "tendon": "tendon",
}
_DIRECTIONS = ("lateral", "medial", "anterior", "posterior")

# A compartment with a smaller cross-section than this has ended, cm2.
_SMALLEST_AREA = 0.25

# Differences between people, and between the two thighs of one: standard deviations of the shift
# of a compartment (mm) and of the logarithm of its area.
_SHIFT_SD = {"person": 1.2, "side": 0.5}
_AREA_SD = {"person": 0.07, "side": 0.03}


@dataclass(frozen=True)
class Compartment:
    """Something inside the fascia that takes a share of its area.

    Attributes
    ----------
    name : str
        Name of the muscle, or what else it is.
    content : {'muscle', 'neighbour', 'fat', 'tendon'}
        A muscle of the label image, a muscle that has no label, fat with vessels and nerves in
        it, or tendon.
    areas : ndarray of shape (level,)
        Cross-section, cm2. Only the ratios count: the fascia is always filled.
    curves : ndarray of complex, shape (level, point)
        Open polyline along the middle of the compartment: corners x + iy, mm.
    """

    name: str
    content: Content
    areas: Floats
    curves: Points


@dataclass(frozen=True)
class Section:
    """The thigh at one level.

    Attributes
    ----------
    fascia, skin : Mapping of str to float
        Distance of the outline from the origin in each of the four directions, mm.
    femur : complex
        Centre x + iy, mm.
    femur_radius, cortex : float
        Outer radius and thickness of the bone's wall, mm.
    compartments : tuple of Compartment
        Those present at this level; their arrays have no level axis any more.
    """

    fascia: Mapping[str, float]
    skin: Mapping[str, float]
    femur: complex
    femur_radius: float
    cortex: float
    compartments: tuple[Compartment, ...]


@dataclass(frozen=True)
class Thigh:
    """The thigh of one side of one person.

    Attributes
    ----------
    levels : ndarray of shape (level,)
        Where the tables give values, 0 (distal) to 1 (proximal).
    outline : Mapping of str to ndarray of shape (level,)
        Columns of ``thigh_outline.tsv``.
    compartments : tuple of Compartment
        Rows of ``thigh_compartments.tsv``.
    """

    levels: Floats
    outline: Mapping[str, Floats]
    compartments: tuple[Compartment, ...]

    def section(self, level: float) -> Section:
        """Return the cross-section at a level between 0 (distal) and 1 (proximal)."""
        outline = {name: self._at(values, level) for name, values in self.outline.items()}
        fascia = {way: float(outline[f"fascia_{way}"]) for way in _DIRECTIONS}
        compartments = (
            replace(
                c,
                areas=self._at(c.areas, level),
                curves=self._at(c.curves.real, level) + 1j * self._at(c.curves.imag, level),
            )
            for c in self.compartments
        )
        return Section(
            fascia=fascia,
            skin={way: fascia[way] + float(outline[f"fat_{way}"]) for way in _DIRECTIONS},
            femur=complex(outline["femur_x"], outline["femur_y"]),
            femur_radius=float(outline["femur_radius"]),
            cortex=float(outline["cortex"]),
            compartments=tuple(c for c in compartments if c.areas >= _SMALLEST_AREA),
        )

    def medial_reach(self) -> float:
        """Return the largest distance of the skin from the thigh's axis towards the other thigh."""
        return float((self.outline["fascia_medial"] + self.outline["fat_medial"]).max())

    def reach(self) -> float:
        """Return a distance from the thigh's axis that the skin nowhere exceeds."""
        outermost = [self.outline[f"fascia_{w}"] + self.outline[f"fat_{w}"] for w in _DIRECTIONS]
        # The corners of the squarish outline stand out beyond its half-axes.
        return 1.1 * float(np.max(outermost))

    def _at(self, values: Floats, level: float) -> Floats:
        interpolated: Floats = PchipInterpolator(self.levels, values, axis=0)(level)
        return interpolated


@cache
def reference_thigh() -> Thigh:
    """Return the thigh of the tables."""
    outline_rows = _read("thigh_outline.tsv")
    levels = np.array([float(row["level"]) for row in outline_rows])
    outline = {
        name: np.array([float(row[name]) for row in outline_rows])
        for name in outline_rows[0]
        if name != "level"
    }
    rows_of: dict[str, list[dict[str, str]]] = {}
    for row in _read("thigh_compartments.tsv"):
        rows_of.setdefault(row["compartment"], []).append(row)
    compartments = tuple(
        Compartment(
            name=name,
            content=_CONTENTS[rows[0]["content"]],
            areas=np.array([float(row["area"]) for row in rows]),
            curves=np.array([_points(row["curve"]) for row in rows]),
        )
        for name, rows in rows_of.items()
    )
    return Thigh(levels, outline, compartments)


def individual_thigh(
    rng: np.random.Generator, person: int, *, scale: float, subcutaneous_fat: float
) -> Thigh:
    """Return the thigh of one side of one person.

    Parameters
    ----------
    rng : Generator
        Draws what differs between the two sides.
    person : int
        Seed of what the two sides have in common.
    scale : float
        Size relative to the reference thigh.
    subcutaneous_fat : float
        Thickness of the fat under the skin relative to the reference thigh.
    """
    reference = reference_thigh()
    common = np.random.default_rng(person)
    outline = {
        name: values * scale * (subcutaneous_fat if name.startswith("fat_") else 1.0)
        for name, values in reference.outline.items()
    }
    compartments = []
    for compartment in reference.compartments:
        shift = complex(*common.normal(0, _SHIFT_SD["person"], 2))
        shift += complex(*rng.normal(0, _SHIFT_SD["side"], 2))
        growth = common.normal(0, _AREA_SD["person"]) + rng.normal(0, _AREA_SD["side"])
        compartments.append(
            replace(
                compartment,
                areas=compartment.areas * np.exp(growth),
                curves=(compartment.curves + shift) * scale,
            )
        )
    return Thigh(reference.levels, outline, tuple(compartments))


def _points(text: str) -> list[complex]:
    return [complex(*map(float, pair.split(","))) for pair in text.split()]


def _read(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))
