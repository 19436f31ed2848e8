"""Scans with little fat: the pattern of fat can say little about the disease.

The Myo-Guide paper (Verdu-Diaz et al. 2025, section 3.2) found that the model fails in three
diseases with mild or absent fat replacement. A patient is near-normal when both the mean and the
maximum of the scored muscles are low on the 0-100 axis. Both thresholds are quantiles of those
diseases in the cohort, or documented defaults where it has too few of them
(``near_normal.json``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from pipelines.arrays import Bool, Float64
from pipelines.diagnosis.trust.checks import check_length, one_sample_per_patient
from pipelines.errors import DataError
from pipelines.package_data import package_json


@dataclass(frozen=True)
class NearNormal:
    """Thresholds of a near-normal scan.

    Attributes
    ----------
    mean_involvement, max_involvement : float
        A scan is near-normal when neither its mean nor its maximum is above (0-100).
    origin : {'learnt', 'default'}
        Whether the cohort or ``near_normal.json`` gave the thresholds.
    diseases : tuple of str
        Diseases that are often near-normal.
    n_patients : int
        Patients with these diseases that the thresholds were learnt from; 0 for defaults.
    """

    mean_involvement: float
    max_involvement: float
    origin: Literal["learnt", "default"]
    diseases: tuple[str, ...]
    n_patients: int

    def flags(self, mean_involvement: npt.ArrayLike, max_involvement: npt.ArrayLike) -> Bool:
        """Return which scans show little fat.

        Parameters
        ----------
        mean_involvement, max_involvement : array_like, shape (n,)
            Mean and maximum over the scored muscles of each sample, 0-100. NaN (nothing scored)
            is not near-normal.

        Returns
        -------
        ndarray of bool, shape (n,)

        Raises
        ------
        DataError
            If a value lies outside 0-100 or a maximum is below its mean.
        """
        mean, maximum = _check_involvement(mean_involvement, max_involvement)
        return (mean <= self.mean_involvement) & (maximum <= self.max_involvement)

    def text(self) -> str:
        """Say for people what the flag means."""
        diseases = f", such as {', '.join(self.diseases)}" if self.diseases else ""
        return (
            "Little fat in the muscles scored (mean at most "
            f"{self.mean_involvement:.0f}, no muscle above {self.max_involvement:.0f} of 100). "
            "A pattern of so little fat says little about the disease; normal muscle and diseases "
            f"that rarely replace muscle by fat{diseases} look alike here."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return all parameters as JSON types."""
        return {
            "mean_involvement": self.mean_involvement,
            "max_involvement": self.max_involvement,
            "origin": self.origin,
            "diseases": list(self.diseases),
            "n_patients": self.n_patients,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what :meth:`as_dict` returned."""
        return cls(
            float(data["mean_involvement"]),
            float(data["max_involvement"]),
            data["origin"],
            tuple(data["diseases"]),
            int(data["n_patients"]),
        )


@cache
def near_normal_settings() -> Mapping[str, Any]:
    """Return diseases, default thresholds and quantile of ``near_normal.json``."""
    settings: dict[str, Any] = package_json(__package__, "near_normal.json")
    return settings


def fit_near_normal(
    mean_involvement: npt.ArrayLike,
    max_involvement: npt.ArrayLike,
    diagnosis: npt.ArrayLike,
    patient: npt.ArrayLike,
    *,
    diseases: tuple[str, ...] | None = None,
    seed: int = 0,
) -> NearNormal:
    """Learn the thresholds from the diseases that are often near-normal.

    Parameters
    ----------
    mean_involvement, max_involvement : array_like, shape (n,)
        Mean and maximum over the scored muscles of each sample, 0-100; NaN rows are left out.
    diagnosis : array_like of str, shape (n,)
        Diagnosis of each sample.
    patient : array_like, shape (n,)
        Patient of each sample; one sample of each is used.
    diseases : tuple of str, optional
        Default: those of ``near_normal.json``.
    seed : int
        Seed of the choice of samples.

    Returns
    -------
    NearNormal
        Quantiles of the cohort, bounded by ``ceiling``, when it has at least
        ``minimum_patients`` patients of these diseases, else the defaults; ``origin`` says which.

    Raises
    ------
    DataError
        If shapes do not fit or values lie outside 0-100.
    """
    settings = near_normal_settings()
    mean, maximum = _check_involvement(mean_involvement, max_involvement)
    names = check_length("diagnosis", np.asarray(diagnosis, dtype=object), len(mean))
    patients = check_length("patient", np.asarray(patient, dtype=object), len(mean))
    wanted = tuple(settings["diseases"]) if diseases is None else diseases
    usable = np.flatnonzero(np.isin(names, wanted) & np.isfinite(mean))
    present = tuple(name for name in wanted if name in set(names[usable]))
    rows = usable[one_sample_per_patient(patients[usable], seed)]
    if len(rows) < settings["minimum_patients"]:
        default = settings["default"]
        return NearNormal(
            default["mean_involvement"], default["max_involvement"], "default", present, 0
        )
    ceiling = settings["ceiling"]
    return NearNormal(
        min(float(np.quantile(mean[rows], settings["quantile"])), ceiling["mean_involvement"]),
        min(float(np.quantile(maximum[rows], settings["quantile"])), ceiling["max_involvement"]),
        "learnt",
        present,
        len(rows),
    )


def _check_involvement(
    mean_involvement: npt.ArrayLike, max_involvement: npt.ArrayLike
) -> tuple[Float64, Float64]:
    mean = np.asarray(mean_involvement, dtype=np.float64)
    maximum = check_length("max_involvement", np.asarray(max_involvement, np.float64), len(mean))
    for name, values in (("mean_involvement", mean), ("max_involvement", maximum)):
        outside = (values < 0) | (values > 100)
        if outside.any():
            raise DataError(
                f"{name} has the value {values[outside][0]:g} in row "
                f"{int(np.flatnonzero(outside)[0])}; it must lie between 0 and 100",
                "Give involvement after scaling to 0-100 and before relative scores.",
            )
    # A tolerance for means of equal values.
    if (maximum < mean - 1e-6).any():
        row = int(np.flatnonzero(maximum < mean - 1e-6)[0])
        raise DataError(
            f"max_involvement {maximum[row]:g} is below mean_involvement {mean[row]:g} "
            f"in row {row}",
            "The two columns may be swapped.",
        )
    return mean, maximum
