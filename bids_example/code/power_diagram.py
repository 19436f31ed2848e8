"""Divide a plane among curves: a power diagram whose sites are polylines.

Every point belongs to the site with the smallest *power*, the squared distance to the site's curve
less the site's weight (Aurenhammer 1987, doi:10.1137/0216006, there with points as sites). Raising
a weight grows the cell, so weights can be found that give every cell the area it should have.

Points of the plane are complex numbers, x + iy, in mm.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Points = npt.NDArray[np.complex128]

# Steps and step size (mm2 of weight per mm2 of missing area) of the search for weights. A muscle
# of 100 mm circumference whose neighbours' curves lie 30 mm away grows by about 1.7 mm2 per mm2 of
# weight, so a step of 0.3 stays clear of oscillation.
_STEPS = 80
_STEP_SIZE = 0.3


def squared_length(vectors: Points) -> Floats:
    """Return the squared length of each vector, mm2."""
    squared: Floats = vectors.real**2 + vectors.imag**2
    return squared


def nearest_on_curve(points: Points, curve: Points) -> Points:
    """Return the point of a polyline that lies nearest to each of the given points.

    Parameters
    ----------
    points : ndarray of complex, shape (n,)
        Points.
    curve : ndarray of complex, shape (m,)
        Corners of the polyline; a single point if m is 1.

    Returns
    -------
    ndarray of complex, shape (n,)
        The nearest points.
    """
    nearest = np.full(points.shape, curve[0])
    best = np.full(points.shape, np.inf)
    for start, end in pairwise(curve):
        along = end - start
        # The real part of the quotient is the position of the foot of the perpendicular.
        candidate = start + np.clip(((points - start) / along).real, 0.0, 1.0) * along
        distance = squared_length(points - candidate)
        closer = distance < best
        nearest = np.where(closer, candidate, nearest)
        best = np.where(closer, distance, best)
    return nearest


def balanced_weights(squared_distances: Floats, areas: Floats, point_area: float) -> Floats:
    """Find the weights that give each cell its area.

    Parameters
    ----------
    squared_distances : ndarray of shape (site, n)
        Squared distance of sample points to each site, mm2. The points cover what is to be
        divided evenly.
    areas : ndarray of shape (site,)
        Wanted areas; scaled so that together they fill the plane.
    point_area : float
        Area that one sample point stands for, mm2.

    Returns
    -------
    ndarray of shape (site,)
        Weights, mm2, with mean 0.
    """
    n_sites, n_points = squared_distances.shape
    wanted = areas / areas.sum() * n_points * point_area
    weights = np.zeros(n_sites)
    for step in range(_STEPS):
        owner = np.argmin(squared_distances - weights[:, None], axis=0)
        found = np.bincount(owner, minlength=n_sites) * point_area
        # Smaller steps towards the end, so that the areas settle.
        weights += _STEP_SIZE * (1.0 - 0.8 * step / _STEPS) * (wanted - found)
    centred: Floats = weights - weights.mean()
    return centred


def cell_depths(
    points: Points, nearest: Points, weights: Floats
) -> tuple[npt.NDArray[np.intp], Floats]:
    """Assign points to cells and measure how deep inside they lie.

    Parameters
    ----------
    points : ndarray of complex, shape (n,)
        Points.
    nearest : ndarray of complex, shape (site, n)
        Nearest point of each site's curve, from :func:`nearest_on_curve`.
    weights : ndarray of shape (site,)
        Weights, mm2.

    Returns
    -------
    owner : ndarray of int, shape (n,)
        Site whose cell a point lies in.
    depths : ndarray of shape (site, n)
        Distance to the boundary with every other site's cell, mm (exact where the two nearest
        points do not move); infinite for the owner itself.
    """
    powers = squared_length(points - nearest) - weights[:, None]
    owner = np.argmin(powers, axis=0)
    everyone = np.arange(len(points))
    # The difference of two powers changes at twice the distance between the two nearest points.
    apart = np.sqrt(squared_length(nearest - nearest[owner, everyone]))
    depths = (powers - powers[owner, everyone]) / (2.0 * np.maximum(apart, 1e-6))
    depths[owner, everyone] = np.inf
    return owner, depths
