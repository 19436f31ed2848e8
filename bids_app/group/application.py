"""Apply a diagnosis model to the cohort."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_app.dataset.labels import enumerate_labels
from bids_app.errors import AppError, ExitCode, as_app_errors
from bids_app.group.cohort import HarmonizedCohort
from bids_app.group.quality_tables import with_marks
from bids_app.group.readers import tables_of_readers
from bids_app.limits import available_cpus
from bids_app.options.settings import Settings
from bids_app.running.logs import progress_bar

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.diagnosis.model.diagnosis_model import DiagnosisModel
    from pipelines.harmonization.scores.native import NativeScores


@dataclass(frozen=True)
class Applied:
    """Answers of a model.

    Attributes
    ----------
    tables : Mapping of str to DataFrame
        ``group_diagnosis``, ``group_flags`` and ``group_explanation``; with interactions also
        ``group_interactions`` and ``group_clusters``. Without a sample only the latter.
    about : Mapping
        The model, for the summary.
    cautions : list of str
        What should be known before the answers are read.
    """

    tables: "Mapping[str, pd.DataFrame]"
    about: Mapping[str, Any]
    cautions: list[str]


def open_diagnosis_model(folder: Path) -> "DiagnosisModel":
    """Load a diagnosis model.

    Raises
    ------
    AppError
        ``UNAVAILABLE`` if it is missing, damaged or not one of ours.
    """
    from pipelines.diagnosis.model.store import load_model

    with as_app_errors():
        return load_model(folder)


def check_interactions(settings: Settings, model: "DiagnosisModel") -> None:
    """Refuse to explain interactions for a diagnosis that a model does not know."""
    if settings.interactions is not None and settings.interactions not in model.classes:
        raise AppError(
            f"--interactions {settings.interactions} is no diagnosis of model {model.name}.",
            ExitCode.USAGE,
            f"Diagnoses: {', '.join(model.classes)}.",
        )


def apply_to_cohort(
    settings: Settings,
    model: "DiagnosisModel",
    folder: Path,
    cohort: HarmonizedCohort,
    trained_on: "pd.Index[Any] | None" = None,
) -> Applied:
    """Rank diagnoses for the samples of a cohort with the model that lies in `folder`.

    Samples of `trained_on`, which the model was trained on in this run, are left out.
    """
    native = cohort.native
    if trained_on is not None:
        native = native.subset(~native.samples.index.isin(trained_on))
    tables: dict[str, pd.DataFrame] = {}
    if len(native.samples):
        tables |= answer_tables(settings, model, native, cohort.marks)
    if trained_on is None and settings.readers is not None:
        tables |= tables_of_readers(settings.readers, model, native)
    if settings.interactions is not None:
        tables |= _interactions(settings, model, cohort)
    about = {
        "Name": model.name,
        "Folder": Path(os.path.relpath(folder, settings.output_dir)).as_posix(),
        "Origin": model.origin,
        "Calibrated": model.calibrated,
        "Created": model.created,
        "Classes": list(model.classes),
        "Members": len(model.ensemble.members),
        "TrainedInThisRun": trained_on is not None,
    }
    if trained_on is None:
        found = [*_trained_before(model, native), *_familiar(model, cohort)]
    else:
        found = _known_patients(cohort.native.samples, trained_on)
    return Applied(tables, about, [*_from_one_study(model), *found])


def answer_tables(
    settings: Settings, model: "DiagnosisModel", native: "NativeScores", marks: "pd.DataFrame"
) -> "dict[str, pd.DataFrame]":
    """Return ``group_diagnosis``, ``group_flags`` and ``group_explanation`` of some samples.

    `marks` say what checks and people found in them, see :func:`.quality_tables.sample_marks`.
    """
    from pipelines.diagnosis.application.apply import ApplyOptions, apply_model

    options = ApplyOptions(threads=settings.omp_nthreads or available_cpus())
    with progress_bar("explaining", "member") as progress:
        answers = apply_model(model, native, options, progress=progress)
    return {
        "group_diagnosis": with_marks(answers.results, marks),
        "group_flags": with_marks(answers.samples, marks),
        "group_explanation": answers.explanation,
    }


def _interactions(
    settings: Settings, model: "DiagnosisModel", cohort: HarmonizedCohort
) -> "dict[str, pd.DataFrame]":
    """Measure which features act together for the chosen diagnosis."""
    from pipelines.diagnosis.explanation.interactions import (
        cluster_features,
        interaction_strength,
        interaction_table,
    )

    diagnosis = str(settings.interactions)
    with progress_bar("interactions", "part") as progress:
        strength = interaction_strength(
            model.ensemble,
            cohort.native,
            [diagnosis],
            threads=settings.omp_nthreads or available_cpus(),
            progress=progress,
        )
    return {
        "group_interactions": interaction_table(strength, diagnosis),
        "group_clusters": cluster_features(strength, diagnosis),
    }


def _known_patients(samples: "pd.DataFrame", trained_on: "pd.Index[Any]") -> list[str]:
    """Warn about samples that were not trained on, but whose patients were, in other sessions."""
    left = ~samples.index.isin(trained_on)
    known = left & samples["patient"].isin(samples["patient"][~left]).to_numpy()
    if not known.any():
        return []
    return [
        f"{known.sum()} sample(s) were not trained on, but others of the same patients were: the "
        "answers for them look better than they are."
    ]


def _from_one_study(model: "DiagnosisModel") -> list[str]:
    """Name the diagnoses that the model was taught by one study only."""
    from pipelines.diagnosis.evaluation.studies import one_study_text

    table = model.tables.get("diagnosis_studies")
    text = "" if table is None else one_study_text(table)
    return [f"Model {model.name}. {text}"] if text else []


def _trained_before(model: "DiagnosisModel", native: "NativeScores") -> list[str]:
    """Name the samples that equal samples of the training."""
    from pipelines.diagnosis.application.reading import trained_samples

    known = native.samples.index[trained_samples(model, native)]
    if not len(known):
        return []
    return [
        f"{len(known)} sample(s) have the scores, age and sex of samples that model {model.name} "
        f"was trained on: {enumerate_labels(known)}. Their answers say nothing about how good it "
        "is."
    ]


def _familiar(model: "DiagnosisModel", cohort: HarmonizedCohort) -> list[str]:
    """Warn about studies that the model was trained on: it may know their patients."""
    trained = set(model.training.loc[model.training["group"] == "study", "value"].astype(str))
    known = sorted(trained & set(cohort.native.samples["study"].astype(str)))
    if not known:
        return []
    listed = ", ".join(known[:5]) + (f" and {len(known) - 5} more" if len(known) > 5 else "")
    return [
        f"Model {model.name} was trained on studies named {listed}: for patients it has seen, its "
        "answers look better than they are."
    ]
