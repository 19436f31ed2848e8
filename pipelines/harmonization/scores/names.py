"""Which muscle and side a column of a score table means.

The names of the vocabulary and its spellings (:mod:`pipelines.anatomy.label_names`) are known
everywhere; ``names.tsv`` adds what only tables of scores contain, above all groups of muscles that
were scored as one. A user adds names in a file of the same form.

``ambiguous_names.tsv`` lists names that tables of different body regions use for different muscles,
such as GM for the medial gastrocnemius and the gluteus maximus: they mean nothing until the user
says which. An abbreviation stays out of it where the other meaning is no muscle of the features
(SA, BB) or not in use beside the first (AM, TA, GL, VM).
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from pipelines.anatomy.label_names import match_name, split_side
from pipelines.anatomy.vocabulary import muscles
from pipelines.errors import DataError, quoted
from pipelines.harmonization.scores.regrouping import Regrouping, default_regrouping
from pipelines.package_data import package_rows

ScoreSide = Literal["left", "right", "mean"]

_IGNORED = "n/a"
_COLUMNS = ("source_name", "muscle")


@dataclass(frozen=True)
class MuscleNames:
    """Names of columns and the muscles they mean.

    Attributes
    ----------
    spellings : mapping of str to str or None
        Lower-case names without side, and our name of the muscle or group; None for a column that
        is to be left out.
    regrouping : Regrouping
        Tells which names of groups are known beside the muscles of the vocabulary.
    ambiguous : mapping of str to tuple of str
        Lower-case names without side that have several meanings, unless ``spellings`` has them.
    """

    spellings: Mapping[str, str | None]
    regrouping: Regrouping
    ambiguous: Mapping[str, tuple[str, ...]]

    def match(self, column: str) -> tuple[str | None, ScoreSide] | None:
        """Find the muscle and side that a column means.

        Parameters
        ----------
        column : str
            For example ``VL``, ``vastus_lateralis_L`` or ``right gluteus maximus``.

        Returns
        -------
        tuple or None
            Our name (None for a column to be left out) and the side (``mean`` if none is stated);
            None if the name is not known, or has several :meth:`meanings`.
        """
        spelling, side = split_side(column)
        score_side: ScoreSide = "mean" if side == "both" else side
        if spelling in self.spellings:
            return self.spellings[spelling], score_side
        if spelling in self.ambiguous:
            return None
        found = match_name(column)
        return None if found is None else (found[0], score_side)

    def meanings(self, column: str) -> tuple[str, ...]:
        """Return what an ambiguous name may mean; nothing for any other name."""
        spelling = split_side(column)[0]
        return () if spelling in self.spellings else self.ambiguous.get(spelling, ())

    def suggestions(self, column: str) -> list[str]:
        """Return known names that look like an unknown one, best first."""
        known = [n.replace("_", " ") for n in (*muscles(), *self.regrouping.targets)]
        close = difflib.get_close_matches(split_side(column)[0], known, n=3, cutoff=0.75)
        return [name.replace(" ", "_") for name in dict.fromkeys(close)]

    def with_map(self, rows: Iterable[Mapping[str, str]], source: str) -> "MuscleNames":
        """Add names; they come before those already known.

        Parameters
        ----------
        rows : iterable of mapping
            ``source_name`` and ``muscle`` (our name, or ``n/a`` for a column to be left out). A
            side in the name does not matter, so one row serves ``VL``, ``VL_L`` and ``VL_R``.
        source : str
            Name of the file, for messages.

        Returns
        -------
        MuscleNames

        Raises
        ------
        DataError
            If a column is missing, a name has no letter or digit, a muscle is unknown, or one name
            gets two meanings.
        """
        added: dict[str, str | None] = {}
        for line, cells in enumerate(rows, start=2):
            row = {name: cells.get(name, "").strip() for name in _COLUMNS}
            lacking = [name for name in _COLUMNS if not row[name]]
            if lacking:
                raise DataError(
                    f"{source}, row {line}: no {' and no '.join(lacking)}.",
                    f"A muscle map has the columns {' and '.join(_COLUMNS)}, separated by tabs.",
                )
            spelling = split_side(row["source_name"])[0]
            if not spelling:
                raise DataError(
                    f"{source}, row {line}, column 'source_name': "
                    f"{quoted(row['source_name'])} holds no letter or digit.",
                    "Only these tell names apart.",
                )
            muscle = None if row["muscle"] == _IGNORED else row["muscle"]
            if muscle is not None and not self._is_known(muscle):
                raise DataError(
                    f"{source}, row {line}, column 'muscle': unknown muscle {quoted(muscle)}"
                    f"{self._did_you_mean(muscle)}.",
                    "Muscle names: run.py --list muscles; names of groups: regrouping.tsv.",
                )
            if added.get(spelling, muscle) != muscle:
                raise DataError(
                    f"{source}, row {line}: {quoted(row['source_name'])} already means "
                    f"{added[spelling] or _IGNORED}.",
                    "Keep one row per name; sides are taken off the name.",
                )
            added[spelling] = muscle
        return replace(self, spellings={**self.spellings, **added})

    def unknown_text(self, column: str) -> str:
        """Quote an unknown name, with what may have been meant."""
        return f"{quoted(column)}{self._did_you_mean(column)}"

    def _is_known(self, muscle: str) -> bool:
        return muscle in muscles() or muscle in self.regrouping.targets

    def _did_you_mean(self, name: str) -> str:
        close = self.suggestions(name)
        return f" (did you mean {' or '.join(close)}?)" if close else ""


@cache
def default_names() -> MuscleNames:
    """Return the names that come with the package."""
    regrouping = default_regrouping()
    own = {name.replace("_", " "): name for name in regrouping.targets}
    ambiguous: dict[str, tuple[str, ...]] = {}
    for row in package_rows(__package__, "ambiguous_names.tsv"):
        spelling = split_side(row["source_name"])[0]
        ambiguous[spelling] = (*ambiguous.get(spelling, ()), row["muscle"])
    names = MuscleNames(own, regrouping, ambiguous)
    return names.with_map(package_rows(__package__, "names.tsv"), "names.tsv")
