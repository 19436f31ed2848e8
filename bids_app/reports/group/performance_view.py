"""How good the model is: figures, confusion, curves, calibration and subgroups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bids_app.reports.charts import HeatMap, LineChart, heat_map, line_chart

if TYPE_CHECKING:
    import pandas as pd

_ALL = "all"
# Mark of diagnoses that share one calibration; the text of the table explains it.
_SHARED = " *"
# Mark of diagnoses that one study only has; the sentence above the table explains it.
_ONE_STUDY = " †"
# Subgroups of a variable that are listed; the others stand in the table beside the page.
_MOST_LEVELS = 10


@dataclass(frozen=True)
class FigureRow:
    """A row of a table: its name and its cells as text."""

    name: str
    cells: Sequence[str]


@dataclass(frozen=True)
class FigureTable:
    """A table of texts; the headings are those after the first column."""

    columns: Sequence[str]
    rows: Sequence[FigureRow]


@dataclass(frozen=True)
class PerformanceView:
    """What the page says about a model's performance; None and empty parts are left out."""

    sentence: str  # what was measured on whom
    one_study: str  # which diagnoses one study only has; empty if none
    figures: FigureTable  # one row per figure, one column per model
    classes: FigureTable  # one row per diagnosis
    confusion: HeatMap  # truth against first answer
    roc: LineChart  # averages over diagnoses, as the next
    precision_recall: LineChart
    reliability: LineChart | None  # confidence against accuracy
    calibration: FigureTable | None
    calibrated: str
    conformal: FigureTable | None  # coverage of prediction sets
    subgroups: Sequence[tuple[str, FigureTable]]  # by variable
    readers: FigureTable | None
    flags: FigureTable | None


def performance_view(
    tables: "Mapping[str, pd.DataFrame]", words: Mapping[str, Any]
) -> PerformanceView | None:
    """Lay out the tables of an evaluation; those of unseen studies begin with ``studies_``."""
    if "overall" not in tables:
        return None
    from pipelines.diagnosis.evaluation.studies import one_study_text

    first = tables["overall"].iloc[0]
    curves = tables["one_vs_rest_curves"]
    studies = tables.get("diagnosis_studies")
    return PerformanceView(
        f"{first['n_samples']:g} samples of {first['n_patients']:g} patients with "
        f"{first['n_classes']:g} diagnoses, {first['n_folds']:g} folds.",
        "" if studies is None else one_study_text(studies),
        _figures(tables, words),
        _classes(tables, words["measures"]),
        _confusion(tables["confusion"]),
        _curves(curves, "roc", "false-positive rate", "true-positive rate", words),
        _curves(curves, "precision_recall", "recall", "precision", words),
        _reliability(tables.get("reliability")),
        _calibration(tables.get("calibration")),
        words["temperature_text" if "temperature" in tables else "uncalibrated_text"],
        _conformal(tables.get("conformal")),
        _subgroups(tables["subgroups"], words),
        _readers(tables.get("readers")),
        _flags(tables),
    )


def _figures(tables: "Mapping[str, pd.DataFrame]", words: Mapping[str, Any]) -> FigureTable:
    """Compare the ensemble with the comparators, and with itself on unseen studies."""
    by_model: dict[str, Any] = {"ensemble": tables["overall"].set_index("metric")}
    if "comparison" in tables:
        for model, part in tables["comparison"].groupby("model", sort=False):
            by_model.setdefault(str(model), part.set_index("metric"))
    if "studies_overall" in tables:
        by_model["studies"] = tables["studies_overall"].set_index("metric")
    rows = []
    for metric, about in words["metrics"].items():
        scale = 100.0 if about["percent"] else 1.0
        cells = [
            # The spread over studies, many of them tiny, would say nothing.
            _with_interval(part.loc[metric], scale, spread=model != "studies")
            if metric in part.index
            else "–"
            for model, part in by_model.items()
        ]
        rows.append(FigureRow(about["title"], cells))
    counts = [f"{part['n_samples'].iloc[0]:g}" for part in by_model.values()]
    names = [words["models"].get(model, model) for model in by_model]
    return FigureTable(names, [*rows, FigureRow("Samples", counts)])


