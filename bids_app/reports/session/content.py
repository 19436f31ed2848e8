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
    """One row of the look-up table of a label image.

    Attributes
    ----------
    index : int
        Value in the image.
    name : str
        Name of the label, e.g. ``left_sartorius``.
    abbreviation : str
        Short form of the muscle, drawn into figures.
    color : str
        ``#rrggbb``.
    muscle : str
        snake_case name of the muscle, as in the per-muscle table.
    side : str
        ``left``, ``right``, or ``n/a`` for a muscle of the midline.
    """

    index: int
    name: str
    abbreviation: str
    color: str
    muscle: str
    side: str


@dataclass(frozen=True)
class OutputFile:
    """A derivative file the page links to.

    Attributes
    ----------
    path : str
        Path relative to the page, with forward slashes.
    kind : str
        What it holds; ``report.yaml`` has the words for it under ``files``.
    """

    path: str
    kind: str


@dataclass(frozen=True)
class Failure:
    """Something that could not be done.

    Attributes
    ----------
    message : str
        What is wrong.
    hint : str
        What to do about it.
    step : str
        The step that failed, e.g. ``segmentation``.
    stack : str
        The stack it happened in; empty for the whole session.
    """

    message: str
    hint: str = ""
    step: str = ""
    stack: str = ""


@dataclass(frozen=True)
class StackContent:
    """Results of one Dixon stack; whatever is missing is left out of the page.

    Attributes
    ----------
    name : str
        Entities that tell the stacks of a session apart, e.g. ``acq-dixon_chunk-1``; empty if
        there is only one.
    fat_fraction : ndarray of shape (x, y, z) or None
        Fat fraction in percent, NaN where there is no value; canonical RAS+ order.
    affine : ndarray of shape (4, 4) or None
        Affine of `fat_fraction` and `labels`, mm.
    labels : ndarray of shape (x, y, z) or None
        Label image on the grid of `fat_fraction`.
    lookup : Mapping of int to LabelEntry
        What the values of `labels` mean.
    stats : DataFrame or None
        Per-muscle table: columns ``level``, ``muscle``, ``side`` and measures.
    profile : DataFrame or None
        Slice profile: columns ``muscle``, ``side``, ``position_mm`` and ``ff_mean``.
    sidecars : Mapping of str to Mapping
        JSON sidecars of ``fat_fraction``, ``labels``, ``stats`` and ``profile``; checks are read
        from their ``QualityChecks``.
    files : Sequence of OutputFile
        Files of this stack.
    """

    name: str = ""
    fat_fraction: "Array | None" = None
    affine: "Affine | None" = None
    labels: "Array | None" = None
    lookup: Mapping[int, LabelEntry] = field(default_factory=dict)
    stats: "pd.DataFrame | None" = None
    profile: "pd.DataFrame | None" = None
    sidecars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    files: Sequence[OutputFile] = ()


@dataclass(frozen=True)
class SessionContent:
    """Everything a session page shows.

    Attributes
    ----------
    participant : str
        Label without ``sub-``.
    session : str or None
        Label without ``ses-``; None in datasets without sessions.
    run : RunInfo
        How the results were made.
    stacks : Sequence of StackContent
        Results, in the order in which they are shown.
    failures : Sequence of Failure
        What could not be done.
    diagnosis : Mapping of str to DataFrame
        Answers of a diagnosis model: ``group_diagnosis``, ``group_flags`` and
        ``group_explanation`` of this session; empty if none was asked.
    """

    participant: str
    session: str | None
    run: RunInfo
    stacks: Sequence[StackContent] = ()
    failures: Sequence[Failure] = ()
    diagnosis: "Mapping[str, pd.DataFrame]" = field(default_factory=dict)
