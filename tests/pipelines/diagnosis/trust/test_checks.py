import numpy as np

from pipelines.diagnosis.trust.checks import one_sample_per_patient, patient_codes


def test_patients_are_numbered_in_order():
    np.testing.assert_array_equal(patient_codes(["b", "a", "b", "c"]), [0, 1, 0, 2])


def test_one_sample_of_every_patient_evenly_over_visits():
    patient = np.array(["a", "b", "a", "c", "a"])
    chosen = np.array([one_sample_per_patient(patient, seed) for seed in range(600)])
    assert chosen.shape == (600, 3)
    assert all(sorted(patient[row]) == ["a", "b", "c"] for row in chosen)
    assert (np.diff(chosen, axis=1) > 0).all()
    visits, n = np.unique(chosen[np.isin(chosen, [0, 2, 4])], return_counts=True)
    np.testing.assert_array_equal(visits, [0, 2, 4])
    assert (abs(n - 200) < 60).all()


def test_the_seed_decides():
    patient = np.repeat(np.arange(30), 3)
    np.testing.assert_array_equal(
        one_sample_per_patient(patient, 4), one_sample_per_patient(patient, 4)
    )
    assert (one_sample_per_patient(patient, 4) != one_sample_per_patient(patient, 5)).any()
