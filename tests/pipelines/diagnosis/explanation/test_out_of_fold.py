"""Putting the explanations of folds together."""

import numpy as np
import pytest

from pipelines.diagnosis.explanation.out_of_fold import explain_fold, pool_explanations
from pipelines.diagnosis.explanation.values import shap_values
from pipelines.errors import DataError
from tests.pipelines.diagnosis.explanation.boosters import (
    FEATURES,
    FakeEnsemble,
    FakeHarmonization,
    FakeMember,
    FakeNative,
    data_of,
    train,
)

NAMES = tuple(f"f{i}" for i in range(FEATURES + 1))


def test_each_sample_is_explained_by_the_fold_that_did_not_see_it():
    (first, rows), (second, _) = train(3, seed=1), train(3, seed=2)
    native = FakeNative(rows[:6, :, None].astype(float))
    even, odd = np.array([0, 2, 4]), np.array([1, 3, 5])
    wide = FakeEnsemble((FakeMember(data_of(first)),), harmonization=FakeHarmonization())
    turned = FakeEnsemble(
        (FakeMember(data_of(second)),),
        feature_names=NAMES[:FEATURES][::-1],
        harmonization=FakeHarmonization(),
    )
    folds = [explain_fold(wide, native, even), explain_fold(turned, native, odd)]
    values, base = pool_explanations(iter(folds), NAMES)
    own = shap_values(wide, rows[even].astype(float))
    other = shap_values(turned, rows[odd].astype(float))
    np.testing.assert_array_equal(values[even][..., :FEATURES], own.values)
    np.testing.assert_array_equal(values[odd][..., :FEATURES], other.values[..., ::-1])
    assert not values[..., FEATURES].any()
    np.testing.assert_array_equal(base[odd], np.tile(other.base, (3, 1)))
    with pytest.raises(DataError, match=r"list of features lacks f6\."):
        pool_explanations(folds, NAMES[:6])
    for parts in (folds[:1], [folds[0], folds[0]], []):
        with pytest.raises(DataError, match="do not hold every sample exactly once"):
            pool_explanations(parts, NAMES)
