"""Train a diagnosis model on the cohort, and say honestly how good it is."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_app.errors import AppError, ExitCode
from bids_app.files.containment import require_inside
from bids_app.files.group_files import MODELS
from bids_app.files.reading import checksum, read_text
from bids_app.group.cohort import HarmonizedCohort
from bids_app.group.findings import said_figures
from bids_app.group.readers import readers_of_training
from bids_app.options.settings import Settings
from bids_app.running.executors import open_executor
from bids_app.running.logs import LOGGER, progress_bar
from bids_app.running.machine import plan_workers
from bids_app.running.tasks import Executor
from bids_app.running.work_folder import worker_start
from bids_app.version import __version__
from pipelines.diagnosis.model.folder import DESCRIPTION
from pipelines.errors import DataError
from pipelines.files import replace_folder, write_text
from pipelines.progress import Progress

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.diagnosis.cohort import Cohort
    from pipelines.diagnosis.ensemble.average import Ensemble
    from pipelines.diagnosis.evaluation.evaluate import Evaluation
    from pipelines.diagnosis.model.diagnosis_model import DiagnosisModel
    from pipelines.diagnosis.protocol import Protocol
    from pipelines.diagnosis.training.nested import NestedResult


# What --train leaves until model and tables are in place.
_CHECKPOINTS = Path("logs") / "training"
# Among it: which model is in place whose tables may not be.
_PLACED = "placed.txt"


# Memory of a process that searches one fold of the published cohort, GB.
_FOLD_MEMORY_GB = 1.5

# Members of the ensembles that are trained without a study: each study needs its own.
_MEMBERS_WITHOUT_STUDY = 5

# Tables about unseen studies that go with the model; the others repeat them in detail.
_STUDY_TABLES = ("overall", "classes", "folds")


def check_training(settings: Settings) -> None:
    """Refuse an impossible protocol, or the name of a model there is, before all else."""
    training_protocol(settings)
    require_inside(settings.output_dir, _checkpoint_folder(settings) / _PLACED)
    _refuse_existing_model(settings)


@dataclass(frozen=True)
class TrainingPlan:
    """What a training works on, checked: its samples, protocol and answers of readers."""

    cohort: HarmonizedCohort
    protocol: "Protocol"
    selected: "Cohort"
    readers: "pd.DataFrame | None"


def plan_training(settings: Settings, cohort: HarmonizedCohort) -> TrainingPlan:
    """Refuse what cannot be trained on; mistakes show now, not after hours of training."""
    from pipelines.diagnosis.cohort import training_cohort
    from pipelines.diagnosis.training.folds import grouped_folds

    protocol = training_protocol(settings)
    selected = training_cohort(cohort.native, cohort.labels, protocol.minimum_samples)
    readers = readers_of_training(settings.readers, selected)
    if settings.interactions is not None and settings.interactions not in selected.classes:
        raise AppError(
            f"--interactions {settings.interactions} is no diagnosis that is trained on.",
            ExitCode.USAGE,
            f"Diagnoses: {', '.join(selected.classes)}.",
        )
    grouped_folds(
        selected.y, selected.patients, selected.classes, protocol.outer_folds, protocol.seed
    )
    return TrainingPlan(cohort, protocol, selected, readers)


def train(
    settings: Settings,
    plan: TrainingPlan,
    tables: "Mapping[str, pd.DataFrame]",
    work_dir: Path,
    log_file: Path,
) -> "tuple[DiagnosisModel, pd.Index[Any]]":
    """Search, evaluate and refit the ensemble; return the model and the samples it was trained on.

    `tables` are kept with the model beside those of the evaluation; `work_dir` and `log_file` are
    for worker processes.
    """
    from pipelines.diagnosis.model.diagnosis_model import build_model
    from pipelines.diagnosis.training.nested import run_nested
    from pipelines.diagnosis.training.refit import refit_ensemble

    cohort, selected = plan.cohort, plan.selected
    with _map_tasks(settings, work_dir, log_file) as map_tasks:
        with progress_bar("training", "trial") as progress:
            nested = run_nested(
                selected,
                cohort.harmonization.options,
                plan.protocol,
                explain=True,
                checkpoint=_checkpoint_folder(settings),
                map_tasks=map_tasks,
                progress=progress,
            )
        LOGGER.info("%d members, %.0f s of CPU time", len(nested.members), nested.seconds)
        with progress_bar("whole studies left out", "study") as progress:
            without_studies = _without_studies(nested, map_tasks, progress)
    with progress_bar("refitting", "member") as progress:
        ensemble = refit_ensemble(nested, progress=progress)
    evaluation = _evaluate(cohort, nested, ensemble, plan.readers)
    for sentence in said_figures({**evaluation.tables, **without_studies}):
        LOGGER.info("%s", sentence)
    own_tables = {
        **evaluation.tables,
        **without_studies,
        **tables,
        **_data_doubts(cohort),
        "importance": _importance(cohort, nested),
    }
    model = build_model(
        str(settings.train),
        ensemble,
        nested,
        origin=cohort.origin(selected.native.samples),
        created=datetime.now(UTC).date().isoformat(),
        headline=evaluation.headline,
        tables=own_tables,
        long_names=cohort.gathered.long_names,
    )
    return model, selected.native.samples.index


def _data_doubts(cohort: HarmonizedCohort) -> "dict[str, pd.DataFrame]":
    """Return as a table of the model what makes its data doubtful, if anything."""
    import pandas as pd

    sentences = cohort.gathered.card_doubts
    return {"data_doubts": pd.DataFrame({"text": sentences})} if sentences else {}


def training_protocol(settings: Settings) -> "Protocol":
    """Return the profile with the numbers that the settings change."""
    from pipelines.diagnosis.protocol import load_profile

    changed: dict[str, Any] = {"seed": settings.seed, **settings.training}
    if settings.minimum_samples is not None:
        changed["minimum_samples"] = settings.minimum_samples
    try:
        return load_profile(settings.profile, **changed)
    except DataError as error:
        raise AppError(f"Training protocol: {error.message}", ExitCode.USAGE, error.hint) from error


def _evaluate(
    cohort: HarmonizedCohort,
    nested: "NestedResult",
    ensemble: "Ensemble",
    readers: "pd.DataFrame | None",
) -> "Evaluation":
    """Evaluate the predictions of the outer folds."""
    from pipelines.diagnosis.evaluation.evaluate import EvaluationOptions, evaluate
    from pipelines.diagnosis.model.diagnosis_model import complete_features

    used = nested.cohort
    features = ensemble.harmonization.transform(used.native)
    return evaluate(
        used.y,
        nested.probabilities,
        used.classes,
        nested.fold,
        cohort.with_involvement(used.native),
        margins=nested.margins,
        features=complete_features(ensemble, features),
        comparators=nested.comparators,
        readers=readers,
        options=EvaluationOptions(temperature=ensemble.combine == "margins"),
    )


def _without_studies(
    nested: "NestedResult",
    map_tasks: "Executor | None",
    progress: Progress,
) -> "dict[str, pd.DataFrame]":
    """Evaluate ensembles on whole studies that they were trained without, if there are several."""
    from pipelines.diagnosis.evaluation.evaluate import evaluate
    from pipelines.diagnosis.evaluation.studies import diagnosis_studies
    from pipelines.diagnosis.training.leave_one_study_out import leave_one_study_out

    try:
        result = leave_one_study_out(
            nested.cohort,
            nested.options,
            nested.protocol,
            nested.best_members(_MEMBERS_WITHOUT_STUDY),
            map_tasks=map_tasks,
            progress=progress,
        )
    except DataError as error:
        LOGGER.warning("Not evaluated on studies left out as a whole: %s", error.message)
        return {"diagnosis_studies": diagnosis_studies(nested.cohort)}
    evaluation = evaluate(
        result.cohort.y,
        result.probabilities,
        result.cohort.classes,
        result.fold,
        result.cohort.native.samples,
    )
    tables = {f"studies_{name}": evaluation.tables[name] for name in _STUDY_TABLES}
    return tables | {"diagnosis_studies": diagnosis_studies(nested.cohort, result.cohort)}


def _importance(cohort: HarmonizedCohort, nested: "NestedResult") -> "pd.DataFrame":
    """Summarize how every sample is explained by the ensemble that had not seen it."""
    import pandas as pd

    from pipelines.diagnosis.explanation.importance import importance_table
    from pipelines.diagnosis.explanation.out_of_fold import pool_explanations
    from pipelines.harmonization.harmonize import PATIENT_FEATURES

    used = nested.cohort.native
    seen = {name for explanation in nested.explanations for name in explanation.features}
    names = tuple(name for name in (*used.muscles, *PATIENT_FEATURES) if name in seen)
    values, _ = pool_explanations(nested.explanations, names)
    # A fold may keep muscles (coverage of the protocol) that the whole cohort does not.
    features = pd.DataFrame(
        cohort.harmonization.transform(used), columns=list(cohort.harmonization.feature_names)
    ).reindex(columns=list(names))
    return importance_table(values, features.to_numpy(), nested.cohort.classes, names)


@contextmanager
def _map_tasks(settings: Settings, work_dir: Path, log_file: Path) -> "Iterator[Executor | None]":
    """Prepare what folds and studies are computed with; None computes them here, one by one."""
    workers = plan_workers(settings.nprocs, settings.omp_nthreads, settings.mem, _FOLD_MEMORY_GB)
    if workers.processes == 1 and settings.executor == "local":
        yield None
        return
    start = worker_start(settings, log_file, work_dir)
    with open_executor(settings, workers.processes, start, work_dir) as execute:
        yield execute


def model_folder(settings: Settings) -> Path:
    """Return where the model that ``--train`` names is stored."""
    return settings.output_dir / MODELS / str(settings.train)


def _checkpoint_folder(settings: Settings) -> Path:
    """Return where a training leaves what it has found; another version may search otherwise."""
    return _checkpoints(settings) / __version__


def _refuse_existing_model(settings: Settings) -> None:
    """Refuse to replace a model, unless asked to or its training did not come to its end."""
    folder = model_folder(settings)
    if not folder.exists() or settings.overwrite or _lacks_tables(settings):
        return
    raise AppError(
        f"There is a model {settings.train} already: {folder}.",
        ExitCode.CANNOT_CREATE,
        "Train under another name, or replace it with --overwrite.",
    )


def put_in_place(settings: Settings, staging: Path) -> None:
    """Move a trained model from the staging folder to ``models``.

    Until :func:`end_training` a run without ``--overwrite`` may replace it, so that one which was
    killed before its tables were in place is completed by the same command.
    """
    folder = model_folder(settings)
    new = staging / MODELS / folder.name
    write_text(_checkpoints(settings) / _PLACED, checksum(new / DESCRIPTION))
    replace_folder(new, folder)
    LOGGER.info("model stored: %s", folder)


def end_training(settings: Settings) -> None:
    """Forget the checkpoints: model and tables are in place."""
    shutil.rmtree(_checkpoints(settings), ignore_errors=True)


def _checkpoints(settings: Settings) -> Path:
    return settings.output_dir / _CHECKPOINTS / str(settings.train)


def _lacks_tables(settings: Settings) -> bool:
    """Tell whether the model in place is that of a run which did not come to its end."""
    note, description = _checkpoints(settings) / _PLACED, model_folder(settings) / DESCRIPTION
    there = note.is_file() and description.is_file()
    return there and read_text(note) == checksum(description)
