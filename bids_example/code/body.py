"""Who is imaged, and how: the settings of a phantom."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bids_example.code.thigh import reference_thigh
from bids_example.code.voxelize import Pose
from pipelines.anatomy.vocabulary import SIDES, Side

MuscleSide = tuple[str, Side]

# Fat fraction of a muscle that is not given one, percent.
HEALTHY_FAT_PERCENT = 6.0

# Muscles without a label look like this one.
_NEIGHBOURS_LOOK_LIKE = "adductor_magnus"


@dataclass(frozen=True)
class Body:
    """The person.

    Attributes
    ----------
    seed : int
        Draws the individual shape and the pattern of the fat.
    fat_percent : Mapping of (muscle, side) to float
        Fat fraction; :data:`HEALTHY_FAT_PERCENT` for muscles not named.
    thinning_mm : Mapping of (muscle, side) to float
        Thickness that a wasted muscle has lost all around, replaced by fat.
    scale : float
        Size of the thighs.
    subcutaneous_fat : float
        Thickness of the fat under the skin relative to an average one.
    patchiness : float
        Standard deviation of the logit of the fat fraction inside a muscle.
    distal_gain : float
        Rise of the logit of the fat fraction from the proximal to the distal end of the thigh.

    Raises
    ------
    ValueError
        If a muscle is not in the phantom, or a fat fraction not between 0 and 100.
    """

    seed: int = 0
    fat_percent: Mapping[MuscleSide, float] = field(default_factory=dict)
    thinning_mm: Mapping[MuscleSide, float] = field(default_factory=dict)
    scale: float = 1.0
    subcutaneous_fat: float = 1.0
    patchiness: float = 0.4
    distal_gain: float = 0.0

    def __post_init__(self) -> None:
        muscles = [c.name for c in reference_thigh().compartments if c.content == "muscle"]
        known = {(name, side) for name in muscles for side in SIDES}
        unknown = (self.fat_percent.keys() | self.thinning_mm.keys()) - known
        if unknown:
            raise ValueError(f"the phantom has no muscle {sorted(unknown)[0]}")
        for muscle_side, percent in self.fat_percent.items():
            if not 0.0 < percent < 100.0:
                raise ValueError(f"fat fraction of {muscle_side} is {percent} %, not in (0, 100)")

    def fat_of(self, name: str, side: Side) -> float:
        """Return the true fat fraction of a muscle or neighbour muscle, percent."""
        content = {c.name: c.content for c in reference_thigh().compartments}
        key = _NEIGHBOURS_LOOK_LIKE if content[name] == "neighbour" else name
        return self.fat_percent.get((key, side), HEALTHY_FAT_PERCENT)

    def thinning_of(self, side: Side) -> dict[str, float]:
        """Return the thinning of the muscles of one side, mm."""
        return {muscle: mm for (muscle, at), mm in self.thinning_mm.items() if at == side}


@dataclass(frozen=True)
class Scan:
    """How the person is imaged.

    Attributes
    ----------
    shape : tuple of int
        Voxels to the right, to the front and upwards (before reorientation).
    spacing : tuple of float
        Voxel edges in the same order, mm. The field of view should be about 380 x 260 mm.
    pose : Pose
        How the thighs lie in it.
    snr : float
        Signal of fat-free muscle over the standard deviation of the noise; infinite for none.
    orientation : str
        Axis codes of the arrays, e.g. ``RAS`` or ``LPS``.
    noise_seed : int
        Draws the noise and the coil's position; another number is another scan of the same body.
    """

    shape: tuple[int, int, int] = (256, 176, 14)
    spacing: tuple[float, float, float] = (1.5, 1.5, 20.0)
    pose: Pose = field(default_factory=Pose)
    snr: float = 150.0
    orientation: str = "RAS"
    noise_seed: int = 0
