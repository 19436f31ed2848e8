"""The model card: what a model is, what it was measured to do, and what it must not be used for."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from pipelines.diagnosis.model import DiagnosisModel

_ORIGIN = {
    "simulated": "**simulated patients** (invented patterns; nothing here says how the method does "
    "on real ones)",
    "real": "real patients",
}
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
_BALANCE = {
    "smote-nc": "SMOTE-NC oversampling of every class, in training folds only",
    "weights": "class weights (not the oversampling of the published method)",
}
_HARMONIZATION = {
    "paper": "scores linear to 0-100 (as published)",
    "dither": "grades spread at random over the fat fractions they stand for",
    "ranks": "ranks of the muscles within the patient",
}


def model_card(model: DiagnosisModel) -> str:
    """Write the card of a model.

    Parameters
    ----------
    model : DiagnosisModel
        Sections without data say so.

    Returns
    -------
    str
        Markdown.
    """
    sections = (
        _heading(model),
        _use(model),
        _data(model),
        _method(model),
        _evaluation(model),
        _calibration(model),
        _subgroups(model),
        _audit(model),
        _limits(model),
        _contents(model),
        _citation(),
    )
    return "\n".join(line for section in sections for line in (*section, ""))


def _heading(model: DiagnosisModel) -> Iterator[str]:
    total = _count(model, "all")
    yield f"# Model card: {model.name}"
    yield ""
    yield (
        f"Ranks {len(model.classes)} neuromuscular diseases from fat scores of "
        f"{len(model.ensemble.harmonization.muscles)} muscles. Trained on {_ORIGIN[model.origin]}: "
        f"{total}. Made {model.created or 'at an unknown date'}. Licence: {model.licence}."
    )


def _use(model: DiagnosisModel) -> Iterator[str]:
    yield "## Intended use"
    yield ""
    yield (
        "Research software, **not a medical device**. It may suggest diagnoses to think of to "
        "people who know muscle MRI and the patient; it may not decide about a patient. It knows "
        "only the diseases listed here and answers with one of them, whatever the patient has."
    )
    if model.origin == "simulated":
        yield ""
        yield (
            "This model was trained on **simulated** patients. It shows that the software works "
            "and must not be applied to anybody."
        )


def _data(model: DiagnosisModel) -> Iterator[str]:
    yield "## Training data"
    yield ""
    yield f"Origin: {_ORIGIN[model.origin]}. {_count(model, 'all')}."
    yield ""
    groups = {"diagnosis": "Diagnosis", "scale": "Scale", "sex": "Sex", "age_band": "Age, years",
              "sides": "Sides", "study": "Study"}  # fmt: skip
    for group, title in groups.items():
        rows = model.training[model.training["group"] == group]
        if rows.empty:
            continue
        names = [str(value) for value in rows["value"]]
        if group == "diagnosis":
            names = [_named(model, name) for name in names]
        table = zip(names, rows["samples"], rows["patients"], strict=True)
        yield from _table((title, "samples", "patients"), table)
        yield ""
    scored = [
        (muscle.replace("_", " "), f"{share:.0%}")
        for muscle, share in zip(
            model.ensemble.harmonization.muscles,
            1 - pd.DataFrame(model.muscle_reference).isna().mean(),
            strict=True,
        )
    ]
    yield from _table(("Muscle", "patients who have it scored"), scored)


def _method(model: DiagnosisModel) -> Iterator[str]:
    ensemble, protocol = model.ensemble, model.protocol
    options = ensemble.harmonization.options
    rounds = [int(member.parameters.values.get("rounds", 0)) for member in ensemble.members]
    depths = [int(member.parameters.values.get("max_depth", 0)) for member in ensemble.members]
    yield "## Method"
    yield ""
    yield (
        f"- Harmonization `{options.method}`: {_HARMONIZATION[options.method]}; order "
        f"`{options.order}`; relative scores {'on' if options.relative else 'off'}; muscles scored "
        f"in at least {options.coverage:.0%} of the samples."
    )
    yield (
        "- Features: the muscles, mean involvement, mean and SD of the asymmetry, age, sex; "
        "standardized, gaps filled from the nearest training patients."
    )
    yield (
        f"- Ensemble of {len(ensemble.members)} XGBoost models of {min(rounds)} to {max(rounds)} "
        f"rounds and depth {min(depths)} to {max(depths)}; their "
        f"{'margins' if ensemble.combine == 'margins' else 'probabilities'} are averaged."
    )
    if protocol:
        yield (
            f"- Profile `{protocol.get('name')}`: {protocol.get('outer_folds')} outer and "
            f"{protocol.get('inner_folds')} inner folds, stratified, patients undivided; "
            f"{protocol.get('trials')} trials per outer fold, the first "
            f"{protocol.get('random_trials')} random; trials above percentile "
            f"{protocol.get('percentile')} join the ensemble; "
            f"{_BALANCE.get(str(protocol.get('balance')), protocol.get('balance'))}; seed "
            f"{protocol.get('seed')}."
        )
    versions = ", ".join(f"{name} {number}" for name, number in model.versions.items())
    yield f"- Made with {versions or 'libraries of unknown versions'}."


def _evaluation(model: DiagnosisModel) -> Iterator[str]:
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
    yield from _table(("Figure", "pooled", "95 % interval", "folds, mean ± SD"), rows)
    classes = model.tables.get("classes")
    if classes is not None:
        yield ""
        yield from _class_table(model, classes)


def _class_table(model: DiagnosisModel, classes: pd.DataFrame) -> Iterator[str]:
    wide = classes.pivot_table(
        index="class", columns="measure", values="value", aggfunc="first", sort=False
    )
    measures = [m for m in ("sensitivity", "specificity", "ppv", "npv", "roc_auc") if m in wide]
    tested = classes[classes["measure"] == "sensitivity"]
    patients = dict(zip(tested["class"], tested["n_patients"], strict=True))
    rows = [
        (_named(model, str(name)), patients.get(name, "n/a"), *(_number(row[m]) for m in measures))
        for name, row in wide.iterrows()
    ]
    yield from _table(("Diagnosis", "patients", *measures), rows)


def _calibration(model: DiagnosisModel) -> Iterator[str]:
    yield "## Calibration and sets"
    yield ""
    yield (
        f"- Margins are divided by the temperature {model.ensemble.temperature:.3f}"
        + (", fitted on out-of-fold margins." if model.ensemble.temperature != 1 else " (none).")
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
        yield (
            "- Patients unlike the training data are flagged at a stated false-positive rate of "
            f"{model.novelty.false_positive_rate:.0%}. A disease outside the model often looks "
            "like one inside it and is then not flagged."
        )
    flag = model.near_normal
    yield (
        f"- Near-normal: mean involvement at most {flag.mean_involvement:.1f} and no muscle above "
        f"{flag.max_involvement:.1f} of 100 ({flag.origin} thresholds, {flag.n_patients} patients)."
    )


def _subgroups(model: DiagnosisModel) -> Iterator[str]:
    yield "## Subgroups"
    yield ""
    table = model.tables.get("subgroups")
    if table is None or table.empty:
        yield "Not measured."
        return
    chosen = table[table["measure"] == "balanced_accuracy"]
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
    yield from _table(
        ("Subgroup", "samples", "patients", "classes", "balanced accuracy", "95 % interval"), rows
    )


def _audit(model: DiagnosisModel) -> Iterator[str]:
    yield "## Leakage audit"
    yield ""
    table = model.tables.get("audit")
    if table is None or table.empty:
        yield "Not done."
        return
    yield (
        "How well scale, study, missing muscles and diagnosis can be recovered where they should "
        "not be (area under the ROC curve; 0.5 is no leak). Warnings come first."
    )
    yield ""
    judged = table[table["level"].isin(("warn", "pass"))]
    judged = judged.sort_values("level", key=lambda level: level != "warn", kind="stable")
    rows = [
        (row.level, row.target, row.stage, row.within, _number(row.auc), row.n, row.text)
        for row in judged.itertuples()
    ]
    yield from _table(("Level", "target", "after step", "within", "AUC", "n", "meaning"), rows)


def _limits(model: DiagnosisModel) -> Iterator[str]:
    known = ", ".join(_named(model, name) for name in model.classes)
    yield "## Limits"
    yield ""
    yield f"- Knows only: {known}."
    yield (
        "- A disease often comes from few studies, so part of the figures may rest on habits of "
        "studies; see the leakage audit and, where it was done, leave-one-study-out."
    )
    yield "- Scans with little fat say little; partial scans are completed by estimates."
    yield "- SHAP values explain the model, not the disease."
    yield "- Not tested on data of other centres unless the evaluation above says so."


def _contents(model: DiagnosisModel) -> Iterator[str]:
    rows = len(model.ensemble.preparation.reference)
    yield "## Data inside the model"
    yield ""
    yield (
        f"`arrays.npz` holds the features of the {rows} training samples (muscle scores, age, sex; "
        "without names), which imputation needs. **Treat the folder as patient data**: share it "
        "only where the training data may be shared."
        if model.origin == "real"
        else f"`arrays.npz` holds the features of the {rows} simulated training samples, which "
        "imputation needs. A model of real patients holds theirs."
    )


def _citation() -> Iterator[str]:
    yield "## How to cite"
    yield ""
    yield (
        "The method: Verdu-Diaz J, et al. Myo-Guide: a machine learning-based web application for "
        "neuromuscular disease diagnosis with MRI. J Cachexia Sarcopenia Muscle 2025. "
        "doi:10.1002/jcsm.13815. This model is an independent implementation, trained on the data "
        "described above; it is not the model of that paper."
    )


def _count(model: DiagnosisModel, group: str) -> str:
    rows = model.training[model.training["group"] == group]
    return f"{int(rows['samples'].sum())} samples of {int(rows['patients'].sum())} patients"


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


def _named(model: DiagnosisModel, name: str) -> str:
    long_name = model.long_names.get(name)
    return f"{name} ({long_name})" if long_name else name


def _number(value: Any) -> str:
    return "n/a" if value is None or pd.isna(value) else f"{float(value):.3f}"


def _table(head: Sequence[str], rows: Any) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |"
