"""Training profiles and the search space."""

import json

import numpy as np
import pytest

from pipelines.diagnosis.protocol import Parameter, load_profile
from pipelines.errors import DataError
from pipelines.harmonization.harmonize import HarmonizationOptions, fit_harmonization
from pipelines.harmonization.scores.native import NativeScores
from tests.pipelines.diagnosis.small_cohorts import small_training_cohort


def test_paper_profile_is_the_published_protocol():
    protocol = load_profile("paper")

    assert (protocol.outer_folds, protocol.inner_folds) == (10, 5)
    assert (protocol.trials, protocol.random_trials, protocol.percentile) == (60, 30, 90)
    assert (protocol.balance, protocol.combine) == ("smote-nc", "margins")
    assert (protocol.early_stopping, protocol.abandon, protocol.minimum_samples) == (0, 0, 30)
    assert protocol.coverage == 0


def test_search_space_reads_every_range():
    space = load_profile("paper").space

    assert space["eta"] == Parameter(0.03, 0.3, log=True)
    assert space["rounds"] == Parameter(50, 300, integer=True)
    assert space["augmentation_factor"] == Parameter(1.0, 2.0)
    assert set(space) == {
        "eta", "max_depth", "min_child_weight", "subsample", "colsample_bytree", "lambda", "gamma",
        "rounds", "augmentation_factor", "smote_k", "knn_k",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["fast", "weights", "quick"])
def test_other_profiles_change_only_what_they_list(name):
    published, protocol = load_profile("paper"), load_profile(name)

    assert (protocol.percentile, protocol.combine) == (published.percentile, published.combine)
    for parameter, space in protocol.space.items():
        whole = published.space[parameter]
        if name != "quick":
            assert whole.low <= space.low <= space.high <= whole.high
        assert (space.log, space.integer) == (whole.log, whole.integer)


def test_muscles_that_hardly_anybody_has_are_no_features():
    native = small_training_cohort((24, 24, 22), seed=3).native
    values = native.values.copy()
    values[:, 1] = np.nan
    values[1:, 2] = np.nan
    values[0, 2] = 1
    values[5:, 3] = np.nan
    values[:5, 3] = 1
    scored = NativeScores(native.samples, native.muscles, values)
    left_out = {}
    for name, more in (("paper", {}), ("fast", {}), ("fast", {"coverage": 0.08})):
        options = load_profile(name, **more).harmonization(HarmonizationOptions())
        kept = fit_harmonization(scored, options).muscles
        left_out[name, *more] = [muscle for muscle in native.muscles if muscle not in kept]
    assert left_out["paper",] == ["muscle_1"]
    assert left_out["fast",] == ["muscle_1", "muscle_2"]
    assert left_out["fast", "coverage"] == ["muscle_1", "muscle_2", "muscle_3"]
    # What the harmonization asks for is kept if it is more.
    assert load_profile("fast").harmonization(HarmonizationOptions(coverage=0.5)).coverage == 0.5


def test_class_weights_have_no_oversampling_parameters():
    space = load_profile("weights").space

    assert not {"augmentation_factor", "smote_k"} & set(space)
    assert {"augmentation_factor", "smote_k"} <= set(load_profile("fast").space)


def test_overrides_keep_the_rest_of_the_profile():
    protocol = load_profile("paper", trials=8, random_trials=4, space={"rounds": {"high": 60}})

    assert (protocol.trials, protocol.outer_folds) == (8, 10)
    assert protocol.space["rounds"] == Parameter(50, 60, integer=True)
    assert protocol.space["eta"] == load_profile("paper").space["eta"]


def test_protocol_is_json_able():
    assert json.loads(json.dumps(load_profile("fast").as_dict()))["space"]["eta"]["low"] > 0


def test_unknown_profile_names_the_known_ones():
    with pytest.raises(DataError, match="There is no training profile 'slow'") as error:
        load_profile("slow")
    assert error.value.hint == "Choose paper, fast, weights, quick."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trails": 3}, "A training protocol has no setting trails"),
        ({"outer_folds": 1}, "outer_folds is 1, outside 2 to 1000"),
        ({"percentile": 101}, "percentile is 101, outside 0 to 100"),
        ({"masking": -0.1}, "masking is -0.1, outside 0 to 1"),
        ({"seed": True}, "seed is True, which is no number"),
        ({"trials": "many"}, "trials is 'many', which is no number"),
        ({"random_trials": 61}, "61 random trials are more than the 60 trials"),
        ({"balance": "smote"}, "balance is 'smote'"),
        ({"max_bin": 257}, "max_bin is 257, outside 2 to 256"),
        ({"abandon": -1}, "abandon is -1, outside 0 to inf"),
        ({"combine": "votes"}, "combine is 'votes'"),
        ({"space": {"depth": {"low": 1}}}, "The search space has no hyper-parameter 'depth'"),
        ({"space": {"rounds": {"low": 400}}}, "A search range from 400 to 300 is empty"),
    ],
)
def test_impossible_settings_are_refused(changes, message):
    with pytest.raises(DataError) as error:
        load_profile("paper", **changes)
    assert error.value.message == f"{message}."
