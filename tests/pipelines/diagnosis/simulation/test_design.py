"""Who is in a simulated cohort: the counts of table 1, patients, visits, sex and age."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.diagnosis.simulation.design import apportion, design_cohort, study_blocks
from pipelines.diagnosis.simulation.tables import read_tables

TABLES = read_tables()


@pytest.fixture(scope="module")
def cohort():
    return design_cohort(TABLES, 2961, 1, np.random.default_rng(3))


def counted(rows, column):
    return rows.groupby(["diagnosis", column]).size().unstack(fill_value=0)


@pytest.mark.parametrize(
    ("column", "names"),
    [
        ("scale", {"0-4": "0-4", "0-5": "0-5", "1-4": "1-4", "2a2b": "2a2b", "FF": "FF"}),
        ("sides", {"bilateral": "bilateral", "average": "average", "unilateral": "unilateral"}),
        ("sex", {"M": "male", "F": "female"}),
    ],
)
def test_counts_of_every_disease_are_those_of_table_1(cohort, column, names):
    published = TABLES.counts[list(names.values())].sort_index()
    found = counted(cohort, column)[list(names)]
    np.testing.assert_array_equal(found.to_numpy(), published.to_numpy())


def test_samples_of_every_disease_are_those_of_table_1(cohort):
    found = cohort["diagnosis"].value_counts()
    assert found.to_dict() == TABLES.counts["samples"].to_dict()
    assert found["DYSF"] == 594
    assert found["SCN4A"] == 30


def test_mean_age_of_every_disease_is_that_of_table_1_within_half_a_year(cohort):
    mean = cohort.groupby("diagnosis")["age"].mean()
    np.testing.assert_allclose(mean, TABLES.counts["mean_age"].loc[mean.index], atol=0.5)
    assert cohort["age"].min() > 0
    assert cohort["age"].max() <= 90
    assert 0 < cohort["age"].isna().mean() < 0.06


def test_a_quarter_of_2009_patients_comes_more_than_once(cohort):
    visits = cohort.groupby("participant").size()
    assert len(visits) == 2009
    assert (visits > 1).mean() == pytest.approx(0.25, abs=0.01)
    assert (cohort.groupby("participant")["study"].nunique() == 1).all()
    assert (cohort.groupby("participant")["sex"].nunique(dropna=False) == 1).all()


def test_visits_are_a_year_apart_and_named_as_sessions(cohort):
    repeated = cohort[cohort["session"] != ""]
    assert (repeated.groupby("participant").size() > 1).all()
    assert not repeated.duplicated(["participant", "session"]).any()
    first = repeated.groupby("participant")["age"].first()
    last = repeated.groupby("participant")["age"].last()
    years = repeated.groupby("participant")["visit"].last()
    young = first.notna() & (last < 90) & (first > 20)
    np.testing.assert_allclose((last - first)[young], years[young], atol=0.11)
    assert (cohort.loc[cohort["session"] == "", "visit"] == 0).all()


def test_studies_are_one_disease_on_one_scale_and_share_what_table_1_shares():
    blocks = study_blocks(TABLES).set_index("study")["samples"]
    assert blocks["simulated-DYSF-FF-average"] == 356
    assert blocks["simulated-SMN1-2a2b-unilateral"] == 55
    assert blocks["simulated-SarcoG-1-4-average"] == 64
    assert blocks["simulated-VCP-1-4-unilateral"] == 54
    assert blocks.sum() == 2961
    assert blocks.index.is_unique


@pytest.mark.parametrize("least", [2, 6, 20])
def test_a_small_cohort_keeps_enough_patients_of_every_disease(least):
    rows = design_cohort(TABLES, 250, least, np.random.default_rng(0))
    assert rows.groupby("diagnosis")["participant"].nunique().min() >= least
    assert rows["diagnosis"].nunique() == 20
    if least == 2:
        assert len(rows) == 250
        assert (rows["diagnosis"] == "DYSF").sum() == round(594 * 250 / 2961)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 500), min_size=1, max_size=20), st.integers(0, 1000))
def test_apportioned_parts_add_up_and_are_never_a_whole_unit_off(weights, total):
    if not any(weights):
        weights[0] = 1
    w = np.array(weights, dtype=float)
    parts = apportion(w, total)
    assert parts.sum() == total
    assert np.abs(parts - w / w.sum() * total).max() < 1


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 400), st.integers(1, 12), st.integers(0, 5))
def test_a_cohort_of_any_size_is_consistent(samples, least, seed):
    rows = design_cohort(TABLES, samples, least, np.random.default_rng(seed))
    assert len(rows) >= samples
    assert rows.groupby("diagnosis")["participant"].nunique().min() >= least
    assert not rows.duplicated(["participant", "session"]).any()
    visits = rows.groupby("participant")["age"].transform("size")
    assert (rows["session"].ne("") == visits.gt(1)).all()
    assert set(rows["study"]) <= set(study_blocks(TABLES)["study"])
    assert not ((rows["diagnosis"] == "DMD") & (rows["sex"] == "F")).any()
