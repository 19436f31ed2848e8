"""What a training and an audit found, in sentences for the console."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# Targets of the audit of which there are many, and what one of each is called.
_MANY = {"missing:": "muscles", "diagnosis:": "diagnoses"}


def said_findings(audit: "pd.DataFrame") -> Iterator[str]:
    """Say what ``group_audit`` warns of; of single muscles and diagnoses the worst."""
    leaks = audit[audit["level"] == "warn"].sort_values("auc", ascending=False, kind="stable")
    target = leaks["target"].astype(str)
    yield from leaks["text"][~target.str.startswith(tuple(_MANY))]
    for kind, what in _MANY.items():
        part = leaks[target.str.startswith(kind)]
        if len(part):
            of_all = int(audit["target"].astype(str).str.startswith(kind).sum())
            yield f"{part['text'].iloc[0]} So for {len(part)} of {of_all} {what}."


def said_figures(tables: "Mapping[str, pd.DataFrame]") -> Iterator[str]:
    """Say how good the model is on patients, and on studies, that it had not seen."""
    seen = {"": "on patients not seen", "studies_": "on studies left out as a whole"}
    for prefix, where in seen.items():
        if f"{prefix}overall" in tables:
            row = tables[f"{prefix}overall"].set_index("metric").loc["balanced_accuracy"]
            yield (
                f"balanced accuracy {row['value']:.1%} ({row['lower']:.1%} to {row['upper']:.1%}) "
                f"{where}: {row['n_samples']:g} samples, {row['n_classes']:g} diagnoses"
            )
    if "studies_overall" not in tables:
        yield "no study could be left out as a whole: nothing tells how the model does elsewhere"
