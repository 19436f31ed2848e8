"""Which muscles are features, and how other groupings become these, read from tables.

``features.tsv`` lists the muscles of the harmonized table. ``regrouping.tsv`` holds the two
operations of Verdu-Diaz et al. 2025, section 2.2: ``merge`` (the feature is the mean of the sources
that were scored) and ``expand`` (a group's score is given to each of its muscles). A score of the
feature itself always wins over a merged one, and a merged one over an expanded one; of several
groups that could be expanded, the first in the table wins, so narrow groups stand first.
Only the standard library is used.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from pipelines.errors import DataError
from pipelines.package_data import package_rows

_FIRST_EXPANSION = 2  # level 0: the feature itself, 1: merged, 2 and on: expanded in table order


@dataclass(frozen=True)
class Regrouping:
    """How scores of muscles and groups become features.

    Attributes
    ----------
    features : tuple of str
        Muscles of the harmonized table, in its order.
    targets : mapping of str to tuple of (str, int)
        For each muscle or group that may be scored: the features it serves and at which level.
        The lowest level that has a score wins; scores at the same level are averaged.
    """

    features: tuple[str, ...]
    targets: Mapping[str, tuple[tuple[str, int], ...]]

    @property
    def groups(self) -> tuple[str, ...]:
        """Names that are only sources, muscles and groups that are no feature themselves."""
        return tuple(name for name in self.targets if name not in self.features)

    @staticmethod
    def operation(level: int) -> str:
        """Return what a level means: ``as scored``, ``merge`` or ``expand``."""
        return ("as scored", "merge", "expand")[min(level, _FIRST_EXPANSION)]


@cache
def default_regrouping() -> Regrouping:
    """Return the features and rules that come with the package."""
    features = tuple(row["muscle"] for row in package_rows(__package__, "features.tsv"))
    return build_regrouping(features, package_rows(__package__, "regrouping.tsv"), "regrouping.tsv")


def build_regrouping(
    features: tuple[str, ...], rules: Iterable[Mapping[str, str]], source: str
) -> Regrouping:
    """Check rules and put them in order."""
    targets: dict[str, list[tuple[str, int]]] = {name: [(name, 0)] for name in features}
    expansions: list[str] = []
    for line, rule in enumerate(rules, start=2):
        operation, group, muscle = rule["operation"], rule["source"], rule["muscle"]
        where = f"{source}, row {line}"
        if muscle not in features:
            raise DataError(
                f"{where}: {muscle!r} is no feature muscle.", "Take a name of features.tsv."
            )
        if operation == "merge":
            level = 1
        elif operation == "expand":
            if group not in expansions:
                expansions.append(group)
            level = _FIRST_EXPANSION + expansions.index(group)
        else:
            raise DataError(
                f"{where}: operation {operation!r} is unknown.", "Write merge or expand."
            )
        served = targets.setdefault(group, [])
        if any(name == muscle for name, _ in served):
            raise DataError(
                f"{where}: {group!r} already gives {muscle!r} a score.", "Delete one of the rules."
            )
        served.append((muscle, level))
    return Regrouping(features, {name: tuple(served) for name, served in targets.items()})
