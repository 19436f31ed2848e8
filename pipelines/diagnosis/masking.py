"""Random block masking: training samples get the missing muscles of others.

Studies score different muscles, so which muscles are missing tells the study and through it the
diagnosis. A model that saw every diagnosis under many patterns of missing muscles can lean on the
pattern less.
"""

from dataclasses import replace

import numpy as np

from pipelines.harmonization.native import NativeScores

# Fewer scored muscles than this leave no relative score.
_MINIMUM_MUSCLES = 2


def mask_blocks(native: NativeScores, share: float, seed: int) -> NativeScores:
    """Hide in some samples the muscles that another, randomly chosen sample lacks.

    Parameters
    ----------
    native : NativeScores
        Training samples.
    share : float
        Share of samples to mask, 0-1.
    seed : int
        Of the draws.

    Returns
    -------
    NativeScores
        The same samples; a sample that would keep fewer than two muscles stays as it was.
    """
    random = np.random.default_rng(seed)
    count = len(native.values)
    donors = random.integers(count, size=count)
    scored = np.asarray((~np.isnan(native.values)).any(axis=2))
    kept = scored & scored[donors]
    enough = kept.sum(axis=1, keepdims=True) >= _MINIMUM_MUSCLES
    chosen = np.asarray(random.random((count, 1)) < share) & enough
    values = native.values.copy()
    values[chosen & ~kept] = np.nan
    return replace(native, values=values)
