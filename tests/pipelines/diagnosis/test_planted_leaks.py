"""Well-known mistakes raise the score on the simulated cohort; our training makes none of them."""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from pipelines.diagnosis.cohort import Cohort, training_cohort
from pipelines.diagnosis.ensemble.boosting import fit_booster, margins, training_matrix
from pipelines.diagnosis.protocol import load_profile
from pipelines.diagnosis.simulation.simulate import simulate_cohort
from pipelines.diagnosis.training.fold_data import PreparedFold, TrainingData, fit_training_part
from pipelines.diagnosis.training.folds import Split, grouped_folds
from pipelines.diagnosis.training.resampling import Oversampler
from pipelines.harmonization.harmonize import HarmonizationOptions
from pipelines.harmonization.scores.native import NativeScores

FOLDS = 3
OPTIONS = HarmonizationOptions()
PROTOCOL = load_profile("quick", space={"knn_k": {"low": 5, "high": 5}})
OVERSAMPLING = load_profile("quick", balance="smote-nc", space={"knn_k": {"low": 5, "high": 5}})
BOOSTER = {
    "eta": 0.3, "max_depth": 4, "min_child_weight": 1.0, "subsample": 1.0,
    "colsample_bytree": 0.5, "lambda": 1.0, "gamma": 0.0, "rounds": 15, "knn_k": 5,
}  # fmt: skip


@pytest.fixture(scope="module")
def cohort():
    """Six diseases of the simulated cohort; a quarter of the patients came several times."""
    native = simulate_cohort(1400, seed=3, least_patients=8).native
    labels = native.samples["diagnosis"]
    rows = labels.isin(["ANO5", "CAPN3", "DMD", "FKRP", "GAA", "SarcoG"]).to_numpy()
    return training_cohort(native.subset(rows), labels[rows].tolist(), 30)


def balanced_accuracy(y, predicted):
    return np.mean([(predicted[y == k] == k).mean() for k in np.unique(y)])


def train(features, y, classes):
    matrix = training_matrix(features, y, None, 32)
    return fit_booster(matrix, BOOSTER, classes=classes, max_bin=32, seed=0).booster


def our_score(cohort, splits):
    """Score of our own inner folds: all that is fitted sees the training part only."""
    scores = []
    for split in splits:
        fold = PreparedFold(cohort, split, OPTIONS, PROTOCOL)
        booster = fit_booster(
            fold.training.matrix(BOOSTER), BOOSTER, classes=len(cohort.classes), max_bin=32, seed=0
        ).booster
        predicted = margins(booster, fold.validation(5)).argmax(axis=1)
        scores.append(balanced_accuracy(fold.y_validation, predicted))
    return np.mean(scores)


@pytest.fixture(scope="module")
def honest(cohort):
    splits = grouped_folds(cohort.y, cohort.patients, cohort.classes, FOLDS, 0)
    return our_score(cohort, splits)


def test_ungrouped_folds_inflate_the_score(cohort, honest):
    ungrouped = StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(cohort.y, cohort.y)

    leaky = our_score(cohort, [Split(*s) for s in ungrouped])

    assert leaky > honest + 0.04


def test_resampling_before_the_split_inflates_the_score(cohort, honest):
    everyone = fit_training_part(cohort, np.arange(len(cohort.y)), OPTIONS, PROTOCOL, [5])
    sampled, labels = Oversampler(
        everyone.features[5], cohort.y, everyone.preparation.categorical, 5
    ).sample(2.0, 5, 0)
    scores = []
    for train_rows, test_rows in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(
        labels, labels
    ):
        booster = train(sampled[train_rows], labels[train_rows], len(cohort.classes))
        predicted = margins(booster, sampled[test_rows]).argmax(axis=1)
        scores.append(balanced_accuracy(labels[test_rows], predicted))

    assert np.mean(scores) > honest + 0.15


def test_our_resampling_uses_training_rows_only(cohort):
    split = grouped_folds(cohort.y, cohort.patients, cohort.classes, FOLDS, 0)[0]
    fold = PreparedFold(cohort, split, OPTIONS, OVERSAMPLING)
    features, y = fold.training.oversampled(5, 1.5, 5)

    # Validation rows are the samples of the fold, one each, none of them synthetic.
    np.testing.assert_array_equal(fold.y_validation, cohort.y[split.test])
    assert len(fold.validation(5)) == len(split.test)
    # Every new row lies inside the box of its own class's training rows.
    count = len(split.train)
    assert len(features) > count
    for k in range(len(cohort.classes)):
        own = features[:count][y[:count] == k]
        new = features[count:][y[count:] == k]
        assert (new >= own.min(axis=0) - 1e-5).all()
        assert (new <= own.max(axis=0) + 1e-5).all()


@pytest.mark.parametrize("method", ["paper", "dither"])
def test_training_part_is_blind_to_the_test_rows(cohort, method):
    split = grouped_folds(cohort.y, cohort.patients, cohort.classes, FOLDS, 0)[0]
    native = cohort.native
    values = native.values.copy()
    values[split.test] = np.nan
    values[split.test, :3] = 1.0
    samples = native.samples.copy()
    samples.iloc[split.test, samples.columns.get_loc("age")] = 99.0
    changed = Cohort(NativeScores(samples, native.muscles, values), cohort.y, cohort.classes, {}, 0)
    options = HarmonizationOptions(method=method, coverage=0.5)

    ours, other = (
        fit_training_part(c, split.train, options, OVERSAMPLING, [5]) for c in (cohort, changed)
    )

    assert ours.harmonization == other.harmonization
    for name in ("mean", "sd", "reference"):
        np.testing.assert_array_equal(
            getattr(ours.preparation, name), getattr(other.preparation, name)
        )
    first, second = (TrainingData(p, OVERSAMPLING).oversampled(5, 1.2, 5)[0] for p in (ours, other))
    np.testing.assert_array_equal(first, second)
    assert len(ours.preparation.reference) == len(split.train)


def test_a_preparation_fitted_on_all_samples_would_be_caught(cohort):
    split = grouped_folds(cohort.y, cohort.patients, cohort.classes, FOLDS, 0)[0]
    ours = fit_training_part(cohort, split.train, OPTIONS, PROTOCOL, [5])
    leaky = fit_training_part(cohort, np.arange(len(cohort.y)), OPTIONS, PROTOCOL, [5])

    assert len(leaky.preparation.reference) > len(split.train)
    assert not np.array_equal(ours.preparation.mean, leaky.preparation.mean)
    assert not np.array_equal(ours.features[5], leaky.features[5][split.train])
