import pytest
from jinja2 import UndefinedError

from bids_app.reports.pages import render
from tests.bids_app.reports.page_content import session, stack


def test_a_variable_that_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'stack' is undefined"):
        render("figures/mosaic.svg", {})


def test_values_are_escaped() -> None:
    variables = {
        "section": {"id": "x", "title": "<b>&"},
        "content": session(stacks=[stack()]),
        "layout": {"files": {"fat_fraction": "<i>", "stats": '"'}},
    }
    page = render("sections/files.html", variables)
    assert "&lt;b&gt;&amp;" in page
    assert "(&lt;i&gt;)" in page
    assert "<b>" not in page
    assert "<i>" not in page
