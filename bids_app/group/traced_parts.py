"""The trace of the cohort down to single measurements: what every score was joined from."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bids_app.group.quality_tables import PART_COLUMNS
from pipelines.harmonization.scores.scales import MEASURED
from pipelines.harmonization.trace import TRACE_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

_SCORE = ["sample", "scored_muscle", "side"]
_MEASURE = "ff_mean"
# In the order of the steps: the cell, the scan, the score, the feature, and what to know of it.
_COLUMNS = (
    *TRACE_COLUMNS[: TRACE_COLUMNS.index("scale")],
    *PART_COLUMNS[: PART_COLUMNS.index("failed_lights")],
    *TRACE_COLUMNS[TRACE_COLUMNS.index("scale") :],
    *PART_COLUMNS[PART_COLUMNS.index("failed_lights") :],
)


def trace_parts(trace: "pd.DataFrame", parts: "Sequence[pd.DataFrame]") -> "pd.DataFrame":
    """Add ``PART_COLUMNS`` to a trace, with one row per measurement that a score was joined from.

    Measurements that do not count stand there too, unused. A score that a person gave is its own
    and only part.
    """
    import pandas as pd

    if not parts:
        whole = trace.assign(value=trace["score"], weight=1.0, choice="only")
        return whole.reindex(columns=list(_COLUMNS))
    found = pd.concat(parts, ignore_index=True).rename(columns={"muscle": "scored_muscle"})
    numbered = trace.assign(position=range(len(trace)))
    texts = numbered.astype(dict.fromkeys([*_SCORE, "source", "column"], object))
    whole = texts.merge(found, on=_SCORE, how="outer", suffixes=("", "_part"))
    given = whole["weight"].isna()  # by a person
    for name in ("source", "row"):
        whole[name] = whole[name].where(given, whole[f"{name}_part"])
    whole["column"] = whole["column"].where(given, _MEASURE)
    whole["value"] = whole["value"].where(~given, whole["score"])
    whole["weight"] = whole["weight"].fillna(1.0)
    whole["choice"] = whole["choice"].astype(object).fillna("only")
    whole["scale"] = whole["scale"].astype(object).fillna(MEASURED)
    whole["used"] = whole["used"].eq(True) & (whole["weight"] > 0)
    whole = whole.sort_values("position", kind="stable", na_position="last")
    return whole.astype({"row": "int64"})[list(_COLUMNS)]
