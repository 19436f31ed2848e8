"""Estimate which fat fractions each grade stands for, by matching quantiles within disease."""

import numpy as np

from pipelines.arrays import Bool, Float64
from pipelines.errors import DataError
from pipelines.harmonization.dither import dither, random_numbers
from pipelines.harmonization.scaling import known_scale
from pipelines.harmonization.scores.native import NativeScores
from pipelines.harmonization.scores.scales import MEASURED, Scale, scales
from pipelines.harmonization.thresholds import Thresholds

MIN_SAMPLES = 5
"""Samples of a disease that both scales need for a comparison."""
MIN_WIDTH = 0.5
"""Narrowest bin, percent fat; a bin without width would be one value that gives the scale away."""
OUTER_QUANTILE = 0.005
"""Share of the fat fractions below the lowest, and above the highest edge."""

_HINT = (
    "Give a threshold table (columns scale, grade, lower, upper in percent fat), or use the "
    "harmonization paper or ranks."
)


def estimate_thresholds(native: NativeScores, known: Thresholds) -> Thresholds:
    """Estimate the edges of every scale among the samples by matching quantiles within disease.

    If 30 % of the scores of a disease are below grade 2, the edge below grade 2 is where 30 % of
    its measured fat fractions are. Both are taken over the muscles the two groups share, each
    muscle with equal weight. The edges of several diseases are averaged, weighted by the number of
    samples and by p (1 - p), where p is the share of scores below the edge. A scale that shares no
    disease with fat fractions is matched to one that was matched before.

    Parameters
    ----------
    native : NativeScores
        The samples to learn from; with ``diagnosis``.
    known : mapping of str to tuple of float
        Edges that need no estimate; these scales also serve as reference.

    Returns
    -------
    mapping of str to tuple of float
        Edges of the scales that are not in ``known``.

    Raises
    ------
    DataError
        If a scale shares no disease with fat fractions, directly or through other scales.

    Notes
    -----
    The estimate takes the severity of a disease to be distributed alike in the studies of either
    scale. The leakage audit shows how far that holds.
    """
    present = dict.fromkeys(native.samples["scale"].tolist())
    graded = [n for n in scales() if n in present and scales()[n].grades]
    edges: dict[str, tuple[float, ...]] = {n: e for n, e in known.items() if n in graded}
    waiting = [n for n in graded if n not in edges]
    percent = _reference_values(native, edges)
    while waiting:
        found = {name: _match(native, percent, known_scale(name)) for name in waiting}
        new = {name: e for name, e in found.items() if e is not None}
        if not new:
            raise DataError(
                f"Thresholds of scale {', '.join(waiting)} cannot be estimated: no diagnosis has "
                f"{MIN_SAMPLES} samples both on this scale and with measured fat fractions (FF).",
                _HINT,
            )
        edges.update(new)
        waiting = [n for n in waiting if n not in new]
        percent = _reference_values(native, edges)
    return {name: e for name, e in edges.items() if name not in known}


def _reference_values(native: NativeScores, edges: Thresholds) -> Float64:
    """Return fat fractions: measured, or the grades of scales with edges spread over their bins."""
    names = native.samples["scale"].to_numpy(dtype=object)
    usable = np.isin(names.astype(str), [MEASURED, *edges])
    percent = np.full(native.values.shape, np.nan)
    numbers = random_numbers(native.samples.index[usable], native.muscles, 3, 0, 0)
    percent[usable] = dither(native.values[usable], names[usable], edges, numbers)
    return percent


def _match(native: NativeScores, percent: Float64, scale: Scale) -> tuple[float, ...] | None:
    """Return the edges of one scale; None if it shares no disease with the reference."""
    on_scale = native.samples["scale"].to_numpy(dtype=object) == scale.name
    diagnosis = native.samples["diagnosis"].to_numpy(dtype=object)
    boundaries = np.asarray(scale.grades[:-1]) + np.diff(scale.grades) / 2
    total, weight = np.zeros(len(boundaries)), np.zeros(len(boundaries))
    ends: list[tuple[float, float]] = []
    for disease in sorted({str(d) for d in diagnosis[on_scale] if isinstance(d, str)}):
        same = diagnosis == disease
        shared = _shared_values(native.values[same & on_scale], percent[same & ~on_scale])
        if shared is None:
            continue
        scores, score_weights, reference, reference_weights, n = shared
        share = _share_below(scores, score_weights, boundaries)
        edge = _quantiles(reference, reference_weights, share)
        information = n * share * (1 - share)
        total += information * edge
        weight += information
        outer = _quantiles(
            reference, reference_weights, np.array([OUTER_QUANTILE, 1 - OUTER_QUANTILE])
        )
        ends.append((float(outer[0]), float(outer[1])))
    if not ends or not weight.any():
        return None
    lowest, highest = min(e[0] for e in ends), max(e[1] for e in ends)
    seen = weight > 0
    # A boundary that no disease crosses is never used by these samples; it goes between the others.
    position = np.arange(1, len(boundaries) + 1)
    inner = np.interp(
        position,
        [0, *position[seen], len(boundaries) + 1],
        [lowest, *(total[seen] / weight[seen]), highest],
    )
    return _rising(np.array([lowest, *inner, highest]))


def _shared_values(
    scores: Float64, percent: Float64
) -> tuple[Float64, Float64, Float64, Float64, float] | None:
    """Return the values of the muscles both groups have, with weights that make muscles equal.

    The last item is the effective number of samples (half the harmonic mean of both).
    """
    has_score, has_percent = (_scored(v) for v in (scores, percent))
    muscles = (has_score.sum(axis=0) >= MIN_SAMPLES) & (has_percent.sum(axis=0) >= MIN_SAMPLES)
    if not muscles.any():
        return None
    n_score, n_percent = (int(h[:, muscles].any(axis=1).sum()) for h in (has_score, has_percent))
    return (
        *_weighted(scores[:, muscles]),
        *_weighted(percent[:, muscles]),
        n_score * n_percent / (n_score + n_percent),
    )


def _scored(values: Float64) -> Bool:
    return np.asarray((~np.isnan(values)).any(axis=2))


def _weighted(values: Float64) -> tuple[Float64, Float64]:
    """Return all scores with weights that sum to one over the scores of each muscle."""
    scored = ~np.isnan(values)
    weights = np.broadcast_to(1.0 / scored.sum(axis=(0, 2))[None, :, None], values.shape)
    return values[scored], weights[scored]


def _share_below(values: Float64, weights: Float64, bounds: Float64) -> Float64:
    """Return the weighted share of values below each bound; those on it count half."""
    below = np.array([(weights * ((values < b) + 0.5 * (values == b))).sum() for b in bounds])
    return np.asarray(below / weights.sum(), dtype=np.float64)


def _quantiles(values: Float64, weights: Float64, shares: Float64) -> Float64:
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order]) - 0.5 * weights[order]
    return np.asarray(np.interp(shares, cumulative / weights.sum(), values[order]))


def _rising(edges: Float64) -> tuple[float, ...]:
    """Make every bin at least ``MIN_WIDTH`` wide, within 0-100."""
    steps = MIN_WIDTH * np.arange(len(edges))
    raised = np.maximum.accumulate(np.clip(edges, 0, 100) - steps) + steps
    capped = np.minimum(raised, 100 - steps[::-1])
    return tuple(float(edge) for edge in capped)
