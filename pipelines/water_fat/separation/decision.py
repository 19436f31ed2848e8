"""Which of the two is fat: evidence as log odds with names, one decision per connected limb.

Each term is the logarithm of the odds by which one source of evidence prefers a solution to the one
with water and fat exchanged. Terms are added up as if they were independent; each is limited, so
that no single source decides against all others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipelines.quality import Check, CheckLevel

Precession = Literal["as modelled", "reversed", "not used"]

# Probabilities from which on a decision passes without a warning, and from which on it is one.
CERTAIN = 0.99
DECIDED = 0.9
# A limb of less than this share of the tissue does not decide on the check of the whole scan.
SMALL_SHARE = 0.05
# What each term looks at, in the words of notes and check.
TERMS = {
    "magnitudes": "decay of nearly pure tissue",
    "marrow": "marrow inside cortical bone",
    "fat_layer": "layer under the skin against the muscles",
    "field": "smoothness of the field with the phase sign",
    "lean_prior": "lean muscle is commoner than a limb of fat",
}


@dataclass(frozen=True)
class LimbDecision:
    """What speaks for the solution of one connected limb.

    Attributes
    ----------
    name : str
        Name of the limb, or of the limbs that touch.
    share : float
        Its share of the tissue, 0-1.
    terms : mapping of str to float
        Log odds (natural logarithm) of each source of evidence, keys of :data:`TERMS`; positive
        for the solution.
    log_odds : float
        Of all evidence together.
    """

    name: str
    share: float
    terms: Mapping[str, float]
    log_odds: float

    @property
    def probability(self) -> float:
        """Probability that water and fat are not exchanged."""
        return float(1 / (1 + np.exp(-self.log_odds)))

    @property
    def decided(self) -> bool:
        """Whether the solution may be used."""
        return self.probability >= DECIDED

    @property
    def text(self) -> str:
        """The decision with its evidence, for notes."""
        named = "; ".join(f"{TERMS[name]} {value:+.1f}" for name, value in self.terms.items())
        return f"{self.name}: probability {100 * self.probability:.3g} % ({named})"


@dataclass(frozen=True)
class Decision:
    """Decisions for all connected limbs of a scan."""

    limbs: tuple[LimbDecision, ...]

    @property
    def _judged(self) -> tuple[LimbDecision, ...]:
        large = tuple(limb for limb in self.limbs if limb.share >= SMALL_SHARE)
        return large or self.limbs

    @property
    def probability(self) -> float:
        """Probability that no limb of some size has water and fat exchanged, that of the worst."""
        return min((limb.probability for limb in self._judged), default=0.0)

    @property
    def decided(self) -> bool:
        """Whether fat fractions may be reported at all."""
        return self.probability >= DECIDED

    @property
    def certain(self) -> bool:
        """Whether the decision passes its check, and other evidence need not be asked."""
        return self.probability >= CERTAIN

    @property
    def notes(self) -> tuple[str, ...]:
        """What decided, for log and sidecar."""
        told = [
            f"Water or fat, log odds of the evidence: {limb.text}."
            for limb in self.limbs
            if limb.share >= SMALL_SHARE
        ]
        if any(self._by_prior(limb) for limb in self._judged):
            told.append(
                "Without the assumption that lean muscle is commoner than a limb of fat, the "
                "evidence would not have decided between water and fat."
            )
        return tuple(told)

    def _by_prior(self, limb: LimbDecision) -> bool:
        prior = limb.terms.get("lean_prior", 0.0)
        return limb.decided and limb.log_odds - prior < np.log(DECIDED / (1 - DECIDED))

    def check(self) -> Check:
        """Return the decision as a quality check."""
        level: CheckLevel = "pass"
        worst = min(self._judged, key=lambda limb: limb.log_odds, default=None)
        evidence = worst.text if worst is not None else "there is no tissue to judge"
        text = f"Which of the two images is fat is known by {evidence}."
        if not self.decided:
            level = "fail"
            text = (
                f"Whether water and fat are exchanged cannot be told: {evidence}. There are no fat "
                "fractions. Scan with phase images, or with water and fat images of the scanner."
            )
        elif not self.certain:
            level = "warn"
            text = (
                f"Water and fat may be exchanged: {evidence}. Look whether the fat fractions of "
                "muscle, marrow and skin are plausible."
            )
        return Check("water_fat_decision", level, text, 100 * self.probability, "%", 100 * CERTAIN)


@dataclass(frozen=True)
class PriorSign:
    """The sign of the phase as another scan has shown it.

    All scans of one manufacturer and converter share it: a certain thigh settles a hand.

    Attributes
    ----------
    sign : {'as modelled', 'reversed'}
    log_odds : float
        How certain that scan was, as in :class:`PhaseSign`.
    source : str
        That scan, for the notes.
    """

    sign: Precession
    log_odds: float
    source: str


@dataclass(frozen=True)
class PhaseSign:
    """The sign of the phase as this scan alone shows it, without what other scans have shown.

    Attributes
    ----------
    sign : {'as modelled', 'reversed', 'not used'}
        The likelier sign.
    log_odds : float
        Logarithm of the odds for it.
    """

    sign: Precession
    log_odds: float

    @property
    def decisive(self) -> bool:
        """Whether other scans of the same manufacturer and converter may rely on it."""
        return self.sign != "not used" and self.log_odds >= np.log(CERTAIN / (1 - CERTAIN))
