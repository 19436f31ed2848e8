"""What comes before hours of work, and all of a dry run: read everything, refuse what cannot be."""

from pathlib import Path
from typing import TYPE_CHECKING

from bids_app.errors import ExitCode, as_app_errors
from bids_app.files.derivatives import refuse_unwritable
from bids_app.files.provenance import refuse_other_results, run_info
from bids_app.group.application import check_interactions, open_diagnosis_model
from bids_app.group.cohort import HarmonizedCohort, harmonization_options, harmonize
from bids_app.group.gathering import Gathered, Sources, describe, gather
from bids_app.group.readers import check_readers
from bids_app.group.study_maps import read_study_maps
from bids_app.group.training import TrainingPlan, check_training, plan_training, training_protocol
from bids_app.options.settings import Settings
from bids_app.running.logs import start_logging

if TYPE_CHECKING:
    from pipelines.diagnosis.model.diagnosis_model import DiagnosisModel


def check_choices(settings: Settings) -> "DiagnosisModel | None":
    """Refuse what cannot be before a table is read; return the model that is to be applied."""
    if settings.train is not None:
        check_training(settings)
    folder = settings.diagnosis_model
    model = None if folder is None else open_diagnosis_model(folder)
    if model is not None:
        check_interactions(settings, model)
    return model


def prepare_cohort(
    settings: Settings, gathered: Gathered, model: "DiagnosisModel | None"
) -> tuple[HarmonizedCohort, TrainingPlan | None]:
    """Harmonize a cohort as asked for, or as a model wants it; plan the training, if any."""
    if model is not None:
        cohort = harmonize(gathered, model.ensemble.harmonization)
        if settings.readers is not None:
            check_readers(settings.readers, model, cohort.native)
        return cohort, None
    options = harmonization_options(settings)
    if settings.train is not None:
        options = training_protocol(settings).harmonization(options)
    cohort = harmonize(gathered, options)
    return cohort, None if settings.train is None else plan_training(settings, cohort)


def size_of(gathered: Gathered) -> str:
    """Say how large a cohort is."""
    samples = gathered.table.samples
    patients, studies = samples["patient"].nunique(), samples["study"].nunique()
    return f"{len(samples)} samples of {patients} patients, {studies} studies"


def group_dry_run(settings: Settings, sources: Sources) -> ExitCode:
    """Say what a run would work on, and refuse what it would refuse; write nothing."""
    start_logging(settings.verbosity)
    refuse_unwritable(settings.output_dir)
    refuse_other_results(settings)
    for line in describe(sources):
        print(line)
    with as_app_errors():
        if settings.reports_only:
            _check_results(settings, settings.output_dir)
        else:
            model = check_choices(settings)
            gathered = gather(sources, read_study_maps(settings))
            for sentence in gathered.doubts:
                print(f"caution: {sentence}")
            print(size_of(gathered))
            _, plan = prepare_cohort(settings, gathered, model)
            if plan is not None:
                print(
                    f"model {settings.train}: {len(plan.selected.y)} samples of "
                    f"{', '.join(plan.selected.classes)}"
                )
    print("dry run: nothing was written")
    return ExitCode.OK


def _check_results(settings: Settings, folder: Path) -> None:
    """Refuse results that no page can be made of."""
    from bids_app.reports.group.content import read_group_content

    read_group_content(folder, folder, run_info(settings))
