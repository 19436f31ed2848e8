"""Sections of the model card about what was measured."""

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from pipelines.diagnosis.evaluation.studies import one_study_text
from pipelines.diagnosis.model.diagnosis_model import DiagnosisModel
from pipelines.text_table import one_line

# What Markdown takes for markup inside a line; underscores inside words are none.
_MARKUP = re.compile(r"[\\`*~\[\]]|(?<![^\W_])_|_(?![^\W_])")
# Figures of the evaluation, in the order of the card.
_FIGURES = {
    "balanced_accuracy": "Balanced accuracy",
    "weighted_top_3": "Class-weighted top-3 accuracy",
    "weighted_top_5": "Class-weighted top-5 accuracy",
    "accuracy": "Accuracy",
    "roc_auc_macro": "ROC AUC, mean over classes",
    "pr_auc_micro": "Precision-recall AUC, pooled",
    "pr_auc_macro": "Precision-recall AUC, mean over classes",
    "log_loss": "Log loss",
    "expected_calibration_error": "Calibration error (ECE)",
}


def evaluation_section(model: DiagnosisModel) -> Iterator[str]:
    """Yield the figures of the evaluation, for all diagnoses and for each."""
    yield "## Evaluation"
    yield ""
    headline = model.headline
    if not headline:
        yield "Not evaluated."
        return
    yield (
        f"Pooled predictions of the outer folds, {_size(headline)}, each by models that had not "
        "seen the patient. The figures measure the training procedure; the stored ensemble, "
        "trained again on all samples, has none of its own."
    )
    yield ""
    rows = [
        (
            title,
            _number(figure.get("value")),
            f"{_number(figure.get('lower'))} to {_number(figure.get('upper'))}",
            f"{_number(figure.get('fold_mean'))} ± {_number(figure.get('fold_sd'))}",
        )
        for name, title in _FIGURES.items()
        if isinstance(figure := headline.get(name), dict)
    ]
    yield from table(("Figure", "pooled", "95 % interval", "folds, mean ± SD"), rows)
    classes = model.tables.get("classes")
    if classes is not None:
        yield ""
        yield from _class_table(model, classes)
    studies = model.tables.get("diagnosis_studies")
    if studies is not None and (text := one_study_text(studies)):
        yield ""
        yield f"**{plain(text)}**"


def studies_section(model: DiagnosisModel) -> Iterator[str]:
    """Yield how good ensembles are on studies that they were trained without."""
    yield "## Studies left out as a whole"
    yield ""
    overall = model.tables.get("studies_overall")
    if overall is None:
        yield (
            "Not measured: there is one study, or no study could be left out. Nothing here says "
            "how the model does on data of another centre."
        )
        return
    studies = model.tables["diagnosis_studies"]
    first = overall.iloc[0]
    others = (
        "The others could not be: no other study has their diagnosis, or their patient was tested "
        "in another study. "
        if first["n_samples"] < studies["samples"].sum()
        else ""
    )
    yield (
        f"Every study was tested by an ensemble trained without it: {first['n_samples']} of "
        f"{studies['samples'].sum()} samples, {first['n_classes']} of {len(studies)} diagnoses. "
        f"{others}Hyper-parameters were chosen with all studies, which favours the "
        "figures a little."
    )
    yield ""
    rows = [
        (
            _FIGURES[str(row["metric"])],
            _number(row["value"]),
            f"{_number(row['lower'])} to {_number(row['upper'])}",
            _number(_pooled_figure(model, str(row["metric"]))),
        )
        for row in overall.to_dict("records")
        if row["metric"] in _FIGURES
    ]
    yield from table(("Figure", "study left out", "95 % interval", "patients left out"), rows)
    yield ""
    yield (
        "Sensitivity by diagnosis: where it falls without the study, the model knew the study "
        "rather than the disease."
    )
    yield ""
    without, within = (
        _sensitivities(model.tables.get(name)) for name in ("studies_classes", "classes")
    )
    yield from table(
        ("Diagnosis", "studies", "samples tested", "study left out", "patients left out"),
        [
            (
                named(model, str(row["diagnosis"])),
                row["studies"],
                row["tested"],
                _number(without.get(row["diagnosis"])),
                _number(within.get(row["diagnosis"])),
            )
            for row in studies.to_dict("records")
        ],
    )


def _pooled_figure(model: DiagnosisModel, metric: str) -> Any:
    figure = model.headline.get(metric)
    return figure.get("value") if isinstance(figure, dict) else None


def _sensitivities(classes: pd.DataFrame | None) -> dict[Any, Any]:
    """Return the sensitivity of each diagnosis."""
    if classes is None:
        return {}
    rows = classes[classes["measure"] == "sensitivity"]
    return dict(zip(rows["class"], rows["value"], strict=True))


def _class_table(model: DiagnosisModel, classes: pd.DataFrame) -> Iterator[str]:
    wide = classes.pivot_table(
        index="class", columns="measure", values="value", aggfunc="first", sort=False
    )
    measures = [m for m in ("sensitivity", "specificity", "ppv", "npv", "roc_auc") if m in wide]
    tested = classes[classes["measure"] == "sensitivity"]
    patients = dict(zip(tested["class"], tested["n_patients"], strict=True))
    rows = [
        (named(model, str(name)), patients.get(name, "n/a"), *(_number(row[m]) for m in measures))
        for name, row in wide.iterrows()
    ]
    yield from table(("Diagnosis", "patients", *measures), rows)


