"""Which stacks the page of a cohort tells about, and in which words."""

import pandas as pd

from bids_app.reports.group import quality_view as view
from bids_app.reports.group.quality_view import quality_view

COLUMNS = ["sample", "stack", "state", "failed_lights", "text"]
TITLES = {"sides": "Left and right"}


def table(*rows: tuple[str | None, ...]) -> pd.DataFrame:
    """Return rows of ``group_quality`` without a verdict."""
    empty = dict.fromkeys(["verdict", "verdict_reason", "verdict_who", "verdict_when"])
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object).assign(**empty)


def test_stacks_that_nothing_is_said_of_are_not_listed() -> None:
    assert quality_view(table(("raw/sub-01", None, "used", None, None)), TITLES) is None


def test_those_left_out_come_first_with_titles_and_verdicts() -> None:
    rows = table(
        ("raw/sub-01", None, "used", None, None),
        ("raw/sub-02", "acq-a", "used", "sides, new_check", "Turned."),
        ("raw/sub-03", None, "left out", None, None),
    )
    verdict = ["verdict", "verdict_reason", "verdict_who", "verdict_when"]
    rows.loc[2, verdict] = ["exclude", "moved", "me", "2026-11-30"]
    found = quality_view(rows, TITLES)
    assert found is not None
    assert (found.stacks, found.left_out, found.more) == (3, 1, 0)
    assert found.rows == [
        view.QualityRow("raw/sub-03", "", "left out", "", "", "exclude: moved (me, 2026-11-30)"),
        view.QualityRow("raw/sub-02", "acq-a", "used", "Left and right, new check", "Turned.", ""),
    ]


def test_long_lists_end_with_their_number() -> None:
    rows = table(*((f"raw/sub-{n}", None, "left out", "sides", "Turned.") for n in range(60)))
    found = quality_view(rows, TITLES)
    assert found is not None
    assert (len(found.rows), found.more) == (50, 10)
