"""Label maps agree with the muscles and their makers; tables and names of others are understood."""

import os

import pytest

from pipelines.anatomy.label_maps import (
    label_map_names,
    labels_from_names,
    labels_from_table,
    read_label_map,
)
from pipelines.anatomy.vocabulary import Label
from pipelines.errors import DataError


def meaning(name):
    return {label.value: (label.muscle, label.side) for label in read_label_map(name)}


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
        (
            "1\tX\tunknown_muscle\tboth",
            r"line 2: unknown muscle 'unknown_muscle' or side",
        ),
        ("1\tX\tsartorius\tmiddle", r"line 2: unknown muscle 'sartorius' or side 'middle'"),
        ("one\tX\tsartorius\tboth", r"line 2: index 'one' is no whole number"),
    ],
)
def test_malformed_label_maps_are_refused(tmp_path, row, message):
    path = tmp_path / "map.tsv"
    path.write_text(f"value\tlabel\tmuscle\tside\n{row}\n")
    with pytest.raises(DataError, match=message):
        read_label_map(str(path))


def test_labels_are_built_in_order_of_value():
    labels = labels_from_names(
        {"background": 0, "gracilis": 2, "sartorius_left": 1, "femur": 3, "ignore": 4}, "dataset"
    )
    assert labels == [
        Label(1, "sartorius_left", "sartorius", "left"),
        Label(2, "gracilis", "gracilis", "both"),
        Label(3, "femur", None, "both"),
    ]


def test_unknown_names_are_listed_with_their_values():
    with pytest.raises(DataError, match=r"'liver' \(1\), 'blob' \(3\)") as caught:
        labels_from_names({"liver": 1, "sartorius": 2, "blob": 3}, "m/dataset.json")
    assert "m/dataset.json" in caught.value.message
    assert "value, label, muscle, side" in caught.value.hint


def test_labels_without_a_muscle_are_refused():
    with pytest.raises(DataError, match="No label in dataset is a muscle"):
        labels_from_names({"background": 0, "femur": 1}, "dataset")


def test_a_side_is_kept_where_nothing_is_measured():
    text = "value\tlabel\tmuscle\tside\n1\tfemur\tn/a\tleft\n2\tGR\tgracilis\tright\n3\tskin\t\t?\n"
    assert labels_from_table(text, "map.tsv") == [
        Label(1, "femur", None, "left"),
        Label(2, "GR", "gracilis", "right"),
        Label(3, "skin", None, "both"),
    ]


def test_lines_are_counted_over_blank_ones():
    with pytest.raises(DataError, match=r"map\.tsv, line 4: index 'x' is no whole number"):
        labels_from_table("index\tname\n1\tgracilis\n\nx\tsartorius\n", "map.tsv")


def test_rows_of_other_lengths_are_refused():
    with pytest.raises(DataError, match=r"map\.tsv, row 2 has 1 cell, but the header has 2"):
        labels_from_table("index\tname\n1\n", "map.tsv")


def test_a_pipe_is_no_label_map(tmp_path):
    os.mkfifo(tmp_path / "map.tsv")
    with pytest.raises(DataError, match=r"map\.tsv cannot be read: .*no regular file"):
        read_label_map(str(tmp_path / "map.tsv"))
