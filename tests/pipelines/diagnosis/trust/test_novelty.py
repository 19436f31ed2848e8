import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import entropy

from pipelines.diagnosis.trust.novelty import (
    Novelty,
    TypicalityReference,
    fit_novelty,
    prediction_entropy,
    share_at_least,
)
from pipelines.errors import DataError
from tests.pipelines.diagnosis.predicted_cohort import CLASSES, cohort


def fit(made, **options):
    return fit_novelty(
        made.features,
        made.probabilities,
        made.y,
        CLASSES,
        patient=made.samples["patient"].to_numpy(),
        fold=made.fold,
        **options,
    )


def test_shares_by_hand():
    reference = np.array([3.0, 1.0, 2.0, 2.0])
    np.testing.assert_allclose(
        share_at_least(reference, np.array([0.0, 2.0, 3.0, 9.0])), [1, 0.8, 0.4, 0.2]
    )


def test_joint_score_by_hand():
    reference = TypicalityReference(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.3]))
    score = reference.score(np.array([2.5]), np.array([0.05]))
    assert score[0] == pytest.approx(-2 * (np.log(2 / 4) + np.log(4 / 4)))
    # Scores of the reference itself: -2 log of (4 * 4, 3 * 3, 2 * 2) / 16.
    assert reference.typicality(score)[0] == pytest.approx(100 * (1 + 1) / 4)


def test_entropy_agrees_with_scipy():
    rows = np.array([[1.0, 0, 0], [0.2, 0.3, 0.5]])
    np.testing.assert_allclose(prediction_entropy(rows), entropy(rows, axis=1))


def test_new_ordinary_patients_are_flagged_at_the_stated_rate():
    fitted = fit(cohort(patients=(250, 250, 250, 250)))
    new = cohort(patients=(1000, 1000, 1000, 1000), seed=8)
    found = fitted.scores(new.features, new.probabilities)
    # Standard error with 1000 reference patients and 4000 new ones: 0.008.
    assert found.flagged.mean() == pytest.approx(0.05, abs=0.025)
    np.testing.assert_array_equal(found.flagged, found.typicality <= 5)
    assert found.typicality.min() > 0
    assert found.typicality.max() <= 100
    assert np.median(found.typicality) == pytest.approx(50, abs=5)


def test_measured_rate_is_that_of_references_of_other_folds():
    made = cohort()
    fitted = fit(made)
    fold = made.fold[: len(fitted.reference.distance)]  # one visit each
    flagged = []
    for own in np.unique(fold):
        others = TypicalityReference(
            fitted.reference.distance[fold != own], fitted.reference.entropy[fold != own]
        )
        known = others.score(others.distance, others.entropy)
        new = others.score(
            fitted.reference.distance[fold == own], fitted.reference.entropy[fold == own]
        )
        rank = [(np.sum(known >= score) + 1) / (len(known) + 1) for score in new]
        flagged += [share <= 0.05 for share in rank]
    assert fitted.measured_rate == pytest.approx(np.mean(flagged))
    assert fitted.measured_rate == pytest.approx(0.05, abs=0.03)


def test_patients_far_from_every_disease_are_flagged():
    fitted = fit(cohort())
    far = fitted.scores(np.full((1, 4), 20.0), np.full((1, 4), 0.25))
    assert far.flagged[0]
    assert far.typicality[0] == pytest.approx(100 / 286)
    centre = fitted.class_distance.means[2][None, :]
    near = fitted.scores(centre, [[0.0, 0.0, 1.0, 0.0]])
    assert (near.nearest[0], near.distance[0]) == (2, pytest.approx(0, abs=1e-9))
    assert near.typicality[0] == 100


def test_reference_is_one_held_out_sample_per_patient():
    made = cohort(visits=2)
    assert len(fit(made).reference.distance) == 285


def test_store_and_restore():
    made = cohort()
    fitted = fit(made)
    restored = Novelty.from_dict(json.loads(json.dumps(fitted.as_dict())))
    expected = fitted.scores(made.features, made.probabilities)
    found = restored.scores(made.features, made.probabilities)
    np.testing.assert_array_equal(found.typicality, expected.typicality)
    np.testing.assert_array_equal(found.nearest, expected.nearest)
    assert restored.classes == CLASSES


@pytest.mark.parametrize("rate", [0.001, 0.0, 1.0])
def test_rates_that_the_patients_cannot_carry(rate):
    with pytest.raises(DataError, match=r"false-positive rate of .* cannot be set with 285"):
        fit(cohort(), false_positive_rate=rate)


def test_probabilities_of_another_model():
    made = cohort()
    with pytest.raises(DataError, match="probabilities has 3 columns, 4 are needed"):
        fit(made).scores(made.features, made.probabilities[:, :3])
    with pytest.raises(DataError, match=r"probabilities has shape \(5,\)"):
        fit(made).scores(made.features, made.probabilities[:5])


def test_texts_never_claim_an_unknown_disease():
    fitted = replace(fit(cohort()), measured_rate=0.082)
    flagged, usual = fitted.text(3.1), fitted.text(41.2)
    assert flagged.startswith("Unlike the patients the model was trained on: only 3.1 %")
    assert "8.2 % of ordinary patients got this flag too when it was tested" in flagged
    assert "may not be one the model knows" in flagged
    assert usual.startswith("Within the range of the training data: 41 %")
    assert "does not prove" in usual
