"""Participant and session labels as people type them."""

from collections.abc import Iterable
from pathlib import Path

from bids_app.dataset.tree import LABEL, natural_key
from bids_app.errors import AppError, ExitCode
from bids_app.files.reading import read_text

# How many labels an error message lists before it says how many more there are.
_MOST_LISTED = 20


def parse_labels(values: Iterable[str], prefix: str) -> list[str]:
    """Read labels given on the command line or in a text file.

    Parameters
    ----------
    values : iterable of str
        Labels with or without `prefix`; ``@PATH`` stands for the lines of a text file (blank
        lines and lines that start with ``#`` do not count).
    prefix : str
        ``sub-`` or ``ses-``.

    Returns
    -------
    list of str
        Labels without prefix, each once, in natural order.

    Raises
    ------
    AppError
        ``USAGE`` for a label with other characters than letters, digits and ``+``;
        ``NOTHING_SELECTED`` for an empty file; as
        :func:`~bids_app.files.reading.read_text` if it cannot be read.
    """
    labels = set()
    for value in values:
        given = _lines_of(Path(value[1:])) if value.startswith("@") else [(value, "")]
        for text, where in given:
            label = text.removeprefix(prefix)
            if not LABEL.fullmatch(label):
                raise AppError(
                    f"{text!r}{where} is not a label: labels hold letters, digits and '+'.",
                    ExitCode.USAGE,
                    f"Write it as in the folder name, with or without {prefix}.",
                )
            labels.add(label)
    return sorted(labels, key=natural_key)


def enumerate_labels(labels: Iterable[str]) -> str:
    """Write labels for a message, with an end to long lists: ``01, 02, 03 and 97 more``."""
    listed = list(labels)
    text = ", ".join(listed[:_MOST_LISTED])
    more = len(listed) - _MOST_LISTED
    return f"{text} and {more} more" if more > 0 else text


def _lines_of(path: Path) -> list[tuple[str, str]]:
    """Return the labels of a text file, each with the place to name in an error."""
    text = read_text(path)
    lines = [
        (line.strip(), f" ({path}, line {number})")
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise AppError(f"The label list {path} holds no label.", ExitCode.NOTHING_SELECTED)
    return lines
