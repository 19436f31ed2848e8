"""Write the page of a cohort."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from bids_app.files.group_files import SUMMARY
from bids_app.files.provenance import citations
from bids_app.reports.group.audit_view import audit_view
from bids_app.reports.group.cohort_view import cohort_view
from bids_app.reports.group.content import GroupContent
from bids_app.reports.group.explanation_view import (
    answer_figures,
    clusters,
    importance_view,
    waterfalls,
)
from bids_app.reports.group.harmonization_view import harmonization_view
from bids_app.reports.group.performance_view import performance_view
from bids_app.reports.group.quality_view import quality_view
from bids_app.reports.layout import layout, render
from bids_app.reports.patient_view import PatientsView, patients_view
from pipelines.package_data import package_yaml

if TYPE_CHECKING:
    import pandas as pd


def render_group(content: GroupContent) -> str:
    """Write the page of a cohort.

    Parameters
    ----------
    content : GroupContent
        Tables and summary of the group level.

    Returns
    -------
    str
        A complete HTML document that needs no other file.
    """
    words = group_words()
    tables, summary, evaluation = content.tables, content.summary, content.evaluation
    patients = _patients(tables, words["most_patients"])
    origins = {study: words["origins"][origin] for study, origin in summary["Origins"].items()}
    variables = {
        "content": content,
        "layout": layout(),
        "words": words,
        "cohort": cohort_view(tables["group_scores"], origins, words["sides"]),
        "quality": (
            quality_view(tables["group_quality"], layout().checks)
            if "group_quality" in tables
            else None
        ),
        "not_people": _not_people(origins),
        "facts": _facts(content),
        "harmonization": harmonization_view(
            tables["group_trace"], summary["Harmonization"]["options"], words
        ),
        "audit": audit_view(tables["group_audit"]) if "group_audit" in tables else None,
        "performance": performance_view(_with_readers(evaluation, tables), words),
        "patients": patients,
        **_explanation(content, patients, words),
        "methods": _methods(summary),
        "citations": [c for c in citations() if c.when in {"always", "group"}],
        "files": _files(content, words["files"]),
    }
    return render("group/page.html", variables)


def _with_readers(
    evaluation: "Mapping[str, pd.DataFrame]", tables: "Mapping[str, pd.DataFrame]"
) -> "Mapping[str, pd.DataFrame]":
    """Return the tables of an evaluation; if a model was applied, with the readers of this run."""
    if "group_readers" not in tables:
        return evaluation
    return {**evaluation, "readers": tables["group_readers"]}


@cache
def group_words() -> Mapping[str, Any]:
    """Return the content of ``group_report.yaml``; the comments there say what each key does."""
    words: Mapping[str, Any] = package_yaml(__package__, "group_report.yaml")
    return words


def _patients(tables: "Mapping[str, pd.DataFrame]", most: int) -> PatientsView | None:
    names = ("group_diagnosis", "group_flags", "group_explanation")
    if not all(name in tables for name in names):
        return None
    scores = tables["group_scores"].dropna(subset="diagnosis")
    known = dict(zip(scores["sample"], scores["diagnosis"].astype(str), strict=True))
    results, flags, explanation = (tables[name] for name in names)
    return patients_view(results, flags, explanation, known, most)


def _explanation(
    content: GroupContent, patients: PatientsView | None, words: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return what the page says about the reasons of the model, by names of its templates."""
    tables, evaluation = content.tables, content.evaluation
    acting = clusters(tables["group_clusters"]) if "group_clusters" in tables else None
    found: dict[str, Any] = {"clusters": acting, "importance": [], "waterfalls": {}, "answers": []}
    if "importance" in evaluation:
        found["importance"] = importance_view(evaluation["importance"])
    if patients is not None:
        explanation = tables["group_explanation"]
        shown = [patient.sample for patient in patients.patients]
        found["waterfalls"] = waterfalls(explanation, shown)
        found["answers"] = answer_figures(
            explanation,
            acting[0] if acting else None,
            words["most_explained"],
            words["least_explained_samples"],
        )
    return found


def _facts(content: GroupContent) -> list[tuple[str, str]]:
    run, model = content.run, content.summary["Model"]
    facts = [("Software", f"{run.software} {run.version}"), ("Page made", run.created)]
    if model is not None:
        trained = "trained in this run" if model["TrainedInThisRun"] else "applied"
        people = "simulated patients" if model["Origin"] == "simulated" else "patients"
        text = f"{model['Name']}, {trained}: {len(model['Classes'])} diagnoses, {people}"
        facts.insert(0, ("Diagnosis model", text))
    return facts


def _not_people(origins: Mapping[str, str]) -> str:
    """Say which studies hold data that are not of people; empty if all are."""
    by_text: dict[str, list[str]] = {}
    for study, text in origins.items():
        if text:
            by_text.setdefault(text, []).append(study)
    return "; ".join(
        f"{studies[0] if len(studies) == 1 else f'{len(studies)} studies'}: {text}"
        for text, studies in by_text.items()
    )


def _methods(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say what the results were made with."""
    options = summary["Harmonization"]["options"]
    chosen = "; ".join(
        f"{name} {value}" for name, value in options.items() if not isinstance(value, Mapping)
    )
    software = ", ".join(f"{name} {version}" for name, version in summary["Software"].items())
    return [
        ("Harmonization", chosen),
        ("Feature muscles", str(len(summary["Harmonization"]["muscles"]))),
        ("Files read", str(len(summary["Inputs"]))),
        ("Software", software),
    ]


def _files(content: GroupContent, words: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """Return the files beside the page with what they hold."""
    listed = [(content.files[name], words[name]) for name in content.tables]
    listed.append((SUMMARY.name, words["group_summary"]))
    if content.evaluation:
        folder = content.summary["Model"]["Folder"]
        listed += [(f"{folder}/{name}", words[name]) for name in ("MODEL_CARD.md", "tables")]
    return listed
