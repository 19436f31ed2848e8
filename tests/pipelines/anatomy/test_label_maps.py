"""The tables of muscles, groups and label maps agree with each other and with their sources."""

import re
from collections import Counter

import pytest

from pipelines.anatomy.vocabulary import (
    groups,
    label_map_names,
    label_values,
    muscles,
    read_label_map,
)
from pipelines.errors import DataError

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


def meaning(name):
    return {label.value: (label.muscle, label.side) for label in read_label_map(name)}


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


@pytest.mark.parametrize("name", label_map_names())
def test_label_maps_are_consistent(name):
    labels = read_label_map(name)
    assert len({label.value for label in labels}) == len(labels)
    assert 0 not in {label.value for label in labels}
    named = [(label.muscle, label.side) for label in labels if label.muscle]
    assert len(set(named)) == len(named), "two values for one muscle and side"
    assert named


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("thigh11", 11),
        ("musegai_thigh13", 13),
        ("segai_thigh14", 14),
        ("bolsterlee_leg16", 16),
        ("musclemap_thigh28", 28),
        ("musclemap_leg14", 14),
        ("musclemap_pelvis13", 13),
        ("musclemap_wholebody99", 99),
        ("totalsegmentator_total_mr50", 50),
        ("totalsegmentator_muscles_mr21", 21),
        ("totalsegmentator_thigh_shoulder_mr18", 18),
        ("mrsegmentator40", 40),
        ("vibesegmentator72", 72),
        ("musclesense_thigh22", 22),
        ("musclesense_calf14", 14),
        ("qmritools_hip14", 14),
    ],
)
def test_label_maps_are_complete(name, count):
    assert len(read_label_map(name)) == count


# Values read from the documents of each model's makers.
@pytest.mark.parametrize(
    ("name", "value", "muscle", "side"),
    [
        ("thigh11", 8, "biceps_femoris_long_head", "both"),
        ("thigh11", 11, "biceps_femoris_short_head", "both"),
        ("musegai_thigh13", 4, "rectus_femoris", "both"),
        ("musegai_thigh13", 9, "biceps_femoris_long_head", "both"),
        ("segai_thigh14", 4, "biceps_femoris_short_head", "right"),
        ("segai_thigh14", 12, "biceps_femoris_long_head", "left"),
        ("bolsterlee_leg16", 1, "gastrocnemius_lateral_head", "both"),
        ("bolsterlee_leg16", 9, "fibularis_longus_and_brevis", "both"),
        ("bolsterlee_leg16", 13, None, "both"),
        ("musclemap_thigh28", 18, "biceps_femoris_long_head", "right"),
        ("musclemap_leg14", 3, "deep_posterior_compartment_leg_undivided", "left"),
        ("musclemap_pelvis13", 7, "tensor_fasciae_latae", "left"),
        ("musclemap_wholebody99", 7181, "biceps_femoris_long_head", "left"),
        ("musclemap_wholebody99", 5142, "latissimus_dorsi", "right"),
        ("musclemap_wholebody99", 6160, None, "both"),
        ("totalsegmentator_total_mr50", 40, "gluteus_maximus", "left"),
        ("totalsegmentator_total_mr50", 49, "iliopsoas", "right"),
        ("totalsegmentator_total_mr50", 36, None, "left"),
        ("totalsegmentator_muscles_mr21", 17, "autochthonous_back_muscles", "left"),
        ("totalsegmentator_thigh_shoulder_mr18", 2, "quadriceps_femoris_undivided", "right"),
        ("totalsegmentator_thigh_shoulder_mr18", 9, "deltoid", "both"),
        ("mrsegmentator40", 35, "gluteus_maximus", "left"),
        ("mrsegmentator40", 34, "iliopsoas", "right"),
        ("vibesegmentator72", 53, "gluteus_maximus", "left"),
        ("vibesegmentator72", 62, "iliopsoas", "right"),
        ("musclesense_thigh22", 1, "rectus_femoris", "right"),
        ("musclesense_thigh22", 27, "biceps_femoris", "left"),
        ("musclesense_calf14", 13, "gastrocnemius_lateral_head", "left"),
        ("qmritools_leg", 31, "biceps_femoris_long_head", "left"),
        ("qmritools_leg", 64, "sartorius", "right"),
        ("qmritools_leg", 103, None, "left"),
        ("qmritools_hip14", 5, "piriformis", "both"),
    ],
)
def test_label_values_mean_what_their_makers_say(name, value, muscle, side):
    assert meaning(name)[value] == (muscle, side)


def test_missing_label_map_lists_the_known_ones(tmp_path):
    with pytest.raises(DataError, match=r"none\.tsv cannot be read") as caught:
        read_label_map(str(tmp_path / "none.tsv"))
    assert "segai_thigh14" in caught.value.hint


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1\tX\tunknown_muscle\tboth", r"Unknown muscle 'unknown_muscle' in label map .*, line 2"),
        ("1\tX\tsartorius\tmiddle", r"Side 'middle' in label map .* is not left, right or both"),
        ("one\tX\tsartorius\tboth", r"Malformed row in label map .*, line 2"),
    ],
)
def test_malformed_label_maps_are_refused(tmp_path, row, message):
    path = tmp_path / "map.tsv"
    path.write_text(f"value\tlabel\tmuscle\tside\n{row}\n")
    with pytest.raises(DataError, match=message):
        read_label_map(str(path))
