"""What messages show of somebody's text."""

import pytest

from pipelines.errors import MOST_SHOWN, quoted, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2a", "2a"),
        (3.5, "3.5"),
        ("", ""),
        ("x" * MOST_SHOWN, "x" * MOST_SHOWN),
        ("x" * (MOST_SHOWN + 1), "x" * (MOST_SHOWN - 1) + "…"),
        ("y" * 10_000, "y" * (MOST_SHOWN - 1) + "…"),
    ],
)
def test_long_texts_are_shortened(text: object, shown: str) -> None:
    assert shortened(text) == shown
    assert len(shortened(text)) <= MOST_SHOWN
    assert quoted(text) == f"'{shown}'"


def test_what_would_end_a_line_is_written_out() -> None:
    assert quoted("1\t2\n") == r"'1\t2\n'"
