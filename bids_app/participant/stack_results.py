"""TODO."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bids_app.dataset.inputs import Inputs
from bids_app.dataset.scans import Session, Stack
from bids_app.files.derivatives import StackNames
from bids_app.options.settings import Settings
from bids_app.participant.fat_fraction import FatFraction
from bids_app.participant.labelling import Labelling
from bids_app.participant.stack_images import StackImages
from pipelines.quantification.options import QuantificationOptions

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class StackResults:
    """Everything that was computed of a stack.

    Attributes
    ----------
    images : StackImages
        The input.
    fat_fraction : FatFraction
        Fat fraction, its checks and further maps.
    labelling : Labelling
        Muscle labels and their checks.
    stats, profile : DataFrame
        Per-muscle table and slice profile.
    options : QuantificationOptions
        How they were measured.
    """

    images: StackImages
    fat_fraction: FatFraction
    labelling: Labelling
    stats: "pd.DataFrame"
    profile: "pd.DataFrame"
    options: QuantificationOptions


@dataclass(frozen=True)
class StackTask:
    """One stack to process.

    Attributes
    ----------
    session : Session
        The session it belongs to.
    stack : Stack
        What the dataset holds.
    inputs : Inputs
        The scans its fat fraction comes from.
    names : StackNames
        Names of the files to write.
    settings : Settings
        Choices of the run.
    """

    session: Session
    stack: Stack
    inputs: Inputs
    names: StackNames
    settings: Settings

    @property
    def where(self) -> str:
        """The stack's name in messages."""
        return f"{self.session.id.name} {self.stack.name}".strip()
