import numpy as np
import pytest

from bids_example.code.thigh import individual_thigh, reference_thigh
from pipelines.anatomy.label_maps import label_map_names, read_label_map
from pipelines.anatomy.vocabulary import muscles


def test_the_muscles_of_the_default_model_are_all_there():
    assert "thigh11" in label_map_names()
    labelled = {c.name for c in reference_thigh().compartments if c.content == "muscle"}
    assert labelled == {label.muscle for label in read_label_map("thigh11")}


def test_neighbours_are_muscles_without_label():
    neighbours = {c.name for c in reference_thigh().compartments if c.content == "neighbour"}
    assert neighbours == {"adductor_longus", "adductor_brevis", "pectineus"}
    assert neighbours <= muscles().keys()


def test_sections_at_the_levels_of_the_table_hold_its_numbers():
    section = reference_thigh().section(0.4)
    assert section.fascia == {"lateral": 64, "medial": 65, "anterior": 58, "posterior": 62}
    assert section.skin["posterior"] == 62 + 9
    assert section.femur == 9 + 11j
    assert (section.femur_radius, section.cortex) == (13.5, 6)
    gracilis = next(c for c in section.compartments if c.name == "gracilis")
    assert gracilis.areas == pytest.approx(3.8)
    np.testing.assert_allclose(gracilis.curves, [-60 - 22j, -59 - 14j])


def test_muscles_begin_and_end_where_anatomy_says():
    def names(level):
        return {c.name for c in reference_thigh().section(level).compartments}

    assert "rectus_femoris" not in names(0.0)
    assert "biceps_femoris_short_head" not in names(1.0)
    assert "pectineus" in names(1.0) - names(0.5)
    assert "adductor_magnus" in names(0.5) - names(0.0)


def test_people_differ_and_so_do_their_sides():
    def thigh(seed, person):
        rng = np.random.default_rng(seed)
        return individual_thigh(rng, person, scale=1.0, subcutaneous_fat=1.0)

    one, other_side, other_person = thigh(0, 1), thigh(5, 1), thigh(0, 2)

    def shift(a, b):
        return np.mean(
            [
                abs((p.curves - q.curves).mean())
                for p, q in zip(a.compartments, b.compartments, strict=True)
            ]
        )

    assert shift(one, thigh(0, 1)) == 0
    assert 0.1 < shift(one, other_side) < shift(one, other_person) < 4


def test_size_and_fat_scale_the_outline():
    reference = reference_thigh()
    large = individual_thigh(np.random.default_rng(0), 0, scale=1.1, subcutaneous_fat=2.0)
    section, larger = reference.section(0.6), large.section(0.6)
    assert larger.fascia["lateral"] == pytest.approx(1.1 * section.fascia["lateral"])
    assert larger.femur_radius == pytest.approx(1.1 * section.femur_radius)
    fat = section.skin["lateral"] - section.fascia["lateral"]
    assert larger.skin["lateral"] - larger.fascia["lateral"] == pytest.approx(2.2 * fat)
    assert large.reach() > large.medial_reach() > reference.medial_reach()
