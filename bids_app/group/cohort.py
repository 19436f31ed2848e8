"""The gathered cohort, harmonized, as the tables we write."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bids_app.errors import AppError, ExitCode
from bids_app.files.tables import read_tsv
from bids_app.group.gathering import Gathered
from bids_app.group.quality_tables import sample_marks, with_marks
from bids_app.group.traced_parts import trace_parts
from bids_app.options.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.diagnosis.model.diagnosis_model import Origin
    from pipelines.harmonization.harmonize import Harmonization, HarmonizationOptions
    from pipelines.harmonization.scores.native import NativeScores

# Columns of group_scores before the features; sex and age are features too, in words here.
_SAMPLE_COLUMNS = (
    "study",
    "participant",
    "session",
    "scale",
    "sides",
    "site",
    "diagnosis",
    "sex",
    "age",
)


@dataclass(frozen=True)
class HarmonizedCohort:
    """Scores of all samples, and how they are made comparable."""

    gathered: Gathered
    native: "NativeScores"  # of the feature muscles
    harmonization: "Harmonization"  # fitted on all samples, or of the model that is applied

    @property
    def labels(self) -> list[str | None]:
        """Diagnosis of each sample; None where it is not known."""
        diagnoses = self.native.samples["diagnosis"]
        return [str(name) if isinstance(name, str) else None for name in diagnoses]

    def origin(self, samples: "pd.DataFrame") -> "Origin":
        """Return ``simulated`` if any of these samples is not of a person, else ``real``."""
        origins = self.gathered.origins
        invented = any(origins[study] for study in samples["study"].unique())
        return "simulated" if invented else "real"

    def with_involvement(self, native: "NativeScores") -> "pd.DataFrame":
        """Return some of the samples with their mean and maximum involvement (0-100)."""
        from pipelines.diagnosis.model.diagnosis_model import involvement, muscle_percent

        percent = muscle_percent(self.harmonization, native)
        mean, highest = involvement(percent)
        return native.samples.assign(mean_involvement=mean, max_involvement=highest)

    def tables(self) -> "dict[str, pd.DataFrame]":
        """Return ``group_muscles``, ``group_scores`` and ``group_trace``."""
        import pandas as pd

        from pipelines.harmonization.trace import trace_scores

        gathered, marks = self.gathered, self.marks
        trace = trace_scores(gathered.table, self.harmonization)
        tables = {
            "group_muscles": with_marks(gathered.table.scores, marks),
            "group_scores": with_marks(self._features(), marks),
            "group_trace": trace_parts(trace, gathered.parts),
        }
        if gathered.quality:
            tables["group_quality"] = pd.concat(gathered.quality, ignore_index=True)
        return tables

    @cached_property
    def marks(self) -> "pd.DataFrame":
        """What checks and people say of each sample of our own results, by sample."""
        return sample_marks(self.gathered.quality)

    def _features(self) -> "pd.DataFrame":
        import pandas as pd

        values = self.harmonization.transform(self.native)
        features = pd.DataFrame(
            values, index=self.native.samples.index, columns=list(self.harmonization.feature_names)
        )
        people = self.native.samples[list(_SAMPLE_COLUMNS)]
        measured = features.drop(columns=["sex", "age"])
        return pd.concat([people, measured], axis=1).reset_index()


def harmonize(gathered: Gathered, how: "HarmonizationOptions | Harmonization") -> HarmonizedCohort:
    """Bring the scores of all samples to one scale: fit options here, or take what a model has."""
    from pipelines.harmonization.harmonize import Harmonization, fit_harmonization
    from pipelines.harmonization.scores.native import to_native

    native = to_native(gathered.table)
    fitted = how if isinstance(how, Harmonization) else fit_harmonization(native, how)
    return HarmonizedCohort(gathered, native, fitted)


def audit(cohort: HarmonizedCohort, seed: int) -> "pd.DataFrame":
    """Measure what the features give away; ``PipelineError`` if the cohort is too small."""
    from pipelines.harmonization.audit.leakage import leakage_audit

    return leakage_audit(cohort.native, cohort.harmonization.options, seed=seed)


def harmonization_options(settings: Settings) -> "HarmonizationOptions":
    """Return what the settings say about harmonization; ``USAGE`` if a choice cannot be."""
    from pipelines.errors import DataError
    from pipelines.harmonization.harmonize import HarmonizationOptions
    from pipelines.harmonization.thresholds import read_thresholds

    # Thresholds come from a table of their own.
    known = HarmonizationOptions.__dataclass_fields__.keys() - {"thresholds"}
    unknown = sorted(settings.harmonization_options.keys() - known)
    if unknown:
        raise AppError(
            f"Harmonization has no option {unknown[0]!r}.",
            ExitCode.USAGE,
            f"Below harmonization_options stand: {', '.join(sorted(known))}.",
        )
    chosen: dict[str, Any] = {"seed": settings.seed, **settings.harmonization_options}
    if settings.harmonization is not None:
        chosen["method"] = settings.harmonization
    if settings.asymmetry_order is not None:
        chosen["order"] = settings.asymmetry_order
    if settings.scale_thresholds is not None:
        path = settings.scale_thresholds
        chosen["thresholds"] = read_thresholds(read_tsv(path), str(path))
        if chosen.get("method") != "dither":
            raise AppError(
                "--scale-thresholds has no effect without dither.",
                ExitCode.USAGE,
                "Add --harmonization dither, or leave it out.",
            )
    try:
        return HarmonizationOptions(**chosen)
    except DataError as error:
        raise AppError(error.message, ExitCode.USAGE, error.hint) from error
