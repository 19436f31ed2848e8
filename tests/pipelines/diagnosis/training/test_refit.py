"""Training what the search found on all samples."""

import pytest

from pipelines.diagnosis.training.nested import run_nested
from pipelines.diagnosis.training.refit import refit_ensemble
from pipelines.errors import DataError
from pipelines.harmonization.harmonize import HarmonizationOptions
from tests.pipelines.diagnosis.small_cohorts import small_cohort, tiny_protocol


@pytest.fixture(scope="module")
def searched():
    native, labels = small_cohort()
    labels[4] = None
    return native, labels, run_nested(native, labels, HarmonizationOptions(), tiny_protocol())


def test_deployed_ensemble_is_the_union_of_all_folds_on_all_samples(searched):
    native, labels, nested = searched
    ticks = []
    ensemble = refit_ensemble(native, labels, nested, progress=lambda *n: ticks.append(n))

    assert tuple(m.parameters for m in ensemble.members) == nested.members
    assert {m.fold for m in nested.members} == {0, 1, 2}
    assert len(ensemble.preparation.reference) == len(nested.y) == 35
    assert ticks == [(n, 6) for n in range(1, 7)]
    assert ensemble.predict(native).shape == (6, 36, 3)


def test_other_samples_are_refused(searched):
    native, labels, nested = searched
    swapped = labels[::-1]
    with pytest.raises(DataError, match="differ from those of the search"):
        refit_ensemble(native, swapped, nested)
