"""Training what the search found on all samples."""

from pipelines.diagnosis.training.nested import run_nested
from pipelines.diagnosis.training.refit import refit_ensemble
from pipelines.harmonization.harmonize import HarmonizationOptions
from tests.pipelines.diagnosis.small_cohorts import small_training_cohort, tiny_protocol


def test_deployed_ensemble_is_the_union_of_all_folds_on_all_samples():
    cohort = small_training_cohort()
    result = run_nested(cohort, HarmonizationOptions(), tiny_protocol())
    ticks = []
    ensemble = refit_ensemble(result, progress=lambda *n: ticks.append(n))

    assert tuple(m.parameters for m in ensemble.members) == result.members
    assert {m.fold for m in result.members} == {0, 1, 2}
    assert len(ensemble.preparation.reference) == 36
    assert ticks == [(n, 6) for n in range(1, 7)]
    assert ensemble.predict(cohort.native).shape == (6, 36, 3)
