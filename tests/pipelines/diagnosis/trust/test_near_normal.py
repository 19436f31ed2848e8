import json

import numpy as np
import pytest

from pipelines.diagnosis.trust.near_normal import (
    NearNormal,
    fit_near_normal,
    near_normal_settings,
)
from pipelines.errors import DataError


def test_thresholds_are_quantiles_of_the_near_normal_diseases():
    mean = np.concatenate([np.linspace(0, 12, 25), np.full(50, 60.0)])
    maximum = np.concatenate([np.linspace(0, 40, 25), np.full(50, 90.0)])
    diagnosis = np.array(["CLCN1"] * 15 + ["SCN4A"] * 10 + ["DYSF"] * 50)
    fitted = fit_near_normal(mean, maximum, diagnosis, np.arange(75))
    assert (fitted.mean_involvement, fitted.max_involvement) == pytest.approx((9, 30))
    assert (fitted.origin, fitted.n_patients) == ("learnt", 25)
    assert fitted.diseases == ("CLCN1", "SCN4A")
    flags = fitted.flags(mean, maximum)
    assert (flags[:25].sum(), flags[25:].sum()) == (19, 0)


def test_learnt_thresholds_end_at_the_ceiling():
    fitted = fit_near_normal(
        np.full(30, 70.0), np.full(30, 90.0), np.full(30, "HypoPP"), np.arange(30)
    )
    assert (fitted.mean_involvement, fitted.max_involvement) == (20, 50)


def test_too_few_patients_give_the_documented_default():
    # Thirty samples, but only ten patients.
    fitted = fit_near_normal(
        np.full(30, 3.0), np.full(30, 5.0), np.full(30, "CLCN1"), np.repeat(np.arange(10), 3)
    )
    assert (fitted.mean_involvement, fitted.max_involvement) == (10, 33.4)
    assert (fitted.origin, fitted.n_patients, fitted.diseases) == ("default", 0, ("CLCN1",))


def test_other_diseases_can_be_named():
    rng = np.random.default_rng(0)
    mean = rng.uniform(0, 8, 40)
    fitted = fit_near_normal(mean, 2 * mean, np.full(40, "X"), np.arange(40), diseases=("X",))
    assert fitted.mean_involvement == pytest.approx(np.quantile(mean, 0.75))


def test_both_the_mean_and_the_maximum_must_be_low():
    rule = NearNormal(10, 33.4, "default", (), 0)
    found = rule.flags([5, 5, 12, 10, np.nan], [20, 60, 20, 33.4, np.nan])
    np.testing.assert_array_equal(found, [True, False, False, True, False])


def test_text_names_thresholds_and_diseases():
    text = NearNormal(10, 33.4, "default", ("CLCN1", "HypoPP"), 0).text()
    assert "mean at most 10, no muscle above 33 of 100" in text
    assert "such as CLCN1, HypoPP look alike" in text
    assert "such as" not in NearNormal(10, 33.4, "default", (), 0).text()


def test_store_and_restore():
    rule = NearNormal(9.25, 31.5, "learnt", ("CLCN1",), 44)
    assert NearNormal.from_dict(json.loads(json.dumps(rule.as_dict()))) == rule


def test_every_number_of_the_settings_has_a_source():
    settings = near_normal_settings()
    for name in ("diseases", "default", "ceiling", "quantile"):
        assert settings[f"{name}_source"]


@pytest.mark.parametrize(
    ("mean", "maximum", "message"),
    [
        ([101.0], [101.0], "mean_involvement has the value 101 in row 0"),
        ([5.0], [-1.0], "max_involvement has the value -1 in row 0"),
        ([5.0, 30.0], [5.0, 20.0], "max_involvement 20 is below mean_involvement 30 in row 1"),
        ([5.0], [5.0, 6.0], r"max_involvement has shape \(2,\)"),
    ],
)
def test_wrong_values(mean, maximum, message):
    with pytest.raises(DataError, match=message):
        NearNormal(10, 33, "default", (), 0).flags(mean, maximum)
