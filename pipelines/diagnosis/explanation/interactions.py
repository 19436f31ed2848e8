"""How strongly pairs of features act together in the margins of an ensemble."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.diagnosis.ensemble import Ensemble
from pipelines.diagnosis.explanation.flat_trees import tile_rows
from pipelines.diagnosis.explanation.shap_tiles import explain_pairs_tile
from pipelines.diagnosis.explanation.values import Progress, member_trees
from pipelines.errors import DataError
from pipelines.harmonization.native import NativeScores

Float32 = npt.NDArray[np.float32]

# Rows handled together: sums for all pairs of 38 features take 370 kB.
_ROWS = 128


@dataclass(frozen=True)
class InteractionStrength:
    """Mean absolute SHAP interaction values over samples.

    Attributes
    ----------
    classes : tuple of str
        K classes.
    feature_names : tuple of str
        p features.
    strength : float32 array (K, p, p)
        Symmetric. Off the diagonal the mean of abs(phi_ij), half of what the pair adds together
        (as in XGBoost); on it the mean of abs(phi_ii), what the feature adds alone.
    """

    classes: tuple[str, ...]
    feature_names: tuple[str, ...]
    strength: Float32


def interaction_strength(
    ensemble: Ensemble,
    native: NativeScores,
    classes: Sequence[str] | None = None,
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> InteractionStrength:
    """Measure interactions over all samples; the values of each sample are not kept.

    Interaction values are those of the margins averaged over members (and over the draws of the
    harmonization), summed before their absolute value is taken.

    Parameters
    ----------
    ensemble : Ensemble
        p features.
    native : NativeScores
        At least one sample.
    classes : sequence of str, optional
        Classes wanted; all if not given.
    threads : int
        Threads to use.
    progress : callable, optional
        Told how many parts of the work (a class and 128 samples) are done.

    Raises
    ------
    DataError
        If a class is unknown or there is no sample.
    ModelError
        If a member is no tree booster for these features and classes.
    """
    wanted = ensemble.classes if classes is None else tuple(classes)
    unknown = [name for name in wanted if name not in ensemble.classes]
    if unknown:
        raise DataError(
            f"the model has no class {', '.join(unknown)}",
            f"choose from {', '.join(ensemble.classes)}",
        )
    if not len(native.samples):
        raise DataError("there is no sample whose interactions could be measured")
    trees = [member_trees(ensemble, i) for i in range(len(ensemble.members))]
    draws = range(ensemble.harmonization.draws)
    prepared = [ensemble.prepare(ensemble.harmonization.transform(native, draw=d)) for d in draws]
    p = len(ensemble.feature_names)
    parts = len(trees) * len(prepared)

    def measure(task: tuple[str, int]) -> npt.NDArray[np.float64]:
        name, start = task
        group = ensemble.classes.index(name)
        count = min(_ROWS, len(native.samples) - start)
        values = np.zeros((p, count), np.float32)
        pairs = np.zeros((p, p, count), np.float32)
        for features in prepared:
            rows = {k: tile_rows(x[start : start + _ROWS]) for k, x in features.items()}
            for member, member_tree in zip(ensemble.members, trees, strict=True):
                explain_pairs_tile(member_tree, group, rows[member.neighbours], values, pairs)
        pairs += pairs.transpose(1, 0, 2)
        pairs[np.arange(p), np.arange(p)] = values - pairs.sum(axis=1)
        return np.asarray(np.abs(pairs).sum(axis=2, dtype=np.float64) / parts)

    tasks = [(name, start) for name in wanted for start in range(0, len(native.samples), _ROWS)]
    total = dict.fromkeys(wanted, np.zeros((p, p)))
    with ThreadPoolExecutor(threads) as pool:
        for done, ((name, _), part) in enumerate(
            zip(tasks, pool.map(measure, tasks), strict=True), start=1
        ):
            total[name] = total[name] + part
            if progress:
                progress(done, len(tasks))
    strength = np.stack([total[name] for name in wanted]) / len(native.samples)
    return InteractionStrength(wanted, ensemble.feature_names, strength.astype(np.float32))
