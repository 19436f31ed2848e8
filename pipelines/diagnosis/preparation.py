"""Make features ready for trees: scale, fill the gaps, round the sex. Fitted inside a fold only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.diagnosis.imputation import impute
from pipelines.errors import DataError

FloatArray = npt.NDArray[np.float32]

# A spread this small beside the mean is rounding: the feature does not vary.
_CONSTANT = 1e-12


@dataclass(frozen=True)
class Preparation:
    """Column-wise z-score, nearest-neighbour imputation and rounding of categories.

    Every statistic comes from the rows it was fitted on; only numpy is needed to apply it.

    Attributes
    ----------
    mean, sd : float64 array (p,)
        Of the values present; `sd` is 1 where a feature does not vary.
    reference : float32 array (m, p)
        The z-scored training rows, donors of the imputation; NaN where missing.
    categorical : tuple of int
        Columns coded 0 and 1 (sex), rounded after imputation.
    """

    mean: npt.NDArray[np.float64]
    sd: npt.NDArray[np.float64]
    reference: FloatArray
    categorical: tuple[int, ...] = ()

    @classmethod
    def fit(
        cls, features: npt.NDArray[np.float64], categorical: Sequence[int] = ()
    ) -> "Preparation":
        """Learn the preparation from training rows.

        Parameters
        ----------
        features : float64 array (m, p)
            NaN where missing.
        categorical : sequence of int
            Columns coded 0 and 1.

        Raises
        ------
        DataError
            If there is no row.
        """
        if not len(features):
            raise DataError("There is no training sample to learn the preparation from.")
        present = ~np.isnan(features)
        count = np.maximum(present.sum(axis=0), 1)
        mean = np.where(present, features, 0.0).sum(axis=0) / count
        sd = np.sqrt((np.where(present, features - mean, 0.0) ** 2).sum(axis=0) / count)
        sd = np.where(sd > _CONSTANT * np.maximum(np.abs(mean), 1.0), sd, 1.0)
        scaled = ((features - mean) / sd).astype(np.float32)
        return cls(mean, sd, scaled, tuple(categorical))

    def transform(
        self, features: npt.NDArray[np.float64], neighbours: Sequence[int]
    ) -> dict[int, FloatArray]:
        """Prepare rows.

        Parameters
        ----------
        features : float64 array (n, p)
            NaN where missing.
        neighbours : sequence of int
            Numbers of neighbours wanted for the imputation.

        Returns
        -------
        dict of int to float32 array (n, p)
            z-scores without NaN for each number of neighbours.

        Raises
        ------
        DataError
            If the number of features is not the one fitted.
        """
        if features.shape[1] != self.mean.size:
            raise DataError(
                f"{features.shape[1]} features were given, the preparation knows {self.mean.size}."
            )
        return self._filled(((features - self.mean) / self.sd).astype(np.float32), neighbours)

    def training_rows(self, neighbours: Sequence[int]) -> dict[int, FloatArray]:
        """Return the rows it was fitted on, prepared."""
        return self._filled(self.reference, neighbours)

    def _filled(self, scaled: FloatArray, neighbours: Sequence[int]) -> dict[int, FloatArray]:
        """Fill z-scored rows and round their categories."""
        filled = impute(self.reference, scaled, neighbours)
        for array in filled.values():
            for column in self.categorical:
                zero, one = (np.array([0.0, 1.0]) - self.mean[column]) / self.sd[column]
                array[:, column] = np.where(array[:, column] >= (zero + one) / 2, one, zero)
        return filled