def calibration_section(model: DiagnosisModel) -> Iterator[str]:
    """Yield what is known of calibration, sets and flags."""
    yield "## Calibration and sets"
    yield ""
    if model.calibrated:
        yield (
            f"- Margins are divided by the temperature {model.ensemble.temperature:.3f}, fitted on "
            "out-of-fold margins."
        )
    else:
        yield (
            "- **Not calibrated**: the probabilities of the members are averaged as they are. A "
            "temperature is fitted for averaged margins only."
        )
    before = model.headline.get("expected_calibration_error")
    after = model.headline.get("expected_calibration_error_calibrated")
    if isinstance(before, dict) and after is not None:
        yield (
            f"- Calibration error (ECE) {_number(before.get('value'))} before, {_number(after)} "
            "after (temperature of the other folds)."
        )
    if model.conformal is None:
        yield "- No conformal sets: too few patients to calibrate them."
    else:
        yield (
            f"- Conformal sets for an error rate of {model.conformal.alpha:g} in every class; "
            "classes with few patients share their calibration."
        )
    measured = model.headline.get("conformal")
    if isinstance(measured, dict):
        yield (
            f"- Measured coverage {_number(measured.get('coverage'))} "
            f"({_number(measured.get('lower'))} to {_number(measured.get('upper'))}, target "
            f"{_number(measured.get('target'))}), mean size {_number(measured.get('mean_size'))}; "
            f"lowest coverage of a class {_number(measured.get('lowest_class_coverage'))}."
        )
    if model.novelty is None:
        yield "- No flag for patients unlike the training data: too few patients."
    else:
        low, high = model.novelty.expected
        yield (
            "- Patients unlike the training data are flagged at a stated false-positive rate of "
            f"{model.novelty.false_positive_rate:.0%}, set with {len(model.novelty.shares)} "
            f"patients: {low:.1%} to {high:.1%} of new patients are expected to get the flag (95 % "
            f"interval); measured {model.novelty.measured_rate:.1%}. "
            "A disease outside the model often looks like one inside it and is then not flagged."
        )
    flag = model.near_normal
    yield (
        f"- Near-normal: mean involvement at most {flag.mean_involvement:.1f} and no muscle above "
        f"{flag.max_involvement:.1f} of 100 ({flag.origin} thresholds, {flag.n_patients} patients)."
    )


def subgroup_section(model: DiagnosisModel) -> Iterator[str]:
    """Yield the balanced accuracy of subgroups."""
    yield "## Subgroups"
    yield ""
    measured = model.tables.get("subgroups")
    if measured is None or measured.empty:
        yield "Not measured."
        return
    chosen = measured[measured["measure"] == "balanced_accuracy"]
    rows = [
        (
            f"{row.variable}: {row.level}",
            row.n_samples,
            row.n_patients,
            row.n_classes,
            _number(row.value),
            f"{_number(row.lower)} to {_number(row.upper)}",
        )
        for row in chosen.itertuples()
    ]
    yield "Subgroups hold different diseases, so their figures cannot be compared directly."
    yield ""
    yield from table(
        ("Subgroup", "samples", "patients", "classes", "balanced accuracy", "95 % interval"), rows
    )


def audit_section(model: DiagnosisModel) -> Iterator[str]:
    """Yield what the features give away beside the disease."""
    yield "## Leakage audit"
    yield ""
    found = model.tables.get("audit")
    if found is None or found.empty:
        yield "Not done."
        return
    yield (
        "How well scale, study, missing muscles and diagnosis can be recovered where they should "
        "not be (area under the ROC curve; 0.5 is no leak). Warnings come first."
    )
    yield ""
    judged = found[found["level"].isin(("warn", "pass"))]
    judged = judged.sort_values("level", key=lambda level: level != "warn", kind="stable")
    rows = [
        (row.level, row.target, row.stage, row.within, _number(row.auc), row.n, row.text)
        for row in judged.itertuples()
    ]
    yield from table(("Level", "target", "after step", "within", "AUC", "n", "meaning"), rows)


def _size(headline: Any) -> str:
    parts = [
        f"{headline[key]} {noun}"
        for key, noun in (
            ("n_samples", "samples"),
            ("n_patients", "patients"),
            ("n_folds", "folds"),
        )
        if key in headline
    ]
    return ", ".join(parts) or "number of samples not recorded"


def named(model: DiagnosisModel, name: str) -> str:
    """Return a diagnosis with its full name, where that is known."""
    long_name = model.long_names.get(name)
    return f"{name} ({long_name})" if long_name else name


def _number(value: Any) -> str:
    """Return a figure with three decimals, or n/a."""
    return "n/a" if value is None or pd.isna(value) else f"{float(value):.3f}"


def plain(text: object) -> str:
    """Return text of data as Markdown shows it: no HTML, no markup, one line."""
    return _MARKUP.sub(r"\\\g<0>", html.escape(one_line(str(text)), quote=False))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table of plain text."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(plain(cell).replace('|', '/') for cell in row)} |"
