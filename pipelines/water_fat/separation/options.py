"""Options of the water-fat separation."""

from dataclasses import dataclass
from typing import Literal

from pipelines.water_fat.separation.decision import PriorSign
from pipelines.water_fat.separation.phase import PhaseUnits
from pipelines.water_fat.separation.spectra import DEFAULT_SPECTRUM


@dataclass(frozen=True)
class SeparationOptions:
    """What a person may set; the defaults are found from the data.

    Attributes
    ----------
    spectrum : str
        Fat spectrum, see ``spectra.json``.
    phase_units : str
        Unit of the phase images, or ``auto``.
    precession : {'auto', 'as modelled', 'reversed'}
        Sign of the phase: ``as modelled`` if the phase of fat falls behind that of water.
    prior_sign : PriorSign, optional
        The sign that another scan of the same manufacturer and converter has shown, used as far as
        this scan leaves it open.
    readout : {'auto', 'monopolar', 'bipolar'}
        Whether every second echo was read in the opposite direction.
    repetition_time_ms, flip_angle_deg : float, optional
        Of the spoiled gradient echo, for the weighting by T1.
    correct_t1 : bool
        Whether to correct water and fat for that weighting (needs both values).
    """

    spectrum: str = DEFAULT_SPECTRUM
    phase_units: PhaseUnits | Literal["auto"] = "auto"
    precession: Literal["auto", "as modelled", "reversed"] = "auto"
    prior_sign: PriorSign | None = None
    readout: Literal["auto", "monopolar", "bipolar"] = "auto"
    repetition_time_ms: float | None = None
    flip_angle_deg: float | None = None
    correct_t1: bool = False
