"""What a session page is made from: plain values, arrays and tables, no files.

The dataclasses here are the whole interface of the reports: fill them (from results in memory, or
from files with :mod:`bids_app.reports.session.derivative_content`) and call
:func:`bids_app.reports.session.page.render_session`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bids_app.files.provenance import RunInfo

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.arrays import Affine, Array


@dataclass(frozen=True)
class LabelEntry:
    """One row of the look-up table of a label image."""

    index: int  # value in the image
    name: str
    abbreviation: str  # drawn into figures
    color: str  # #rrggbb
    muscle: str
    side: str  # left, right, or n/a for a muscle of the midline


@dataclass(frozen=True)
class OutputFile:
    """A file the page links to, relative to the page; ``report.yaml`` has words for its kind."""

    path: str
    kind: str


@dataclass(frozen=True)
class Failure:
    """Something that could not be done: what is wrong, and what to do about it."""

    message: str
    hint: str = ""
    step: str = ""
    stack: str = ""  # empty for the whole session


@dataclass(frozen=True)
class StackContent:
    """Results of one Dixon stack; whatever is missing is left out of the page."""

    # entities that tell stacks apart, e.g. acq-dixon_chunk-1; empty if there is only one
    name: str = ""
    # (x, y, z), percent, NaN where there is no value; canonical RAS+ order
    fat_fraction: "Array | None" = None
    affine: "Affine | None" = None  # of map and labels, mm
    labels: "Array | None" = None  # on the grid of the map
    lookup: Mapping[int, LabelEntry] = field(default_factory=dict)
    stats: "pd.DataFrame | None" = None
    profile: "pd.DataFrame | None" = None
    # of fat_fraction, labels, stats and profile
    sidecars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    files: Sequence[OutputFile] = ()


@dataclass(frozen=True)
class SessionContent:
    """Everything a session page shows."""

    participant: str  # without sub-
    session: str | None  # without ses-; None in datasets without sessions
    run: RunInfo
    stacks: Sequence[StackContent] = ()
    failures: Sequence[Failure] = ()
    # tables of a diagnosis model; empty if none was asked
    diagnosis: "Mapping[str, pd.DataFrame]" = field(default_factory=dict)
    verdicts: Sequence[str] = ()  # sentences about what people decided
