import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from pipelines.diagnosis.trust.checks import one_sample_per_patient
from pipelines.diagnosis.trust.conformal import POOL, ConformalSets, fit_conformal
from pipelines.errors import DataError
from tests.pipelines.diagnosis.predicted_cohort import CLASSES, cohort


def fit(made, **options):
    return fit_conformal(
        made.margins, made.y, CLASSES, made.samples["patient"].to_numpy(), **options
    )


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=20, deadline=None)
def test_p_values_by_counting(seed, tied):
    rng = np.random.default_rng(seed)
    margins = rng.normal(size=(40, 3))
    if tied:
        margins = np.round(margins)
    y = np.arange(40) % 3
    fitted = fit_conformal(margins, y, ("A", "B", "C"), np.arange(40), minimum=5)
    new = margins[:10]
    scores, known = -log_softmax(new, axis=1), -log_softmax(margins, axis=1)
    for row, p in zip(scores, fitted.p_values(new), strict=True):
        for k in range(3):
            own = known[y == k, k]
            assert p[k] == pytest.approx((np.sum(own >= row[k]) + 1) / (len(own) + 1))


@pytest.mark.parametrize("randomised", [False, True])
def test_coverage_of_every_class_over_many_calibrations(randomised):
    # Exchangeable patients: coverage of class k is at least 0.9; exactly 0.9 with draws, and
    # without ties ceil(0.9 (n + 1)) / (n + 1) without them.
    trials, calibration, new = 200, (29, 30, 45, 120), 40
    rng = np.random.default_rng(1) if randomised else None
    covered = np.zeros(4)
    for seed in range(trials):
        made = cohort(patients=tuple(n + new for n in calibration), seed=seed)
        starts = np.concatenate([[0], np.cumsum([n + new for n in calibration])[:-1]])
        test = np.concatenate([np.arange(s, s + new) for s in starts])
        train = np.setdiff1d(np.arange(len(made.y)), test)
        fitted = fit_conformal(made.margins[train], made.y[train], CLASSES, train, alpha=0.1)
        sets = fitted.sets(made.margins[test], rng=rng)
        covered += sets[np.arange(len(test)), made.y[test]].reshape(4, new).mean(axis=1)
    n = np.array(calibration)
    exact = np.full(4, 0.9) if randomised else np.ceil(0.9 * (n + 1) - 1e-9) / (n + 1)
    # One calibration's coverage is beta-distributed around the exact value.
    error = np.sqrt(0.09 / (n + 2) / trials + 0.09 / (trials * new))
    np.testing.assert_array_less(abs(covered / trials - exact), 4 * error)
    assert (exact >= 0.9 - 1e-12).all()


def test_randomised_p_values_are_uniform():
    made = cohort(patients=(400, 400, 400, 400))
    fitted = fit(made)
    new = cohort(patients=(1000, 2, 2, 2), seed=9)
    p = fitted.p_values(new.margins, np.random.default_rng(0))[new.y == 0, 0]
    for level in (0.1, 0.5, 0.9):
        assert np.mean(p <= level) == pytest.approx(level, abs=0.06)


def test_sets_are_nested_and_hold_the_best_conforming_classes():
    made = cohort()
    fitted = fit(made)
    p = fitted.p_values(made.margins)
    small, large = fitted.sets(made.margins, alpha=0.3), fitted.sets(made.margins, alpha=0.05)
    assert (large | ~small).all()
    np.testing.assert_array_equal(small, p > 0.3)
    assert small.sum() < large.sum()
    np.testing.assert_array_equal(fitted.sets(made.margins), p > 0.1)


def test_a_p_value_of_exactly_alpha_is_outside():
    # Nine patients of each class; a stranger to all of them has p = 1 / 10.
    margins = np.tile([[3.0, 0.0], [0.0, 3.0]], (9, 1))
    fitted = fit_conformal(margins, np.arange(18) % 2, ("A", "B"), np.arange(18), minimum=9)
    stranger = [[-5.0, 5.0]]
    assert fitted.p_values(stranger)[0, 0] == pytest.approx(0.1)
    assert fitted.sets(stranger, alpha=0.1).tolist() == [[False, True]]
    assert fitted.sets(stranger, alpha=0.0999).tolist() == [[True, True]]


def test_small_classes_share_one_calibration():
    made = cohort(patients=(60, 40, 12, 11))
    fitted = fit(made, minimum=20)
    assert fitted.groups == ("A", "B", POOL, POOL)
    own = -log_softmax(made.margins, axis=1)[np.arange(len(made.y)), made.y]
    np.testing.assert_allclose(fitted.scores[POOL], np.sort(own[made.y >= 2]))
    np.testing.assert_allclose(fitted.scores["A"], np.sort(own[made.y == 0]))


def test_the_next_smallest_class_joins_a_pool_that_is_too_small():
    assert fit(cohort(patients=(60, 30, 25, 3)), minimum=20).groups == ("A", "B", POOL, POOL)
    assert fit(cohort(patients=(60, 12, 3, 3)), minimum=20).groups == (POOL,) * 4
    # Between equal classes the first one joins.
    assert fit(cohort(patients=(60, 30, 30, 3)), minimum=20).groups == ("A", POOL, "C", POOL)


def test_small_error_rates_need_more_patients():
    assert fit(cohort(patients=(60, 50, 30, 40)), alpha=0.025).groups == ("A", "B", POOL, POOL)


def test_one_sample_of_each_patient_calibrates():
    made = cohort(patients=(30, 30, 30, 30), visits=3)
    fitted = fit(made, seed=5)
    assert [len(fitted.scores[name]) for name in CLASSES] == [30] * 4
    rows = one_sample_per_patient(made.samples["patient"].to_numpy(), 5)
    own = -log_softmax(made.margins, axis=1)[rows, made.y[rows]]
    np.testing.assert_allclose(fitted.scores["B"], np.sort(own[made.y[rows] == 1]))


def test_pooled_coverage_holds_for_the_pool_as_a_whole():
    covered = []
    for seed in range(150):
        made = cohort(patients=(60, 60, 22, 20), seed=seed)
        test = np.concatenate([np.arange(120, 132), np.arange(142, 152)])
        train = np.setdiff1d(np.arange(len(made.y)), test)
        fitted = fit_conformal(made.margins[train], made.y[train], CLASSES, train)
        assert fitted.groups[2:] == (POOL, POOL)
        covered.append(fitted.sets(made.margins[test])[np.arange(22), made.y[test]])
    # 20 calibration patients in the pool: ceil(0.9 * 21) / 21; one trial scatters by 0.09.
    assert np.mean(covered) == pytest.approx(19 / 21, abs=4 * 0.09 / np.sqrt(150))


def test_store_and_restore():
    made = cohort()
    fitted = fit(made)
    restored = ConformalSets.from_dict(json.loads(json.dumps(fitted.as_dict())))
    np.testing.assert_array_equal(restored.p_values(made.margins), fitted.p_values(made.margins))
    assert (restored.classes, restored.alpha, restored.groups) == (
        *(fitted.classes, fitted.alpha, fitted.groups),
    )


def test_too_few_patients():
    made = cohort(patients=(4, 4, 4, 4))
    with pytest.raises(DataError, match=r"16 patients are too few.*20 are needed"):
        fit(made)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1])
def test_error_rate_outside_zero_and_one(alpha):
    with pytest.raises(DataError, match=r"alpha is .*between 0 and 1"):
        fit(cohort(), alpha=alpha)


def test_margins_of_another_model():
    with pytest.raises(DataError, match="margins has 3 columns, 4 are needed"):
        fit(cohort()).p_values([[0.1, 0.2, 0.3]])
