"""The diagnostic ensemble: several boosters that share one preparation and are averaged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.arrays import Float32, Float64
from pipelines.diagnosis.ensemble.boosting import load_booster, margins
from pipelines.diagnosis.ensemble.preparation import Preparation
from pipelines.diagnosis.protocol import Combine
from pipelines.harmonization.harmonize import Harmonization
from pipelines.harmonization.scores.native import NativeScores

if TYPE_CHECKING:
    import xgboost


@dataclass(frozen=True)
class MemberParameters:
    """Hyper-parameters of a member and where they come from.

    Attributes
    ----------
    fold, trial : int
        Outer fold and trial of the search that found them.
    score : float
        Inner balanced accuracy of that trial, 0-1.
    values : dict
        Hyper-parameters by the names of the search space.
    """

    fold: int
    trial: int
    score: float
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Member:
    """One booster of an ensemble.

    Attributes
    ----------
    data : bytes
        The booster as UBJ.
    parameters : MemberParameters
        What it was trained with.
    """

    data: bytes = field(repr=False)
    parameters: MemberParameters

    @property
    def neighbours(self) -> int:
        """Number of neighbours of its imputation."""
        return int(self.parameters.values["knn_k"])

    @cached_property
    def booster(self) -> "xgboost.Booster":
        """The booster itself."""
        return load_booster(self.data)


@dataclass(frozen=True)
class Ensemble:
    """Members trained on the same samples.

    Attributes
    ----------
    classes : tuple of str
        Diagnoses, in the order of the margins.
    harmonization : Harmonization
        Fitted on the training samples.
    preparation : Preparation
        Fitted on the training samples.
    members : tuple of Member
        At least one.
    combine : {'margins', 'probabilities'}
        What is averaged over members.
    temperature : float
        Margins are divided by it before the softmax (calibration).
    """

    classes: tuple[str, ...]
    harmonization: Harmonization
    preparation: Preparation
    members: tuple[Member, ...]
    combine: Combine = "margins"
    temperature: float = 1.0

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return self.harmonization.feature_names

    def prepare(self, features: Float64) -> dict[int, Float32]:
        """Return features as the members see them.

        Parameters
        ----------
        features : float64 array (n, p)
            Harmonized features; NaN where missing.

        Returns
        -------
        dict of int to float32 array (n, p)
            Prepared features by the number of neighbours of the members.
        """
        return self.preparation.transform(features, sorted({m.neighbours for m in self.members}))

    def member_margins(self, features: Float64) -> Float32:
        """Return the margins of every member.

        Parameters
        ----------
        features : float64 array (n, p)
            Harmonized features; NaN where missing.

        Returns
        -------
        float32 array (M, n, K)
        """
        prepared = self.prepare(features)
        return np.stack([margins(m.booster, prepared[m.neighbours]) for m in self.members])

    def margins(self, features: Float64) -> Float32:
        """Return the mean margins over members, float32 (n, K)."""
        mean: Float32 = self.member_margins(features).mean(axis=0)
        return mean

    def predict(self, native: NativeScores) -> Float32:
        """Return the margins of every member for scores on their native scale.

        Where the harmonization draws at random, the mean over its draws.

        Parameters
        ----------
        native : NativeScores
            n samples.

        Returns
        -------
        float32 array (M, n, K)
        """
        total = np.zeros((len(self.members), len(native.values), len(self.classes)))
        for draw in range(self.harmonization.draws):
            total += self.member_margins(self.harmonization.transform(native, draw=draw))
        return (total / self.harmonization.draws).astype(np.float32)

    def probabilities(self, member_margins: Float32) -> Float32:
        """Return the probabilities of the ensemble.

        Parameters
        ----------
        member_margins : float32 array (M, n, K)
            From :meth:`predict` or :meth:`member_margins`.

        Returns
        -------
        float32 array (n, K)
            Rows sum to 1.
        """
        return combined_probabilities(member_margins, self.combine, self.temperature)


def combined_probabilities(
    member_margins: Float32, combine: Combine = "margins", temperature: float = 1.0
) -> Float32:
    """Average members into probabilities.

    'margins' is equation 3 of the Myo-Guide paper, with the sum in the denominator running over
    the classes (the printed index does not).

    Parameters
    ----------
    member_margins : float32 array (M, n, K)
        Raw margins of every member.
    combine : {'margins', 'probabilities'}
        Average margins and apply the softmax, or average the members' probabilities.
    temperature : float
        Margins are divided by it.
    """
    if combine == "margins":
        return softmax(member_margins.mean(axis=0) / temperature)
    mean: Float32 = softmax(member_margins / temperature).mean(axis=0)
    return mean


def softmax(values: Float32) -> Float32:
    """Return the softmax over the last axis."""
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    result: Float32 = powers / powers.sum(axis=-1, keepdims=True)
    return result
