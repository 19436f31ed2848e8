"""The tables of muscles and groups agree with each other and with their sources."""

import re
from collections import Counter

import pytest

from pipelines.anatomy.vocabulary import groups, label_values, muscles

# Hundreds digit of a muscle's index.
REGION_OF_RANGE = {
    1: "pelvis",
    2: "thigh",
    3: "leg",
    4: "trunk",
    5: "shoulder",
    6: "arm",
    7: "neck",
}


@pytest.mark.parametrize("column", ["index", "abbreviation", "color"])
def test_muscle_columns_are_unique(column):
    counts = Counter(getattr(muscle, column) for muscle in muscles().values())
    assert [value for value, count in counts.items() if count > 1] == []


def test_index_ranges_follow_the_region():
    wrong = [m.name for m in muscles().values() if REGION_OF_RANGE[m.index // 100] != m.region]
    assert wrong == []


def test_first_indices_never_change():
    # label images written earlier depend on them
    assert muscles()["gluteus_maximus"].value("left") == 1011
    assert muscles()["sartorius"].value("right") == 2012
    assert muscles()["biceps_femoris_short_head"].value("left") == 2111
    assert muscles()["flexor_hallucis_longus"].value("right") == 3142


def test_colors_and_names_are_well_formed():
    for muscle in muscles().values():
        assert re.fullmatch(r"#[0-9a-f]{6}", muscle.color)
        assert re.fullmatch(r"[a-z_]+", muscle.name)


def test_label_values_are_unique_and_fit_uint16():
    assert len(label_values()) == 2 * len(muscles())
    assert max(label_values()) < 2**16


def test_group_members_exist_in_the_region_of_the_group():
    for group, members in groups().items():
        assert len(members) == len(set(members)), group
        assert len({muscles()[member].region for member in members}) == 1, group
        assert group not in muscles()
