"""Random forest and nearest neighbours on the folds of the ensemble (paper, section 2.5).

Untuned: the paper gives no settings. Neighbours always learn from the samples that SMOTE-NC
balances, because their votes know no weights; the forest balances as the protocol does.
"""

import numpy as np

from pipelines.arrays import Float32
from pipelines.diagnosis.cohort import Cohort
from pipelines.diagnosis.protocol import Protocol
from pipelines.diagnosis.training.fold_data import TrainingData, fit_training_part
from pipelines.diagnosis.training.folds import Split
from pipelines.diagnosis.training.resampling import class_weights
from pipelines.harmonization.harmonize import HarmonizationOptions

_TREES = 100
_VOTING_NEIGHBOURS = 7
# scikit-learn's and imbalanced-learn's defaults.
_IMPUTATION_NEIGHBOURS = 5
_OVERSAMPLING_NEIGHBOURS = 5


def comparator_probabilities(
    cohort: Cohort,
    split: Split,
    options: HarmonizationOptions,
    protocol: Protocol,
) -> dict[str, Float32]:
    """Return the probabilities (n_test, K) of both comparators, by name, for the test rows."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.neighbors import KNeighborsClassifier

    k = _IMPUTATION_NEIGHBOURS
    part = fit_training_part(cohort, split.train, options, protocol, [k])
    balanced = TrainingData(part, protocol).oversampled(k, 1.0, _OVERSAMPLING_NEIGHBOURS)
    forest = RandomForestClassifier(_TREES, random_state=protocol.seed, n_jobs=1)
    if protocol.balance == "weights":
        forest.fit(part.features[k], part.y, class_weights(part.y))
    else:
        forest.fit(*balanced)
    voters = KNeighborsClassifier(_VOTING_NEIGHBOURS).fit(*balanced)
    test = cohort.native.subset(split.test)
    draws = part.harmonization.draws
    prepared = [
        part.preparation.transform(part.harmonization.transform(test, draw=draw), [k])[k]
        for draw in range(draws)
    ]
    result = {}
    for name, model in {"random_forest": forest, "nearest_neighbours": voters}.items():
        total = np.zeros((len(split.test), len(cohort.classes)))
        for rows in prepared:
            total[:, model.classes_] += model.predict_proba(rows)
        result[name] = (total / draws).astype(np.float32)
    return result
