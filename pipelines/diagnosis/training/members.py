"""Train the members of an ensemble on the same samples."""

from collections.abc import Callable, Sequence

from pipelines.arrays import Index
from pipelines.diagnosis.cohort import Cohort
from pipelines.diagnosis.ensemble.average import Ensemble, Member, MemberParameters
from pipelines.diagnosis.ensemble.boosting import fit_booster, store_booster
from pipelines.diagnosis.protocol import Protocol
from pipelines.diagnosis.training.fold_data import TrainingData, fit_training_part
from pipelines.harmonization.harmonize import HarmonizationOptions


def train_ensemble(
    cohort: Cohort,
    rows: Index,
    members: Sequence[MemberParameters],
    options: HarmonizationOptions,
    protocol: Protocol,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Ensemble:
    """Train an ensemble on some rows of a cohort; no other row has any influence."""
    neighbours = sorted({int(m.values["knn_k"]) for m in members})
    part = fit_training_part(cohort, rows, options, protocol, neighbours)
    data = TrainingData(part, protocol)
    trained = []
    for done, member in enumerate(members, start=1):
        fit = fit_booster(
            data.matrix(member.values),
            member.values,
            classes=len(cohort.classes),
            max_bin=protocol.max_bin,
            seed=protocol.seed,
        )
        trained.append(Member(store_booster(fit.booster), member))
        if progress:
            progress(done, len(members))
    return Ensemble(
        cohort.classes, part.harmonization, part.preparation, tuple(trained), protocol.combine
    )
