"""Random block masking."""

import numpy as np

from pipelines.diagnosis.masking import mask_blocks
from tests.pipelines.diagnosis.small_cohorts import small_cohort


def observed(native):
    return (~np.isnan(native.values)).any(axis=2)


def test_hides_what_some_other_sample_lacks():
    native, _ = small_cohort(missing=0.3)
    masked = mask_blocks(native, 1.0, 0)
    before, after = observed(native), observed(masked)

    assert (after <= before).all()
    changed = np.flatnonzero((before != after).any(axis=1))
    assert len(changed) > len(before) / 2
    for row in changed:
        assert any(np.array_equal(after[row], before[row] & other) for other in before)
        assert after[row].sum() >= 2
    np.testing.assert_array_equal(masked.values[after], native.values[after])
    assert masked.samples is native.samples


def test_share_of_samples():
    native, _ = small_cohort((200, 200), missing=0.25)
    changed = (observed(native) != observed(mask_blocks(native, 0.3, 1))).any(axis=1)

    assert 0.2 < changed.mean() < 0.35
    np.testing.assert_array_equal(mask_blocks(native, 0.0, 1).values, native.values)


def test_sample_that_would_lose_nearly_everything_stays():
    native, _ = small_cohort((4, 4), missing=0)
    values = native.values.copy()
    values[:4, 1:] = np.nan
    sparse = type(native)(native.samples, native.muscles, values)

    np.testing.assert_array_equal(observed(mask_blocks(sparse, 1.0, 0)), observed(sparse))


def test_seed_decides():
    native, _ = small_cohort(missing=0.4)
    first, again, other = (mask_blocks(native, 0.5, s).values for s in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other, equal_nan=True)
