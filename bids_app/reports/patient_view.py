"""Ranked diagnoses of patients, with what speaks for and against them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# Diagnoses and features shown of each patient.
_MOST_DIAGNOSES, _MOST_FEATURES = 5, 6

# Columns that say what checks and people found in the session, and their words.
_MARKS = {
    "failed_lights": "failed check",
    "left_out_stacks": "left out",
    "verdict": "a person says",
}


@dataclass(frozen=True)
class Diagnosis:
    """A ranked diagnosis; the long name is empty if it says nothing more."""

    name: str
    long_name: str
    probability: float  # percent
    spread: str  # SD over the ensemble, percentage points
    in_set: bool


@dataclass(frozen=True)
class Contribution:
    """What a feature adds to the margin of the first diagnosis."""

    feature: str
    value: str  # harmonized value, or how it was filled in
    shap: float
    share: float  # length of its bar, percent of the longest


@dataclass(frozen=True)
class Patient:
    """The answer for one sample; texts are empty where there is nothing to say."""

    sample: str
    known: str  # diagnosis that is known already
    refused: str  # why there is no answer
    message: str
    flags: Sequence[str]
    muscles: str
    diagnoses: Sequence[Diagnosis]
    set_size: int  # diagnoses in the prediction set
    contributions: Sequence[Contribution]


@dataclass(frozen=True)
class PatientsView:
    """Answers shown on the page, and how many more there are."""

    patients: Sequence[Patient]
    more: int


def patients_view(
    results: "pd.DataFrame",
    flags: "pd.DataFrame",
    explanation: "pd.DataFrame",
    known: Mapping[str, str],
    most: int,
) -> PatientsView:
    """Prepare the answers.

    Parameters
    ----------
    results, flags, explanation : DataFrame
        ``group_diagnosis``, ``group_flags`` and ``group_explanation``.
    known : Mapping of str to str
        Diagnosis of each sample that has one.
    most : int
        Patients shown; all are in the tables.
    """
    by_sample = dict(list(results.groupby("sample", sort=False)))
    first = explanation[explanation["rank"] == 1]
    reasons = dict(list(first.groupby("sample", sort=False)))
    rows = flags.to_dict("records")
    patients = [
        _patient(
            row,
            by_sample.get(row["sample"]),
            reasons.get(row["sample"]),
            known.get(row["sample"], ""),
        )
        for row in rows[:most]
    ]
    return PatientsView(patients, max(0, len(rows) - most))


def _patient(
    row: dict[Any, Any],
    ranked: "pd.DataFrame | None",
    reasons: "pd.DataFrame | None",
    known: str,
) -> Patient:
    raised = []
    if _true(row["near_normal"]):
        raised.append("near normal")
    if _true(row["unlike_training"]):
        raised.append("unlike the training data")
    if _true(row["partial"]):
        raised.append("partial scan")
    raised += [
        f"{words}: {text.replace('_', ' ')}"
        for column, words in _MARKS.items()
        if (text := _text(row.get(column)))
    ]
    diagnoses: list[Diagnosis] = []
    in_set = 0
    if ranked is not None:
        in_set = sum(_true(value) for value in ranked["in_set"])
        diagnoses = [_diagnosis(r) for r in ranked.head(_MOST_DIAGNOSES).to_dict("records")]
    contributions: list[Contribution] = []
    if reasons is not None:
        top = reasons.head(_MOST_FEATURES)
        longest = float(top["shap"].abs().max()) or 1.0
        contributions = [_contribution(r, longest) for r in top.to_dict("records")]
    return Patient(
        str(row["sample"]),
        known,
        _text(row["reason"]) if row["status"] == "refused" else "",
        _text(row["message"]),
        raised,
        f"{row['muscles_scored']:g} ({100 * row['coverage']:.0f} %)",
        diagnoses,
        in_set,
        contributions,
    )


def _diagnosis(row: dict[Any, Any]) -> Diagnosis:
    name, long_name = str(row["diagnosis"]), _text(row["long_name"])
    return Diagnosis(
        name,
        "" if long_name == name else long_name,
        100 * float(row["probability"]),
        f"{100 * row['spread']:.0f}",
        _true(row["in_set"]),
    )


def _contribution(row: dict[Any, Any], longest: float) -> Contribution:
    value = "estimated" if _true(row["imputed"]) else f"{row['value']:.3g}"
    share = 100 * abs(row["shap"]) / longest
    return Contribution(str(row["feature"]), value, float(row["shap"]), share)


def _true(value: Any) -> bool:
    """Read a flag that may be missing, or a word where a column holds missing flags."""
    return str(value) in {"True", "1", "1.0"}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
