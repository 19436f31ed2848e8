"""Recognize muscles by the names that other people give them.

Spellings that differ by more than case, separators or the side are rows of ``spellings.tsv``.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache

from pipelines.anatomy.vocabulary import LabelSide, muscles
from pipelines.package_data import package_rows

_SIDE_WORDS: Mapping[str, LabelSide] = {
    "left": "left",
    "l": "left",
    "lt": "left",
    "right": "right",
    "r": "right",
    "rt": "right",
    "both": "both",
    "bilateral": "both",
    "mean": "both",
}
_FILLERS = {"m", "muscle", "musculus"}


def match_name(name: str) -> tuple[str | None, LabelSide] | None:
    """Find the muscle and the side that a label name means.

    Parameters
    ----------
    name : str
        For example ``Right Biceps Femoris-LH``, ``vastus_lateralis_left`` or ``RF_L``.

    Returns
    -------
    tuple or None
        Our muscle name (None for a known structure that is not measured, such as bone) and the
        side (``both`` if the name states none); None if the name is not recognized.
    """
    spelling, side = split_side(name)
    known = _spellings()
    return (known[spelling], side) if spelling in known else None


def split_side(name: str) -> tuple[str, LabelSide]:
    """Take the side off a name.

    Parameters
    ----------
    name : str
        For example ``Right Biceps Femoris-LH`` or ``RF_L``.

    Returns
    -------
    spelling : str
        The rest in lower case with single spaces: ``biceps femoris lh``. Letters of any script.
    side : {'left', 'right', 'both'}
        ``both`` if the name states none.
    """
    # Some systems write an accent as a character of its own, which would split the word.
    text = unicodedata.normalize("NFKC", name).casefold()
    words = [w for w in re.split(r"[\W_]+", text) if w and w not in _FILLERS]
    for end in (0, -1):
        if len(words) > 1 and words[end] in _SIDE_WORDS:
            side = _SIDE_WORDS[words.pop(end)]
            return " ".join(words), side
    return " ".join(words), "both"


@cache
def _spellings() -> Mapping[str, str | None]:
    """Return every known spelling, in lower case with single spaces."""
    known: dict[str, str | None] = {}
    for muscle in muscles().values():
        known[muscle.abbreviation.lower()] = muscle.name
        known[muscle.name.replace("_", " ")] = muscle.name
    for row in package_rows(__package__, "spellings.tsv"):
        known[row["spelling"]] = None if row["muscle"] == "n/a" else row["muscle"]
    return known
