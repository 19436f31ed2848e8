"""What a user may change about the measurements."""

from dataclasses import dataclass

# ROI practice in muscle MRI: trace at the muscle's edge, erode by one acquired voxel for FF.
# Below this number of voxels an eroded mean is worse than an uneroded one.
MIN_VOXELS = 20

# From this ratio of slice thickness to pixel size on, the neighbour in the next slice says little
# about partial volume at the edge, and eroding through-plane only costs voxels (7 % of volume
# more in a 1.5 x 1.5 x 5 mm simulation, with no less bias).
THICK_SLICE_RATIO = 3.0


@dataclass(frozen=True)
class QuantificationOptions:
    """Options of the per-muscle measurements.

    Attributes
    ----------
    erode : bool
        Compute fat fraction statistics on the mask eroded by one voxel. Volumes and areas never
        use the eroded mask.
    min_voxels : int
        Smallest number of voxels with a fat fraction that the eroded mask must keep; otherwise
        the whole mask is used and the row is flagged ``few_voxels``.
    thick_slice_ratio : float
        Erode within the slice only if the slice is at least this many times thicker than the
        pixel is wide, in all three directions otherwise.
    """

    erode: bool = True
    min_voxels: int = MIN_VOXELS
    thick_slice_ratio: float = THICK_SLICE_RATIO
