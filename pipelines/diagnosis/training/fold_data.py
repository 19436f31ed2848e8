"""Prepared data of one training and validation part, made once and used by every trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.arrays import Float32, Index
from pipelines.diagnosis.cohort import Cohort
from pipelines.diagnosis.ensemble.boosting import training_matrix
from pipelines.diagnosis.ensemble.preparation import Preparation
from pipelines.diagnosis.protocol import Protocol
from pipelines.diagnosis.training.folds import Split
from pipelines.diagnosis.training.resampling import Oversampler, class_weights, mask_blocks
from pipelines.harmonization.harmonize import (
    Harmonization,
    HarmonizationOptions,
    fit_harmonization,
)

if TYPE_CHECKING:
    import xgboost


@dataclass(frozen=True)
class TrainingPart:
    """Training rows of a fold with everything that was fitted on them, and only on them.

    `features` holds the prepared rows (n, p) by number of neighbours of the imputation.
    """

    harmonization: Harmonization
    preparation: Preparation
    features: dict[int, Float32]
    y: Index


def fit_training_part(
    cohort: Cohort,
    rows: Index,
    options: HarmonizationOptions,
    protocol: Protocol,
    neighbours: Sequence[int],
) -> TrainingPart:
    """Fit harmonization and preparation on some rows; no other row has any influence.

    Where the harmonization draws at random, the rows are those of the first draw.
    """
    harmonization = fit_harmonization(cohort.native, options, rows)
    train = cohort.native.subset(rows)
    if protocol.masking:
        train = mask_blocks(train, protocol.masking, protocol.seed)
    names = harmonization.feature_names
    categorical = [names.index("sex")] if "sex" in names else []
    preparation = Preparation.fit(harmonization.transform(train), categorical)
    return TrainingPart(
        harmonization, preparation, preparation.training_rows(neighbours), cohort.y[rows]
    )


class TrainingData:
    """Binned training data of one part for any trial, balanced as the protocol says."""

    def __init__(self, part: TrainingPart, protocol: Protocol) -> None:
        self._part = part
        self._protocol = protocol
        self._oversamplers: dict[int, Oversampler] = {}
        self._weighted: dict[int, xgboost.QuantileDMatrix] = {}

    def matrix(self, parameters: Mapping[str, Any]) -> "xgboost.QuantileDMatrix":
        """Return the balanced training data of a trial; kept where only `knn_k` changes it."""
        k = int(parameters["knn_k"])
        bins = self._protocol.max_bin
        if self._protocol.balance == "smote-nc":
            factor, neighbours = parameters["augmentation_factor"], int(parameters["smote_k"])
            return training_matrix(*self.oversampled(k, factor, neighbours), None, bins)
        if k not in self._weighted:
            y = self._part.y
            self._weighted[k] = training_matrix(self._part.features[k], y, class_weights(y), bins)
        return self._weighted[k]

    def oversampled(self, k: int, factor: float, neighbours: int) -> tuple[Float32, Index]:
        """Return oversampled rows and their class numbers, see :meth:`.Oversampler.sample`."""
        if k not in self._oversamplers:
            most = self._protocol.space.get("smote_k")
            self._oversamplers[k] = Oversampler(
                self._part.features[k],
                self._part.y,
                self._part.preparation.categorical,
                max(neighbours, int(most.high) if most else 0),
            )
        return self._oversamplers[k].sample(factor, neighbours, self._protocol.seed)


class PreparedFold:
    """One inner fold: training data, and validation rows prepared as the training rows."""

    def __init__(
        self,
        cohort: Cohort,
        split: Split,
        options: HarmonizationOptions,
        protocol: Protocol,
    ) -> None:
        space = protocol.space["knn_k"]
        neighbours = range(int(space.low), int(space.high) + 1)
        part = fit_training_part(cohort, split.train, options, protocol, neighbours)
        self.training = TrainingData(part, protocol)
        self.y_validation = cohort.y[split.test]
        # One random draw is enough to compare trials; predictions average over all of them.
        features = part.harmonization.transform(cohort.native.subset(split.test))
        self._validation = part.preparation.transform(features, neighbours)
        self._matrices: dict[int, xgboost.DMatrix] = {}

    def validation(self, k: int) -> Float32:
        """Return the prepared validation rows for a number of neighbours, float32 (n, p)."""
        return self._validation[k]

    def validation_matrix(self, k: int) -> "xgboost.DMatrix":
        """Return the validation rows with their classes for early stopping."""
        import xgboost

        if k not in self._matrices:
            self._matrices[k] = xgboost.DMatrix(self._validation[k], self.y_validation, nthread=1)
        return self._matrices[k]
