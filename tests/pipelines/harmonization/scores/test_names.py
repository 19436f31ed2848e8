"""Names of columns in tables of scores."""

import pytest

from pipelines.anatomy.vocabulary import muscles
from pipelines.errors import DataError
from pipelines.harmonization.scores.names import default_names
from pipelines.harmonization.scores.regrouping import default_regrouping


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("SA", ("sartorius", "mean")),
        ("BL", ("biceps_femoris_long_head", "mean")),
        ("BB_l", ("biceps_femoris_short_head", "left")),
        ("gluteus_maximus_right", ("gluteus_maximus", "right")),
        ("Glutei_R", ("gluteals_undivided", "right")),
        ("peronei", ("fibularis_longus_and_brevis", "mean")),
        ("extensors_L", ("extensor_digitorum_and_hallucis_longus", "left")),
        ("obturators", ("obturators_undivided", "mean")),
        ("soleus_mean", ("soleus", "mean")),
        ("biceps_femoris_r", ("biceps_femoris", "right")),
        ("bone", (None, "mean")),
    ],
)
def test_columns_are_recognized(column, expected) -> None:
    assert default_names().match(column) == expected


def test_every_name_of_ours_is_known_with_and_without_side() -> None:
    names = default_names()
    for name in (*muscles(), *default_regrouping().targets):
        assert names.match(name) == (name, "mean")
        assert names.match(f"{name}_L") == (name, "left")


def test_abbreviations_of_the_ten_people_table() -> None:
    found = [
        default_names().match(c)
        for c in ["SA", "RF", "VL", "VI", "VM", "AM", "GR", "BL", "ST", "SM", "BB"]
    ]
    assert len({match[0] for match in found if match}) == 11


def test_unknown_names_are_not_guessed() -> None:
    assert default_names().match("height") is None
    assert default_names().suggestions("satorious") == ["sartorius"]


def test_a_users_map_comes_first_and_leaves_the_package_alone() -> None:
    rows = [
        {"source_name": "GM_L", "muscle": "gluteus_maximus"},
        {"source_name": "ff", "muscle": "n/a"},
    ]
    names = default_names().with_map(rows, "map.tsv")
    assert names.match("GM_R") == ("gluteus_maximus", "right")
    assert names.match("FF") == (None, "mean")
    assert names.meanings("GM_R") == ()
    assert default_names().match("GM_R") is None


def test_every_meaning_of_an_ambiguous_name_is_a_name_of_ours() -> None:
    names = default_names()
    assert set(names.ambiguous) == {"gm", "pe", "pl", "qf", "anterior compartment"}
    for spelling, meanings in names.ambiguous.items():
        assert names.match(f"{spelling}_L") is None
        assert len(meanings) > 1
        assert [names.match(name) for name in meanings] == [(name, "mean") for name in meanings]


def test_other_abbreviations_keep_their_one_meaning() -> None:
    names = default_names()
    for muscle in muscles().values():
        if muscle.abbreviation.lower() not in names.ambiguous:
            assert names.match(muscle.abbreviation) == (muscle.name, "mean")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"name": "x"}], "map.tsv, row 2: no source_name and no muscle."),
        ([{"source_name": "x", "muscle": ""}], "map.tsv, row 2: no muscle."),
        (
            [{"source_name": "x", "muscle": "Soleus"}],
            "map.tsv, row 2, column 'muscle': unknown muscle 'Soleus' (did you mean soleus?).",
        ),
        (
            [
                {"source_name": "x_L", "muscle": "soleus"},
                {"source_name": "x_R", "muscle": "gracilis"},
            ],
            "map.tsv, row 3: 'x_R' already means soleus.",
        ),
    ],
)
def test_wrong_maps_are_named(rows, message) -> None:
    with pytest.raises(DataError) as error:
        default_names().with_map(rows, "map.tsv")
    assert error.value.message == message


def test_names_in_any_script_are_told_apart() -> None:
    rows = [
        {"source_name": "мышца бедра", "muscle": "gracilis"},
        {"source_name": " Músculo sóleo_L ", "muscle": " soleus "},
    ]
    names = default_names().with_map(rows, "map.tsv")
    assert names.match("Мышца бедра_R") == ("gracilis", "right")
    assert names.match("мышца голени_R") is None
    assert names.match("Mu\u0301sculo so\u0301leo") == ("soleus", "mean")


def test_a_name_of_signs_only_is_refused() -> None:
    with pytest.raises(DataError, match=r"map\.tsv, row 2, .*'\?\?\?' holds no letter or digit"):
        default_names().with_map([{"source_name": "???", "muscle": "soleus"}], "map.tsv")
    assert default_names().match("+++") is None
