"""The model card: what a model is, what it was measured to do, and what it must not be used for."""

from collections.abc import Iterator

import pandas as pd

from pipelines.diagnosis.model.card_evaluation import (
    audit_section,
    calibration_section,
    evaluation_section,
    named,
    plain,
    studies_section,
    subgroup_section,
    table,
)
from pipelines.diagnosis.model.diagnosis_model import DiagnosisModel
from pipelines.harmonization.scores.regrouping import default_regrouping

_ORIGIN = {
    "simulated": "**simulated patients** (invented patterns; nothing here says how the method does "
    "on real ones)",
    "real": "patients, real as far as the data say",
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
    """Write the card of a model as Markdown; sections without data say so."""
    sections = (
        _heading(model),
        _use(model),
        _data(model),
        _method(model),
        evaluation_section(model),
        studies_section(model),
        calibration_section(model),
        subgroup_section(model),
        audit_section(model),
        _limits(model),
        _contents(model),
        _citation(),
    )
    return "\n".join(line for section in sections for line in (*section, ""))


def _heading(model: DiagnosisModel) -> Iterator[str]:
    total = _count(model, "all")
    yield f"# Model card: {plain(model.name)}"
    yield ""
    yield (
        f"Ranks {len(model.classes)} neuromuscular diseases from fat scores of "
        f"{len(model.ensemble.harmonization.muscles)} muscles. Trained on {_ORIGIN[model.origin]}: "
        f"{total}. Made {plain(model.created or 'at an unknown date')}. "
        f"Licence: {plain(model.licence)}."
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
    doubts = model.tables.get("data_doubts")
    if doubts is not None and len(doubts):
        yield "**Doubts about these data.** All figures below rest on them."
        yield ""
        yield from (f"- {plain(text)}" for text in doubts["text"])
        yield ""
    groups = {"diagnosis": "Diagnosis", "scale": "Scale", "sex": "Sex", "age_band": "Age, years",
              "sides": "Sides", "study": "Study"}  # fmt: skip
    for group, title in groups.items():
        rows = model.training[model.training["group"] == group]
        if rows.empty:
            continue
        names = [str(value) for value in rows["value"]]
        if group == "diagnosis":
            names = [named(model, name) for name in names]
        counted = zip(names, rows["samples"], rows["patients"], strict=True)
        yield from table((title, "samples", "patients"), counted)
        yield ""
    scored = [
        (muscle.replace("_", " "), f"{share:.0%}")
        for muscle, share in zip(
            model.ensemble.harmonization.muscles,
            1 - pd.DataFrame(model.muscle_reference).isna().mean(),
            strict=True,
        )
    ]
    yield from table(("Muscle", "patients who have it scored"), scored)


def _method(model: DiagnosisModel) -> Iterator[str]:
    ensemble, protocol = model.ensemble, model.protocol
    options = ensemble.harmonization.options
    rounds = [int(member.parameters.values.get("rounds", 0)) for member in ensemble.members]
    depths = [int(member.parameters.values.get("max_depth", 0)) for member in ensemble.members]
    yield "## Method"
    yield ""
    yield (
        f"- Harmonization `{options.method}`: {_HARMONIZATION[options.method]}; order "
        f"`{options.order}`; relative scores {'on' if options.relative else 'off'}."
    )
    yield f"- {_muscles_used(model)}"
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
            f"- Profile `{plain(protocol.get('name'))}`: {protocol.get('outer_folds')} outer and "
            f"{protocol.get('inner_folds')} inner folds, stratified, patients undivided; "
            f"{protocol.get('trials')} trials per outer fold, the first "
            f"{protocol.get('random_trials')} random; trials above percentile "
            f"{protocol.get('percentile')} join the ensemble; "
            f"{_BALANCE.get(str(protocol.get('balance')), protocol.get('balance'))}; seed "
            f"{protocol.get('seed')}."
        )
    versions = ", ".join(plain(f"{name} {number}") for name, number in model.versions.items())
    yield f"- Made with {versions or 'libraries of unknown versions'}."


def _muscles_used(model: DiagnosisModel) -> str:
    """Say which muscles are features, and which are not for want of scores."""
    harmonization = model.ensemble.harmonization
    share = harmonization.options.coverage
    all_of_them = default_regrouping().features
    without = [name for name in all_of_them if name not in harmonization.muscles]
    # Less than a thousandth stands for a single sample.
    least = f"at least {share:.0%} of" if share >= 1e-3 else "any of"
    text = f"Muscles: the {len(harmonization.muscles)} that {least} the training samples have."
    if not without:
        return text
    names = ", ".join(name.replace("_", " ") for name in without)
    return f"{text} Not used, for want of scores: {names}."


def _limits(model: DiagnosisModel) -> Iterator[str]:
    known = ", ".join(plain(named(model, name)) for name in model.classes)
    yield "## Limits"
    yield ""
    yield f"- Knows only: {known}."
    yield (
        "- A disease often comes from few studies, so part of the figures may rest on habits of "
        "studies; see the leakage audit and the studies left out as a whole."
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
