"""Give up a trial of the search once it can no longer be among the best.

The search uses only which trials are the best tenth: they join the ensemble, and the sampler
(tree-structured Parzen estimator) tells them from all others without looking at the scores of
either. So a trial that will not be among them may stop after a few inner folds, and search and
ensemble stay the same, fold for fold cheaper.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# Complete trials that must be there to tell how folds differ.
_TRIALS_TO_LEARN_FROM = 6


def is_hopeless(
    scores: Sequence[float],
    complete: npt.NDArray[np.float64],
    places: int,
    caution: float,
) -> bool:
    """Say whether a trial will end below the best ones.

    Its final mean is predicted from the folds done, with the differences between folds that the
    complete trials show; the scatter around that prediction is theirs too.

    Parameters
    ----------
    scores : sequence of float
        Scores of the trial on the first s inner folds.
    complete : float64 array (T, F)
        Scores of complete trials on all inner folds.
    places : int
        How many trials count as the best.
    caution : float
        By how many standard deviations the prediction may err before a good trial is lost.
    """
    trials, folds = complete.shape
    done = len(scores)
    if trials < max(places, _TRIALS_TO_LEARN_FROM) or done == folds:
        return False
    of_fold = complete.mean(axis=0)
    of_trial = complete.mean(axis=1)
    scatter = complete - of_fold - of_trial[:, np.newaxis] + complete.mean()
    variance = (scatter**2).sum() / ((trials - 1) * (folds - 1))
    level = np.mean(np.asarray(scores) - of_fold[:done])
    # The scores that are still missing decide the rest, like a sample without replacement.
    error = np.sqrt(variance * (1 / done - 1 / folds))
    last_place = np.sort(of_trial)[-places]
    return bool(of_fold.mean() + level + caution * error < last_place)
