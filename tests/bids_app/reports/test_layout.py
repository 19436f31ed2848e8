import re
from importlib.resources import files
from typing import get_args

import pytest
from jinja2 import UndefinedError

from bids_app.files.provenance import DataOrigin, citations
from bids_app.reports.layout import Measure, layout, render
from pipelines.anatomy.vocabulary import SIDES
from pipelines.quality import CheckLevel
from pipelines.quantification.columns import MuscleTables
from tests.bids_app.reports import page_content
from tests.bids_app.reports.page_content import session, stack


@pytest.mark.parametrize("measure", [*layout().measures, *layout().details], ids=lambda m: m.column)
def test_measures_are_columns_of_the_muscle_table(measure: Measure) -> None:
    columns = MuscleTables.MUSCLES.columns
    used = [measure.column, measure.spread, measure.difference]
    assert {column for column in used if column} <= columns.keys()
    units = {"mL": "ml", "cm^2": "cm²", "1": ""}
    stored = columns[measure.column]["Units"]
    assert units.get(stored, stored) == measure.unit
    # A difference has its own unit; percentage points are told from percent of the mean.
    assert bool(measure.difference) == bool(measure.difference_unit)


def test_other_columns_exist() -> None:
    columns = MuscleTables.MUSCLES.columns
    assert {*layout().flags, layout().map_column} <= columns.keys()
    assert all(columns[name]["Format"] == "bool" for name in layout().flags)
    profile = layout().profile
    assert {profile.position, profile.value} <= MuscleTables.PROFILE.columns.keys()


def test_every_section_has_a_template() -> None:
    folder = files("bids_app.reports.session") / "templates" / "sections"
    sections = [*layout().once, *layout().per_stack, *layout().closing]
    assert len({section.id for section in sections}) == len(sections)
    assert all((folder / f"{section.id}.html").is_file() for section in sections)


def test_there_are_words_for_every_level_side_and_origin() -> None:
    assert layout().levels.keys() == set(get_args(CheckLevel))
    assert set(SIDES) <= layout().sides.keys()
    assert layout().data_origins.keys() == set(get_args(DataOrigin)) - {""}


def test_facts_of_the_scan_are_among_those_that_sidecars_hold() -> None:
    from bids_app.participant.stack_results import SCAN_FACTS

    assert layout().scan.keys() <= set(SCAN_FACTS)


def test_settings_are_looked_for_in_sidecars_that_are_read() -> None:
    assert {setting.sidecar for setting in layout().settings} <= page_content.sidecars().keys()


def test_citations_have_a_doi_and_a_year() -> None:
    assert len({citation.id for citation in citations()}) == len(citations())
    for citation in citations():
        assert re.fullmatch(r"10\.\d{4,}/\S+", citation.doi)
        assert re.search(r"\b(19|20)\d\d\b", citation.text)


def test_a_variable_that_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'stack' is undefined"):
        render("session/figures/mosaic.svg", {})


def test_values_are_escaped() -> None:
    variables = {
        "section": {"id": "x", "title": "<b>&"},
        "content": session(stacks=[stack()]),
        "layout": {"files": {"fat_fraction": "<i>", "stats": '"'}},
    }
    page = render("session/sections/files.html", variables)
    assert "&lt;b&gt;&amp;" in page
    assert "(&lt;i&gt;)" in page
    assert "<b>" not in page
    assert "<i>" not in page
