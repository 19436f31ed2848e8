"""Write the page of one session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bids_app.reports.layout import Layout, layout, render
from bids_app.reports.patient_view import Patient, patients_view
from bids_app.reports.session.content import LabelEntry, SessionContent, StackContent
from bids_app.reports.session.figures import (
    COLOR_STOPS,
    GREY_AT_HUNDRED,
    GREY_AT_ZERO,
    Figure,
    key_slice,
    mosaic,
)
from bids_app.reports.session.methods import methods
from bids_app.reports.session.muscle_table import MuscleTable, fat_fraction_means, muscle_rows
from bids_app.reports.session.profiles import Profiles, profiles
from bids_app.reports.session.quality_lights import lights

# Order in which the quality checks of a stack's sidecars are listed.
_SIDECARS = ("fat_fraction", "labels", "stats", "profile")

# Templates of figures, and the part of a stack's view that each draws.
_FIGURES = {"names": "key_slice", "map": "key_slice", "mosaic": "mosaic"}


@dataclass(frozen=True)
class StackView:
    """What the templates draw of one stack; None and empty parts are left out."""

    id: str  # unique within the page, for anchors
    name: str
    legend: Sequence[LabelEntry]  # one entry per muscle
    key_slice: Figure | None
    mosaic: Figure | None
    muscles: MuscleTable | None
    details: MuscleTable | None
    profiles: Profiles | None

    @property
    def colors(self) -> Mapping[str, str]:
        """Colour of each muscle, by its name."""
        return {entry.muscle: entry.color for entry in self.legend}


def stack_views(content: SessionContent) -> list[StackView]:
    """Draw the figures and lay out the tables of every stack, once for page and figure files."""
    words = layout()
    return [_stack_view(s, number, words) for number, s in enumerate(content.stacks)]


def render_session(content: SessionContent, views: Sequence[StackView] | None = None) -> str:
    """Write the page of one session.

    Parameters
    ----------
    content : SessionContent
        Results and how they were made.
    views : Sequence of StackView, optional
        From :func:`stack_views`, if they have been made already.

    Returns
    -------
    str
        A complete HTML document that needs no other file.
    """
    return render("session/page.html", _variables(content, views or stack_views(content)))


def session_figures(
    content: SessionContent, views: Sequence[StackView] | None = None
) -> dict[str, str]:
    """Draw the figures of a session as files of their own.

    Parameters
    ----------
    content : SessionContent
        Results and how they were made.
    views : Sequence of StackView, optional
        From :func:`stack_views`, if they have been made already.

    Returns
    -------
    dict of str to str
        SVG documents by file name without folder, e.g. ``sub-01_mosaic.svg``.
    """
    drawn = {}
    for stack in views or stack_views(content):
        prefix = "_".join(part for part in (_title(content), stack.name) if part)
        variables = {**_scales(), "stack": stack, "standalone": True}
        for name, figure in _FIGURES.items():
            if getattr(stack, figure) is not None:
                drawn[f"{prefix}_{name}.svg"] = render(f"session/figures/{name}.svg", variables)
    return drawn


def _variables(content: SessionContent, views: Sequence[StackView]) -> dict[str, Any]:
    words = layout()
    sidecars = [
        (stack.name, [stack.sidecars[kind] for kind in _SIDECARS if kind in stack.sidecars])
        for stack in content.stacks
    ]
    return {
        "content": content,
        "layout": words,
        "name": _title(content),
        "lights": lights(sidecars, words),
        "stacks": views,
        "diagnosis": _diagnosis(content),
        "methods": methods(content, words),
        "standalone": False,
        **_scales(),
    }


def _diagnosis(content: SessionContent) -> Patient | None:
    """Return the answer of a diagnosis model, if one was asked."""
    tables = content.diagnosis
    if "group_flags" not in tables:
        return None
    names = ("group_diagnosis", "group_flags", "group_explanation")
    results, flags, explanation = (tables[name] for name in names)
    return patients_view(results, flags, explanation, {}, 1).patients[0]


def _scales() -> dict[str, Any]:
    """Return the colours at the ends of, and along, the two scales of fat fraction."""
    grey = {0: f"rgb({GREY_AT_ZERO} {GREY_AT_ZERO} {GREY_AT_ZERO})"}
    grey[100] = f"rgb({GREY_AT_HUNDRED} {GREY_AT_HUNDRED} {GREY_AT_HUNDRED})"
    return {"grey_scale": grey, "color_scale": COLOR_STOPS}


def _title(content: SessionContent) -> str:
    session = f"_ses-{content.session}" if content.session else ""
    return f"sub-{content.participant}{session}"


def _stack_view(stack: StackContent, number: int, words: Layout) -> StackView:
    figure = key = None
    if stack.fat_fraction is not None and stack.affine is not None:
        figure = mosaic(
            stack.fat_fraction, stack.labels, stack.lookup, stack.affine, words.mosaic_slices
        )
        if stack.labels is not None:
            means = {} if stack.stats is None else fat_fraction_means(stack.stats, words.map_column)
            key = key_slice(stack.fat_fraction, stack.labels, stack.lookup, stack.affine, means)
    sides = list(words.sides)
    tables: list[MuscleTable | None] = [None, None]
    if stack.stats is not None and len(stack.stats):
        tables = [
            muscle_rows(stack.stats, words.measures, sides, words.flags, words.incomplete_group),
            muscle_rows(stack.stats, words.details, sides, {}),
        ]
    return StackView(
        id=f"stack{number + 1}",
        name=stack.name,
        legend=_legend(stack),
        key_slice=key,
        mosaic=figure,
        muscles=tables[0],
        details=tables[1] if tables[1] and tables[1].blocks else None,
        profiles=None if stack.profile is None else profiles(stack.profile, words.profile, sides),
    )


def _legend(stack: StackContent) -> list[LabelEntry]:
    """Return one entry per muscle that is in the label image or the table."""
    drawn = set() if stack.labels is None else set(np.unique(stack.labels).tolist())
    measured = set() if stack.stats is None else set(stack.stats["muscle"])
    entries = {
        entry.muscle: entry
        for value, entry in stack.lookup.items()
        if value in drawn or entry.muscle in measured
    }
    return list(entries.values())
