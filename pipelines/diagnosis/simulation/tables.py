"""The tables a cohort is simulated from: published counts and patterns we wrote down.

``table1.tsv`` repeats table 1 of Verdu-Diaz et al. 2025 (doi:10.1002/jcsm.13815). Everything
else is simulated, written down by us:

- ``patterns.tsv``: which muscles a disease affects more (+) or less (-) than the average muscle, in
  steps from -3 to 3. The paper itself states the spared vasti of GNE, the early pelvic muscles and
  late lower legs of SarcoG (sections 3.1 and 3.4), and the mild CLCN1, HypoPP and SCN4A; the rest
  follows the muscles named most often in descriptions of each disease, without numbers.
- ``severities.tsv``: stages, asymmetry and spread of ages.
- ``thresholds.tsv``: where readers change grade, in percent fat fraction (the paper shows that in
  figure 1a only).
- ``coverage.tsv``: how often studies leave a muscle out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from pipelines.arrays import Float64
from pipelines.package_data import package_table

SEXES = ("male", "female")


@dataclass(frozen=True)
class Tables:
    """Everything the simulation reads.

    Attributes
    ----------
    counts : pandas.DataFrame
        Table 1 by label: ``disease``, ``samples``, ``mean_age``, counts of sexes, sides, scales.
    severities : pandas.DataFrame
        By label: ``stage`` and ``stage_sd`` (log-odds of fat in a muscle of average
        involvement), ``asymmetry`` (SD of the sides' difference, log-odds), ``age_sd`` and
        ``youngest`` (years).
    patterns : pandas.DataFrame
        Steps of involvement, muscles x labels.
    coverage : pandas.DataFrame
        By muscle: ``region`` and ``left_out``, the share of studies without it.
    thresholds : mapping of str to array
        By scale, where the grade changes (percent fat fraction).
    """

    counts: pd.DataFrame
    severities: pd.DataFrame
    patterns: pd.DataFrame
    coverage: pd.DataFrame
    thresholds: Mapping[str, Float64]

    @property
    def labels(self) -> tuple[str, ...]:
        """Disease labels in the order of table 1."""
        return tuple(map(str, self.counts.index))

    @property
    def muscles(self) -> tuple[str, ...]:
        """Muscles that studies score."""
        return tuple(map(str, self.patterns.index))

    @property
    def scales(self) -> tuple[str, ...]:
        """Scales of table 1, those with grades first, then the measured fat fraction."""
        return (*self.thresholds, "FF")


@cache
def read_tables() -> Tables:
    """Return the tables beside this module."""
    thresholds = package_table(__package__, "thresholds.tsv")["thresholds"]
    return Tables(
        counts=package_table(__package__, "table1.tsv"),
        severities=package_table(__package__, "severities.tsv"),
        patterns=package_table(__package__, "patterns.tsv"),
        coverage=package_table(__package__, "coverage.tsv"),
        thresholds={
            str(scale): np.array(str(text).split(), dtype=np.float64)
            for scale, text in thresholds.items()
        },
    )
