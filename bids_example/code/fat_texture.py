"""How fat is spread inside a muscle whose mean fat fraction is given."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.optimize import brentq
from scipy.special import expit, logit

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Streaks of fat between fascicles and larger patches: standard deviation of the smoothing, mm,
# and share in the texture.
_SCALES_MM = ((2.0, 0.6), (6.0, 0.8))

# Limits of the search for the offset, in logits: far beyond any texture.
_SEARCH = 40.0


def random_field(
    rng: np.random.Generator, shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> Floats:
    """Draw a smooth random field with mean 0 and variance 1.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    shape, spacing : tuple
        Voxel grid; spacing in mm.
    """
    field = np.zeros(shape)
    for scale, share in _SCALES_MM:
        sigma = [scale / edge for edge in spacing]
        smooth = ndimage.gaussian_filter(rng.standard_normal(shape), sigma)
        field += share * smooth / smooth.std()
    standard: Floats = (field - field.mean()) / field.std()
    return standard


def spread_fat(mean: float, pattern: Floats, interior: Mask) -> Floats:
    """Give every voxel of a muscle a fat fraction, so that the interior has exactly the mean.

    The pattern acts on the logit of the fat fraction, so that all values stay between 0 and 100 %
    and a muscle that is nearly healthy or nearly replaced varies less.

    Parameters
    ----------
    mean : float
        Wanted mean over the interior, percent, between 0 and 100 exclusively.
    pattern : ndarray of shape (n,)
        Deviation of each voxel, in logits.
    interior : ndarray of bool, shape (n,)
        Voxels the mean is taken over; at least one.

    Returns
    -------
    ndarray of shape (n,)
        Fat fraction, percent.
    """
    base = logit(mean / 100.0) + pattern

    def excess(offset: float) -> float:
        return float(expit(base[interior] + offset).mean()) - mean / 100.0

    offset = brentq(excess, -_SEARCH, _SEARCH, xtol=1e-12)
    spread: Floats = 100.0 * expit(base + offset)
    return spread
