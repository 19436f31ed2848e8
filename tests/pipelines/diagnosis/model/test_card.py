from dataclasses import replace
from itertools import pairwise

import pandas as pd
import pytest

from pipelines.diagnosis.model.card import model_card
from tests.pipelines.diagnosis.stored_models import trained_model


@pytest.fixture(scope="module")
def model():
    return trained_model()[0]


def test_says_what_must_be_said(model):
    text = model_card(model)
    assert text.startswith("# Model card: small\n")
    assert "not a medical device" in text
    assert "Trained on **simulated patients**" in text
    assert "must not be applied to anybody" in text
    assert "70 samples of 70 patients" in text
    assert "Licence: CC0-1.0." in text
    assert "doi:10.1002/jcsm.13815" in text
    assert "Knows only: A (Disease of A), B, C." in text
    assert "Profile `quick`: 3 outer and 2 inner folds" in text
    assert "class weights (not the oversampling of the published method)" in text


def test_figures_are_those_of_the_evaluation(model):
    text = model_card(model)
    figure = model.headline["balanced_accuracy"]
    assert (
        f"| Balanced accuracy | {figure['value']:.3f} | {figure['lower']:.3f} to "
        f"{figure['upper']:.3f} | {figure['fold_mean']:.3f} ± {figure['fold_sd']:.3f} |"
    ) in text
    assert "70 samples, 70 patients, 3 folds" in text
    classes = model.tables["classes"].set_index(["class", "measure"])["value"]
    assert f"| B | 24 | {classes[('B', 'sensitivity')]:.3f} |" in text
    assert f"temperature {model.ensemble.temperature:.3f}, fitted on out-of-fold margins" in text
    assert f"Measured coverage {model.headline['conformal']['coverage']:.3f}" in text
    subgroups = model.tables["subgroups"]
    women = subgroups[(subgroups["level"] == "F") & (subgroups["measure"] == "balanced_accuracy")]
    assert f"| sex: F | {women['n_samples'].iloc[0]} |" in text


def test_doubts_about_the_data_stand_above_all_figures(model):
    assert "Doubts about these data" not in model_card(model)
    doubts = pd.DataFrame(
        {"text": ["8 pair(s) have equal scores.", "f.tsv: <b>0-4</b> is stated."]}
    )
    text = model_card(replace(model, tables={**model.tables, "data_doubts": doubts}))
    assert "\n- 8 pair(s) have equal scores.\n" in text
    assert "<b>" not in text
    assert text.index("Doubts about these data") < text.index("Balanced accuracy")


def test_averaged_probabilities_are_not_called_calibrated(model):
    text = model_card(replace(model, ensemble=replace(model.ensemble, combine="probabilities")))
    assert "**Not calibrated**: the probabilities of the members are averaged" in text
    assert "divided by the temperature" not in text


def test_tables_are_well_formed(model):
    lines = model_card(model).splitlines()
    for line, below in pairwise(lines):
        if line.startswith("|") and below.startswith("|"):
            assert line.count("|") == below.count("|")


def test_real_patients_are_named_so_and_protected(model):
    text = model_card(replace(model, origin="real"))
    assert "Trained on patients, real as far as the data say" in text
    assert "**Treat the folder as patient data**" in text
    assert "simulated" not in text.replace("simulated-", "")


def test_sections_without_data_say_so(model):
    bare = replace(
        model, headline={}, tables={}, conformal=None, novelty=None, protocol={}, versions={}
    )
    text = model_card(bare)
    assert "Not evaluated." in text
    assert "## Subgroups\n\nNot measured." in text
    assert "## Leakage audit\n\nNot done." in text
    assert "No conformal sets: too few patients" in text
    assert "No flag for patients unlike the training data" in text
    assert "libraries of unknown versions" in text


def test_audit_lists_warnings_first_and_keeps_the_table(model):
    audit = pd.DataFrame(
        {
            "target": ["scale", "study", "diagnosis"],
            "stage": ["relative", "relative", "mask"],
            "within": ["disease", "all", "all"],
            "attacker": ["trees", "trees", "trees"],
            "auc": [0.55, 0.91, 0.7],
            "lower": [0.5, 0.9, 0.6],
            "upper": [0.6, 0.95, 0.8],
            "n": [70, 70, 70],
            "level": ["pass", "warn", "info"],
            "text": ["fine", "study | leaks", "not judged"],
        }
    )
    text = model_card(replace(model, tables={"audit": audit}))
    warn = "| warn | study | relative | all | 0.910 | 70 | study / leaks |"
    passed = "| pass | scale | relative | disease | 0.550 | 70 | fine |"
    assert text.index(warn) < text.index(passed)
    assert "not judged" not in text


HOSTILE = "<img src=x onerror=alert(1)>\n# Head [x](javascript:1) `_a_` *b* big_muscle"
SHOWN = r"&lt;img src=x onerror=alert(1)&gt; # Head \[x\](javascript:1) \`\_a\_\` \*b\* big_muscle"


def test_names_are_text_and_no_markup(model):
    text = model_card(
        replace(
            model,
            training=model.training.assign(value=HOSTILE),
            long_names={"A": HOSTILE},
            licence=HOSTILE,
            created=HOSTILE,
            protocol={**model.protocol, "name": HOSTILE},
            versions={HOSTILE: "1"},
        )
    )
    assert "<" not in text
    assert "\n# Head" not in text
    assert f"Made {SHOWN}. Licence: {SHOWN}." in text
    assert f"Knows only: A ({SHOWN}), B, C." in text
    assert f"Profile `{SHOWN}`" in text
    assert f"Made with {SHOWN} 1." in text
    assert f"| {SHOWN} |" in text


def test_studies_left_out_and_diagnoses_of_one_study_are_told(model):
    assert "## Studies left out as a whole\n\nNot measured" in model_card(model)
    overall, classes = model.tables["overall"], model.tables["classes"]
    studies = pd.DataFrame(
        {
            "diagnosis": ["A", "B", "C"],
            "studies": [1, 2, 3],
            "only_study": ["north", None, None],
            "samples": [24, 24, 22],
            "patients": [24, 24, 22],
            "tested": [0, 24, 22],
        }
    )
    lower = overall.assign(value=overall["value"] / 2, n_samples=46, n_classes=2)
    tables = {
        **model.tables,
        "diagnosis_studies": studies,
        "studies_overall": lower,
        "studies_classes": classes.assign(value=classes["value"] / 4),
    }
    text = model_card(replace(model, tables=tables))
    assert "**In one study only: A (north). Nothing tells" in text
    assert "46 of 70 samples, 2 of 3 diagnoses" in text
    figure = model.headline["balanced_accuracy"]["value"]
    row = lower.set_index("metric").loc["balanced_accuracy"]
    assert (
        f"| Balanced accuracy | {row['value']:.3f} | {row['lower']:.3f} to {row['upper']:.3f} | "
        f"{figure:.3f} |"
    ) in text
    found = classes.set_index(["class", "measure"])["value"][("B", "sensitivity")]
    assert f"| B | 2 | 24 | {found / 4:.3f} | {found:.3f} |" in text


def test_the_card_counts_the_muscles_it_used(model):
    text = model_card(model)
    assert "fat scores of 8 muscles" in text
    assert "Muscles: the 8 that at least 5% of the training samples have." in text
    assert "Not used, for want of scores: " in text