def _with_interval(row: "pd.Series[Any]", scale: float, *, spread: bool) -> str:
    if not np.isfinite(row["value"]):
        return "–"
    digits = 1 if scale > 1 else 3
    value, low, high, deviation = (
        f"{scale * row[name]:.{digits}f}" for name in ("value", "lower", "upper", "fold_sd")
    )
    unit = " %" if scale > 1 else ""
    plus_minus = f" ± {deviation}" if spread and np.isfinite(row["fold_sd"]) else ""
    return f"{value}{plus_minus}{unit} ({low}–{high})"


def _classes(tables: "Mapping[str, pd.DataFrame]", titles: Mapping[str, str]) -> FigureTable:
    """Give sensitivity, specificity and the like of every diagnosis."""
    table = tables["classes"]
    single, without = _one_study_only(tables), _without_study(tables)
    values = table.pivot_table(
        index="class", columns="measure", values="value", sort=False, dropna=False
    )
    sensitivity = table[table["measure"] == "sensitivity"].set_index("class")
    measures = [name for name in titles if name in values]
    rows = [
        FigureRow(
            str(name) + _ONE_STUDY * (name in single),
            [
                f"{sensitivity['denominator'].get(name, np.nan):g}",
                f"{sensitivity['n_patients'].get(name, np.nan):g}",
                *(_number(values.loc[name, measure]) for measure in measures),
                *([_number(without.get(name, np.nan))] if without else []),
            ],
        )
        for name in values.index
        if name in sensitivity.index
    ]
    columns = ["Samples", "Patients", *(titles[name] for name in measures)]
    more = ["Sensitivity, study left out"] if without else []
    return FigureTable([*columns, *more], rows)


def _one_study_only(tables: "Mapping[str, pd.DataFrame]") -> set[str]:
    """Return the diagnoses that one study only has."""
    if "diagnosis_studies" not in tables:
        return set()
    studies = tables["diagnosis_studies"]
    return set(studies["diagnosis"][studies["studies"] == 1])


def _without_study(tables: "Mapping[str, pd.DataFrame]") -> dict[str, float]:
    """Return the sensitivity for each diagnosis in studies left out; empty if not measured."""
    if "studies_classes" not in tables:
        return {}
    table = tables["studies_classes"]
    rows = table[table["measure"] == "sensitivity"]
    return dict(zip(rows["class"], rows["value"], strict=True))


def _confusion(table: "pd.DataFrame") -> HeatMap:
    counts = table.pivot_table(index="truth", columns="predicted", values="count", fill_value=0)
    names = [str(name) for name in counts.index]
    return heat_map(names, [str(c) for c in counts], counts.to_numpy(dtype=np.float64))


def _curves(
    table: "pd.DataFrame", kind: str, x_label: str, y_label: str, words: Mapping[str, Any]
) -> LineChart:
    curves = {}
    for name, title in words["curve_names"].items():
        rows = table[(table["curve"] == kind) & (table["class"] == name)]
        curves[title] = (rows["x"].to_numpy(np.float64), rows["y"].to_numpy(np.float64))
    return line_chart(curves, x_label, y_label)


def _reliability(table: "pd.DataFrame | None") -> LineChart | None:
    if table is None:
        return None
    curves = {
        str(name): (
            rows["confidence"].to_numpy(np.float64),
            rows["accuracy"].to_numpy(np.float64),
        )
        for name, rows in table.groupby("probabilities", sort=False)
    }
    return line_chart(curves, "probability of the first answer", "share that was right")


