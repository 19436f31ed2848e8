"""From native scores to the features of the diagnosis: one fitted, storable object."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.arrays import Float64
from pipelines.errors import DataError
from pipelines.harmonization.dither import dither, random_numbers
from pipelines.harmonization.scaling import (
    asymmetry,
    leave_one_out,
    mean_involvement,
    patient_ranks,
    scale_to_percent,
    side_mean,
)
from pipelines.harmonization.scores.native import NativeScores
from pipelines.harmonization.threshold_estimation import estimate_thresholds
from pipelines.harmonization.thresholds import Thresholds, check_thresholds

Method = Literal["paper", "dither", "ranks"]
Order = Literal["scale_first", "sides_first"]

PATIENT_FEATURES = ("mean_involvement", "asymmetry_mean", "asymmetry_sd", "age", "sex")
SEX_CODES: Mapping[str, float] = {"M": 0.0, "F": 1.0}

MOST_DRAWS = 1000
"""Each draw costs a whole prediction, and their mean is steady long before."""

_KINDS = (
    ("relative", bool, "true or false"),
    ("coverage", (int, float), "a number"),
    ("draws", int, "a whole number"),
    ("seed", int, "a whole number"),
)


@dataclass(frozen=True)
class HarmonizationOptions:
    """How scores are made comparable.

    Attributes
    ----------
    method : {'paper', 'dither', 'ranks'}
        ``paper``: linear to 0-100 as published. ``dither``: each grade becomes a random value of
        the fat fractions it stands for, which hides the scale. ``ranks``: order of the muscles
        within the patient, ties at random.
    order : {'scale_first', 'sides_first'}
        Whether asymmetry is taken after scaling, or before it as the paper says. A difference of
        one grade is 1 on a grade scale and 25 percent fat on 0-4, so asymmetry of raw scores cannot
        be compared between scales and tells them apart; hence the default.
    relative : bool
        Subtract the mean of the patient's other muscles (``paper`` and ``dither``).
    coverage : float
        Keep only muscles that at least this share of the fitted samples has, 0-1.
    draws : int
        Random draws over which a prediction is averaged (``dither`` and ``ranks``).
    seed : int
        Seed of these draws.
    thresholds : mapping of str to tuple of float, optional
        Edges of the grades of each scale in percent fat, see :mod:`.thresholds`; estimated from the
        fitted samples for a scale that is not given.
    """

    method: Method = "paper"
    order: Order = "scale_first"
    relative: bool = True
    coverage: float = 0.0
    draws: int = 8
    seed: int = 0
    thresholds: Thresholds | None = None

    def __post_init__(self) -> None:
        for name, kind, words in _KINDS:
            given = getattr(self, name)
            # True and False are whole numbers to Python.
            if not isinstance(given, kind) or (isinstance(given, bool) and kind is not bool):
                raise DataError(f"Harmonization {name} cannot be {given!r}.", f"It is {words}.")
        for name, value, allowed in (
            ("method", self.method, get_args(Method)),
            ("order", self.order, get_args(Order)),
        ):
            if value not in allowed:
                raise DataError(
                    f"Harmonization {name} {value!r} is unknown.", f"Take {' or '.join(allowed)}."
                )
        if not 0 <= self.coverage <= 1:
            raise DataError(
                f"Coverage {self.coverage} is not between 0 and 1.",
                "0.8 means 80 % of the samples.",
            )
        if self.draws < 1:
            raise DataError(f"Number of draws {self.draws} is below 1.", "Take at least one.")
        if self.draws > MOST_DRAWS:
            raise DataError(
                f"Number of draws {self.draws} is above {MOST_DRAWS}.",
                "A prediction takes as many times longer; more than a few dozen change nothing.",
            )

        if self.seed < 0:
            raise DataError(f"Harmonization seed {self.seed} is below 0.", "Take 0 or more.")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self) | {
            "thresholds": None
            if self.thresholds is None
            else {name: list(edges) for name, edges in self.thresholds.items()}
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "HarmonizationOptions":
        """Rebuild from :meth:`as_dict`."""
        given = values["thresholds"]
        edges = None if given is None else {name: tuple(e) for name, e in given.items()}
        return cls(**{**values, "thresholds": edges})


@dataclass(frozen=True)
class Harmonization:
    """Fitted harmonization: nothing in it depends on samples outside the fitted rows.

    Attributes
    ----------
    options : HarmonizationOptions
        How it was fitted.
    muscles : tuple of str
        Muscles that are features.
    thresholds : mapping of str to tuple of float
        Edges of the grades of each scale in percent fat; empty unless dithered.
    """

    options: HarmonizationOptions
    muscles: tuple[str, ...]
    thresholds: Thresholds

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Columns of the transformed table, which are muscles, then ``PATIENT_FEATURES``."""
        return (*self.muscles, *PATIENT_FEATURES)

    @property
    def draws(self) -> int:
        """Number of random draws a prediction is averaged over; 1 if nothing is random."""
        return 1 if self.options.method == "paper" else self.options.draws

    def transform(self, native: NativeScores, *, draw: int | None = None) -> Float64:
        """Make features.

        Parameters
        ----------
        native : NativeScores
            n samples; their muscles include those of this harmonization.
        draw : int, optional
            Which random draw (``dither`` and ``ranks``); the first if not given. A sample gets the
            same numbers for the same draw whatever other samples are transformed with it.

        Returns
        -------
        ndarray of float64, shape (n, p)
            Columns ``feature_names``; NaN is missing. Muscles -100..100 (0..100 if not relative),
            mean involvement and asymmetry 0..100, age in years, sex 0 (M) or 1 (F).

        Raises
        ------
        DataError
            If a muscle or the thresholds of a scale are missing, or a score is outside its scale.
        """
        scored = native.select(self.muscles)
        percent, differences = self.percent(scored, draw=draw)
        features = np.empty((len(scored.samples), len(self.feature_names)))
        features[:, : len(self.muscles)] = self._muscle_features(percent, scored, draw or 0)
        features[:, len(self.muscles) :] = np.column_stack(
            [
                mean_involvement(percent),
                *differences,
                scored.samples["age"].to_numpy(dtype=np.float64, na_value=np.nan),
                scored.samples["sex"].map(SEX_CODES).to_numpy(dtype=np.float64),
            ]
        )
        return features

    def percent(
        self, native: NativeScores, *, draw: int | None = None
    ) -> tuple[Float64, tuple[Float64, Float64]]:
        """Scale scores and put the sides together: the steps before relative scores.

        Parameters
        ----------
        native : NativeScores
            n samples with exactly the m muscles of this harmonization.
        draw : int, optional
            As in :meth:`transform`.

        Returns
        -------
        percent : ndarray of float64, shape (n, m)
            Scores 0-100.
        asymmetry : tuple of two ndarrays of float64, shape (n,)
            Mean and SD over muscles, 0-100 (raw units for order ``sides_first``).
        """
        if self.options.order == "scale_first":
            scaled = self._scale(native, native.values, draw or 0)
            return side_mean(scaled), asymmetry(scaled)
        averaged = self._scale(native, side_mean(native.values)[..., None], draw or 0)
        return averaged[..., 0], asymmetry(native.values)

    def side_percent(self, native: NativeScores, draw: int = 0) -> Float64:
        """Return the scores of each side 0-100, (n, m, 3); NaN if sides are averaged before."""
        if self.options.order == "scale_first":
            return self._scale(native, native.values, draw)
        return np.full_like(native.values, np.nan)

    def numbers(self, samples: "pd.Index[str]", draw: int = 0) -> Float64:
        """Return the random number of each sample and muscle, (n, m); NaN if none is used."""
        if self.options.method == "paper":
            return np.full((len(samples), len(self.muscles)), np.nan)
        return random_numbers(samples, self.muscles, 1, self.options.seed, draw)[..., 0]

    def _scale(self, native: NativeScores, values: Float64, draw: int) -> Float64:
        names = native.samples["scale"].to_numpy(dtype=object)
        if self.options.method != "dither":
            return scale_to_percent(values, names)
        # One number for both sides of a muscle: equal grades stay equal and make no asymmetry.
        numbers = self.numbers(native.samples.index, draw)[..., None]
        return dither(values, names, self.thresholds, np.broadcast_to(numbers, values.shape))

    def _muscle_features(self, percent: Float64, native: NativeScores, draw: int) -> Float64:
        if self.options.method == "ranks":
            return patient_ranks(percent, self.numbers(native.samples.index, draw))
        return leave_one_out(percent) if self.options.relative else percent

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "options": self.options.as_dict(),
            "muscles": list(self.muscles),
            "thresholds": {name: list(edges) for name, edges in self.thresholds.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Harmonization":
        """Rebuild from :meth:`as_dict`."""
        return cls(
            HarmonizationOptions.from_dict(values["options"]),
            tuple(values["muscles"]),
            {name: tuple(edges) for name, edges in values["thresholds"].items()},
        )


def fit_harmonization(
    native: NativeScores,
    options: HarmonizationOptions | None = None,
    rows: npt.ArrayLike | None = None,
) -> Harmonization:
    """Fit what depends on data (coverage, thresholds) on some samples only.

    Parameters
    ----------
    native : NativeScores
        All samples.
    options : HarmonizationOptions, optional
        The defaults if not given.
    rows : array_like of int, optional
        Positions of the samples to fit on, e.g. the training part of a fold; all if not given.

    Returns
    -------
    Harmonization

    Raises
    ------
    DataError
        If no muscle reaches the coverage, or thresholds can neither be read nor estimated.
    """
    options = options or HarmonizationOptions()
    fitted = native if rows is None else native.subset(rows)
    muscles = _restrict_muscles(fitted, options.coverage)
    thresholds: Thresholds = {}
    if options.method == "dither":
        thresholds = check_thresholds(options.thresholds or {})
        estimated = estimate_thresholds(fitted.select(muscles), thresholds)
        thresholds = {**thresholds, **estimated}
    return Harmonization(options, muscles, thresholds)


def _restrict_muscles(native: NativeScores, coverage: float) -> tuple[str, ...]:
    """Return the muscles that at least a share of the samples has a score of (on any side)."""
    share = (~np.isnan(native.values)).any(axis=2).mean(axis=0)
    muscles = tuple(m for m, s in zip(native.muscles, share, strict=True) if s >= coverage)
    if not muscles:
        best = int(np.argmax(share))
        raise DataError(
            f"No muscle is scored in {coverage:.0%} of the samples; the most complete is "
            f"{native.muscles[best]} ({share[best]:.0%}).",
            "Lower the coverage.",
        )
    return muscles
