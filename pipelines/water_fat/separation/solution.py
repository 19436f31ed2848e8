"""What each path of the separation hands over: values per tissue voxel and how they came about."""

from dataclasses import dataclass
from typing import Literal

from pipelines.arrays import Bool, Float32, Index
from pipelines.water_fat.separation.decision import Decision, PhaseSign, Precession

Method = Literal[
    "three-point in/opposed phase",
    "multi-echo complex fit",
    "multi-echo magnitude fit",
    "two-point magnitude",
]


@dataclass(frozen=True)
class Solution:
    """Water and fat of the tissue voxels.

    Attributes
    ----------
    method : str
        Path that was taken.
    voxel : ndarray of shape (voxels,)
        Flat index of each tissue voxel in the image.
    water, fat : ndarray of shape (voxels,)
        Signals at echo time zero, in units of the image; noise may make them negative.
    r2star : ndarray or None
        Decay, 1/s; None if it was assumed.
    field : ndarray or None
        Off-resonance, Hz; None without phase.
    doubtful : ndarray of bool, shape (voxels,)
        Voxels whose water and fat may be exchanged or out of range.
    precession : str
        Sign of the phase.
    phase_sign : PhaseSign
        The same with the evidence of this scan alone.
    decision : Decision or None
        Whether water and fat could be exchanged; None where only lean tissue is measured.
    residual : float or None
        Share of the signal's amplitude that the model leaves over beyond noise; None if the model
        has as many parameters as data.
    notes : tuple of str
        What was found and done, for the log.
    """

    method: Method
    voxel: Index
    water: Float32
    fat: Float32
    r2star: Float32 | None
    field: Float32 | None
    doubtful: Bool
    precession: Precession
    phase_sign: PhaseSign
    decision: Decision | None
    residual: float | None
    notes: tuple[str, ...]
