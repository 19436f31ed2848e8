"""Label names of other people are recognized, and unknown ones are named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.anatomy.label_maps import label_map_names, read_label_map
from pipelines.anatomy.label_names import match_name
from pipelines.anatomy.vocabulary import muscles

# Names that mean something else where nothing more is known than the name.
AMBIGUOUS = {
    ("musegai_thigh13", "BF"),  # there it is the long head, since the short head has its own label
}
# Labels of organs and bones that no muscle model of ours would have.
ORGAN_MAPS = {
    "totalsegmentator_total_mr50",
    "mrsegmentator40",
    "vibesegmentator72",
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Right Biceps Femoris-LH", ("biceps_femoris_long_head", "right")),
        ("vastus_lateralis_left", ("vastus_lateralis", "left")),
        ("RF_L", ("rectus_femoris", "left")),
        ("L_RF", ("rectus_femoris", "left")),
        ("M. sartorius", ("sartorius", "both")),
        ("left_iliopsoas_muscle", ("iliopsoas", "left")),
        ("SOL", ("soleus", "both")),
        ("Peroneus longus (R)", ("fibularis_longus", "right")),
        ("Medial gastrocnemius", ("gastrocnemius_medial_head", "both")),
        ("femur_left", (None, "left")),
        ("subcutaneous fat", (None, "both")),
        ("deltoid muscle", ("deltoid", "both")),
        ("Ｓoleus_Ｌ", ("soleus", "left")),
    ],
)
def test_names_are_recognized(name, expected):
    assert match_name(name) == expected


@pytest.mark.parametrize("name", ["tumour", "left", "", "vastus", "muscle 7"])
def test_unknown_names_are_not_guessed(name):
    assert match_name(name) is None


@pytest.mark.parametrize("name", sorted(set(label_map_names()) - ORGAN_MAPS))
def test_names_in_our_label_maps_mean_the_same_by_name(name):
    wrong = [
        (label.label, match_name(label.label))
        for label in read_label_map(name)
        if (name, label.label) not in AMBIGUOUS
        and label.muscle
        and match_name(label.label) != (label.muscle, label.side)
    ]
    assert wrong == []


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(muscles())),
    st.sampled_from([("left", "left"), ("R", "right"), ("Rt", "right"), ("", "both")]),
    st.sampled_from(["_", " ", "-", "."]),
    st.booleans(),
    st.sampled_from([str.lower, str.upper, str.title]),
)
def test_every_muscle_is_recognized_however_it_is_written(muscle, side, separator, front, case):
    word, expected = side
    words = muscle.split("_")
    words = [word, *words] if front else [*words, word]
    name = case(separator.join(w for w in words if w))
    assert match_name(name) == (muscle, expected)
