"""What a file name says of side and body part is compared with what was found."""

import numpy as np
import pandas as pd
import pytest

from bids_app.participant.name_claims import check_name_claims
from pipelines.anatomy.vocabulary import SIDES, muscles


def labels(*sides):
    return np.array([[[0, *(muscles()["gracilis"].value(side) for side in sides)]]], np.uint16)


def parts(*names):
    return pd.DataFrame({"part": names})


@pytest.mark.parametrize(
    ("lateral", "sides", "level"),
    [
        ("L", ("left",), "pass"),
        ("right", ("right",), "pass"),
        ("B", SIDES, "pass"),
        ("L", ("right",), "warn"),
        ("R", SIDES, "warn"),
        ("B", ("left",), "warn"),
    ],
)
def test_laterality(lateral, sides, level):
    (check,) = check_name_claims({"laterality": lateral}, labels(*sides), None)
    assert (check.name, check.level) == ("name_side", level)
    assert f"lat-{lateral}" in check.text


@pytest.mark.parametrize(
    ("word", "found", "level"),
    [
        ("thigh", ("thigh", "elsewhere"), "pass"),
        ("Calf", ("elsewhere",), "pass"),
        ("calf", ("thigh",), "warn"),
        ("thigh", ("elsewhere",), "warn"),
    ],
)
@pytest.mark.parametrize("key", ["bodypart", "bodypart_bop"])
def test_body_part(key, word, found, level):
    (check,) = check_name_claims({key: word}, labels("left"), parts(*found))
    assert (check.name, check.level) == ("name_body_part", level)


@pytest.mark.parametrize(
    "entities",
    [{}, {"laterality": "X"}, {"bodypart": "legs"}, {"acquisition": "left"}],
)
def test_names_that_claim_nothing_we_know(entities):
    assert check_name_claims(entities, labels("left"), parts("thigh")) == []


def test_nothing_found_contradicts_nothing():
    entities = {"laterality": "L", "bodypart": "calf"}
    assert check_name_claims(entities, labels(), None) == []
