"""Order and words of a page, read from ``session/report.yaml``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup

from pipelines.package_data import package_yaml


@dataclass(frozen=True)
class PageSection:
    """A section: its template, which is also its anchor, and its heading."""

    id: str
    title: str


@dataclass(frozen=True)
class Measure:
    """A column of the per-muscle table as shown on the page."""

    column: str
    title: str
    unit: str
    decimals: int
    spread: str | None = None  # column shown after a +/- sign
    bar: float | None = None  # end of the scale of a bar
    difference: str | None = None  # column with the difference between left and right
    difference_unit: str = ""


@dataclass(frozen=True)
class ProfileColumns:
    """Columns of the slice profile that are drawn: position along the body, mm, and a value."""

    position: str
    value: str


@dataclass(frozen=True)
class ScanKey:
    """A key of a sidecar that is told about the scan."""

    title: str
    unit: str = ""


@dataclass(frozen=True)
class SettingKey:
    """A setting that is told: the kind of sidecar and the keys, from the outside inwards."""

    sidecar: str
    key: Sequence[str]
    title: str


@dataclass(frozen=True)
class Layout:
    """The content of ``report.yaml``; the comments there say what each key does."""

    title: str
    disclaimer: str
    answer_text: str
    data_origins: Mapping[str, str]
    once: Sequence[PageSection]
    per_stack: Sequence[PageSection]
    closing: Sequence[PageSection]
    mosaic_slices: int
    sides: Mapping[str, str]
    map_column: str
    measures: Sequence[Measure]
    details: Sequence[Measure]
    profile: ProfileColumns
    flags: Mapping[str, str]
    incomplete_group: str
    levels: Mapping[str, str]
    checks: Mapping[str, str]
    scan: Mapping[str, ScanKey]
    settings: Sequence[SettingKey]
    files: Mapping[str, str]


@cache
def layout() -> Layout:
    """Return the order and words of the session page."""
    content = package_yaml("bids_app.reports.session", "report.yaml")
    sections = content.pop("sections")
    content.update({part: [PageSection(**s) for s in listed] for part, listed in sections.items()})
    for key in ("measures", "details"):
        content[key] = [Measure(**entry) for entry in content[key]]
    content["profile"] = ProfileColumns(**content["profile"])
    content["scan"] = {key: ScanKey(**entry) for key, entry in content["scan"].items()}
    content["settings"] = [SettingKey(**entry) for entry in content["settings"]]
    return Layout(**content)


def render(template: str, variables: Mapping[str, Any]) -> str:
    """Fill a template, ``NAME`` here or ``session/NAME`` and ``group/NAME`` in their folders.

    Every value is escaped, so that a name from a file can never become markup.

    Parameters
    ----------
    template : str
        Its name.
    variables : Mapping
        Values for the template.

    Returns
    -------
    str
        The finished text.
    """
    return _environment().get_template(template).render(variables)


@cache
def _environment() -> Environment:
    own = {page: PackageLoader(f"bids_app.reports.{page}") for page in ("session", "group")}
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("bids_app.reports"), PrefixLoader(own)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["words"] = _words
    # The only text that is not escaped: our own style sheet.
    style = (files("bids_app.reports") / "templates" / "style.css").read_text(encoding="utf-8")
    environment.globals["style"] = Markup(style)
    return environment


def _words(name: str) -> str:
    """Turn ``biceps_femoris_long_head`` into ``Biceps femoris long head``."""
    return name.replace("_", " ").capitalize()