def _calibration(table: "pd.DataFrame | None") -> FigureTable | None:
    if table is None:
        return None
    values = table.pivot_table(index="metric", columns="probabilities", values="value", sort=False)
    rows = [
        FigureRow(
            str(metric).replace("_", " ").capitalize(), [_number(v, 3) for v in values.loc[metric]]
        )
        for metric in values.index
    ]
    return FigureTable([str(name) for name in values], rows)


def _conformal(table: "pd.DataFrame | None") -> FigureTable | None:
    if table is None:
        return None
    first = table[table["alpha"] == table["alpha"].iloc[0]]
    rows = [
        FigureRow(
            ("All diagnoses" if row["class"] == _ALL else str(row["class"]))
            + _SHARED * bool(row["pooled"]),
            [
                f"{100 * row['target']:.0f} %",
                f"{100 * row['coverage']:.0f} % "
                f"({100 * row['lower']:.0f}–{100 * row['upper']:.0f})",
                f"{row['mean_size']:.1f}",
                f"{row['n_patients']:g}",
            ],
        )
        for row in first.to_dict("records")
    ]
    return FigureTable(["Stated", "Measured", "Diagnoses in the set, mean", "Patients"], rows)


def _subgroups(table: "pd.DataFrame", words: Mapping[str, Any]) -> list[tuple[str, FigureTable]]:
    measures = words["subgroup_measures"]
    found = []
    for variable, part in table.groupby("variable", sort=False):
        rows = []
        for level, group in part.groupby("level", sort=False):
            values = group.set_index("measure")
            first = values.iloc[0]
            cells = [_share(values.loc[name]) if name in values.index else "" for name in measures]
            counts = [f"{first[name]:g}" for name in ("n_samples", "n_patients", "n_classes")]
            rows.append((first["n_samples"], FigureRow(str(level), [*counts, *cells])))
        if len(rows) > _MOST_LEVELS:
            rows = sorted(rows, key=lambda pair: -pair[0])[:_MOST_LEVELS]
        columns = ["Samples", "Patients", "Diagnoses", *measures.values()]
        title = words["variables"].get(str(variable), str(variable))
        found.append((title, FigureTable(columns, [row for _, row in rows])))
    return found


def _share(row: "pd.Series[Any]") -> str:
    if not np.isfinite(row["value"]):
        return "–"
    text = f"{100 * row['value']:.0f} %"
    if np.isfinite(row["lower"]):
        text += f" ({100 * row['lower']:.0f}–{100 * row['upper']:.0f})"
    return text


def _readers(table: "pd.DataFrame | None") -> FigureTable | None:
    if table is None:
        return None
    rows = [
        FigureRow(
            f"{row['reader']}, first {row['k']:g}",
            [
                f"{100 * row['accuracy']:.0f}{_spread(row)} %",
                _percent(row["model_accuracy"]),
                f"{row['n_cases']:g}",
                f"{row['n_missing']:g}",
            ],
        )
        for row in table.to_dict("records")
    ]
    return FigureTable(["Reader", "Model", "Cases", "Missing answers"], rows)


def _percent(share: float) -> str:
    """Return a share in percent; a dash where there is none, as for a reader of no case."""
    return f"{100 * share:.0f} %" if np.isfinite(share) else "–"


def _spread(row: Mapping[Any, Any]) -> str:
    """Return the SD between readers, or between the members of the model."""
    if row["kind"] not in {"readers", "model"} or not np.isfinite(row["sd"]):
        return ""
    return f" ± {100 * row['sd']:.0f}"


def _flags(tables: "Mapping[str, pd.DataFrame]") -> FigureTable | None:
    rows = []
    for name, title in (("novelty", "Unlike the training data"), ("near_normal", "Near normal")):
        if name in tables:
            row = tables[name].set_index("class").loc[_ALL]
            cells = [f"{100 * row['flagged_rate']:.1f} %", f"{row['n_patients']:g}"]
            rows.append(FigureRow(title, cells))
    return FigureTable(["Raised", "Patients"], rows) if rows else None


def _number(value: Any, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "–"
