"""Fill the templates; every page of the app is written through :func:`render`."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def render(template: str, variables: Mapping[str, Any]) -> str:
    """Fill a template of ``bids_app/reports/templates``.

    Every value is escaped, so that a name from a file can never become markup.

    Parameters
    ----------
    template : str
        Path relative to the folder of templates.
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
    environment = Environment(
        loader=PackageLoader("bids_app.reports"),
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
