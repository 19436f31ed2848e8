import numpy as np
import pytest

from bids_example.code.cross_section import Tissue, outline_depth, paint
from bids_example.code.thigh import reference_thigh

AXIS = np.arange(-92, 92, 1.0)
GRID = (AXIS + 1j * AXIS[:, None]).ravel()


@pytest.fixture(scope="module")
def section():
    return reference_thigh().section(0.5)


@pytest.fixture(scope="module")
def painting(section):
    return paint(section, GRID, {})


def centre(painting, name):
    return GRID[painting.compartment == painting.names.index(name)].mean()


def test_from_outside_in_the_tissues_follow_each_other(section):
    # A ray to the front and slightly medial, where no vessel is in the way.
    ray = 1j * np.arange(90.0, 11.0, -0.25) + 6
    tissues = paint(section, ray, {}).tissue
    order = [Tissue(t) for i, t in enumerate(tissues) if i == 0 or t != tissues[i - 1]]
    assert order[:4] == [
        Tissue.AIR,
        Tissue.SKIN,
        Tissue.SUBCUTANEOUS_FAT,
        Tissue.INTERMUSCULAR_FAT,
    ]
    assert order[4] == Tissue.MUSCLE
    assert order[-2:] == [Tissue.CORTICAL_BONE, Tissue.MARROW]


def test_areas_are_those_of_the_table_less_the_septa(section, painting):
    fascia = np.count_nonzero(outline_depth(GRID, section.fascia) > 0) / 100
    bone = np.pi * section.femur_radius**2 / 100
    total = sum(float(c.areas) for c in section.compartments)
    for compartment in section.compartments:
        if compartment.content != "muscle":
            continue
        index = painting.names.index(compartment.name)
        area = np.count_nonzero(painting.compartment == index) / 100
        cell = float(compartment.areas) / total * (fascia - bone)
        assert 0.6 * cell < area < cell, compartment.name


def test_muscles_lie_where_anatomy_has_them(painting):
    femur = reference_thigh().section(0.5).femur
    assert centre(painting, "rectus_femoris").imag > 40
    assert centre(painting, "vastus_lateralis").real > femur.real + 25
    assert centre(painting, "gracilis").real < -50
    for hamstring in ("semitendinosus", "semimembranosus", "biceps_femoris_long_head"):
        assert centre(painting, hamstring).imag < -35
    assert (
        centre(painting, "semimembranosus").real
        < centre(painting, "semitendinosus").real
        < centre(painting, "biceps_femoris_long_head").real
    )
    # Vastus intermedius wraps around the femur: it reaches the bone on two sides.
    intermedius = GRID[painting.compartment == painting.names.index("vastus_intermedius")] - femur
    near = intermedius[np.abs(intermedius) < 17]
    assert near.imag.max() > 12
    assert near.real.max() > 12


def test_sartorius_crosses_from_the_front_to_the_inside():
    angles = []
    for level in (0.95, 0.6, 0.3, 0.05):
        found = centre(paint(reference_thigh().section(level), GRID, {}), "sartorius")
        angles.append(np.degrees(np.angle(found)))
    # From in front (90 degrees) to medial (180 degrees and on).
    angles = np.array(angles) % 360
    assert (np.diff(angles) > 10).all()
    assert angles[0] < 125
    assert angles[-1] > 175


def test_muscles_never_touch_each_other(painting):
    square = painting.compartment.reshape(AXIS.size, AXIS.size)
    fine = AXIS.size - 1
    for a, b in ((square[:fine], square[1:]), (square[:, :fine], square[:, 1:])):
        touching = (a >= 0) & (b >= 0) & (a != b)
        # The septum is 0.8 mm wide and the grid 1 mm, so it slips through here and there only.
        assert touching.sum() < 0.25 * ((a >= 0) ^ (b >= 0)).sum()


def test_thinning_replaces_muscle_by_fat(section, painting):
    thin = paint(section, GRID, {"gracilis": 1.5})
    index = painting.names.index("gracilis")
    before, after = (np.count_nonzero(p.compartment == index) for p in (painting, thin))
    assert after < 0.75 * before
    changed = painting.tissue != thin.tissue
    assert (painting.compartment[changed] == index).all()
    assert (thin.tissue[changed] == Tissue.INTERMUSCULAR_FAT).all()


def test_depth_in_an_outline_is_measured_along_the_ray():
    radii = {"lateral": 50.0, "medial": 40.0, "anterior": 30.0, "posterior": 20.0}
    points = np.array([45, -45, 28j, -21j, 1e-9])
    np.testing.assert_allclose(outline_depth(points, radii)[:4], [5, -5, 2, -1])
    assert outline_depth(points, radii)[4] > 0
