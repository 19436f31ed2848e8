"""Small boosters and ensembles for the tests of explanations."""

from dataclasses import dataclass

import numpy as np
import xgboost

CLASSES, FEATURES = 4, 7


def train(depth: int, *, rounds: int = 6, seed: int = 0, missing: float = 0.0, **settings):
    """Return a booster and rows it was trained on (some with missing values)."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(400, FEATURES)).astype(np.float32)
    scores = rows @ rng.normal(size=(FEATURES, CLASSES)) + rng.gumbel(size=(400, CLASSES))
    rows[rng.random(rows.shape) < missing] = np.nan
    options = {
        "objective": "multi:softprob",
        "num_class": CLASSES,
        "max_depth": depth,
        "eta": 0.4,
        "nthread": 1,
        "seed": seed,
        "min_child_weight": 0.1,
        **settings,
    }
    booster = xgboost.train(options, xgboost.DMatrix(rows, scores.argmax(axis=1)), rounds)
    return booster, rows


def data_of(booster) -> bytes:
    return bytes(booster.save_raw("ubj"))


@dataclass
class FakeHarmonization:
    """Hands over features that were stored as scores; a draw shifts them."""

    draws: int = 1

    def transform(self, native, *, draw=None):
        return native.values[:, :, 0] + 0.1 * (draw or 0)


@dataclass
class FakeNative:
    values: np.ndarray

    @property
    def samples(self):
        return self.values

    def subset(self, rows):
        return FakeNative(self.values[rows])


@dataclass
class FakeMember:
    data: bytes
    neighbours: int = 3


@dataclass
class FakeEnsemble:
    """Members that see the features as they are, or shifted if their neighbours are 5."""

    members: tuple
    classes: tuple = tuple("abcd")
    feature_names: tuple = tuple(f"f{i}" for i in range(FEATURES))
    harmonization: FakeHarmonization = None

    def prepare(self, features):
        return {3: features.astype(np.float32), 5: (features + 0.5).astype(np.float32)}
