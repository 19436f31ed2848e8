"""The training protocol: what is fixed before a search starts, and the profiles that name it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from typing import Any, Literal, get_args

from pipelines.errors import DataError
from pipelines.harmonization.harmonize import HarmonizationOptions
from pipelines.package_data import package_yaml


@dataclass(frozen=True)
class Parameter:
    """Range of one hyper-parameter, bounds included; `log` draws on a logarithmic axis."""

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise DataError(
                f"A search range from {self.low:g} to {self.high:g} is empty.",
                "low must not exceed high.",
            )

    def narrowed(self, low: float | None = None, high: float | None = None) -> "Parameter":
        """Return the same parameter with other bounds."""
        return replace(
            self,
            low=self.low if low is None else low,
            high=self.high if high is None else high,
        )


Balance = Literal["smote-nc", "weights"]
Combine = Literal["margins", "probabilities"]

_PROFILES = "profiles.yaml"
_PUBLISHED = "paper"

# Share of samples below that of one sample in any cohort.
_ANYBODY = 1e-9

# Hyper-parameters that only oversampling has.
_OVERSAMPLING_PARAMETERS = ("augmentation_factor", "smote_k")


@dataclass(frozen=True)
class Protocol:
    """How an ensemble is searched, trained and evaluated.

    Attributes
    ----------
    name : str
        Profile it came from.
    outer_folds, inner_folds : int
        Folds of the evaluation, and of the search inside each of them; both grouped by patient.
    trials, random_trials : int
        Combinations tried in every outer fold; the first `random_trials` are drawn at random, the
        others by the tree-structured Parzen estimator.
    percentile : float
        Trials above this percentile of the inner balanced accuracy join the ensemble.
    balance : {'smote-nc', 'weights'}
        How rare diseases get their weight.
    combine : {'margins', 'probabilities'}
        What the ensemble averages: margins, with the softmax afterwards (paper, equation 3), or
        the members' probabilities (the authors' published code).
    minimum_samples : int
        Diseases with fewer samples are left out.
    max_bin : int
        Histogram bins of a feature.
    early_stopping : int
        Rounds without a better inner validation loss before a fit stops; 0 never stops.
    abandon : float
        A trial is given up after some inner folds if it lies so many standard deviations below the
        best tenth that it will not reach them; 0 never gives up.
    coverage : float
        Muscles that a smaller share (0-1) of the training samples has are no features; 0 keeps
        every muscle that any of them has (the published method).
    masking : float
        Share (0-1) of the training samples that also get the missing muscles of another one.
    comparators : bool
        Train a random forest and nearest neighbours on the same folds.
    seed : int
        Of folds, search, resampling and boosting.
    space : dict
        Search range of every hyper-parameter.

    Raises
    ------
    DataError
        If a value is impossible.
    """

    name: str
    outer_folds: int
    inner_folds: int
    trials: int
    random_trials: int
    percentile: float
    balance: Balance
    combine: Combine
    minimum_samples: int
    max_bin: int
    early_stopping: int
    abandon: float
    coverage: float
    masking: float
    comparators: bool
    seed: int
    space: dict[str, Parameter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, lowest, highest in _LIMITS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise DataError(f"{name} is {value!r}, which is no number.")
            if not lowest <= value <= highest:
                raise DataError(
                    f"{name} is {value}, outside {lowest:g} to {highest:g}.",
                    f"Profile '{self.name}' in {_PROFILES} shows usual values.",
                )
        if self.random_trials > self.trials:
            raise DataError(
                f"{self.random_trials} random trials are more than the {self.trials} trials.",
                "Lower random_trials or raise trials.",
            )
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise DataError(
                    f"{name} is {getattr(self, name)!r}.", f"Choose one of {', '.join(choices)}."
                )

    def harmonization(self, options: HarmonizationOptions) -> HarmonizationOptions:
        """Return the options under which muscles that hardly anybody has are no features."""
        return replace(options, coverage=max(options.coverage, self.coverage or _ANYBODY))

    def as_dict(self) -> dict[str, Any]:
        """Return the protocol as a JSON-serializable dictionary."""
        return asdict(self)


_LIMITS = (
    ("outer_folds", 2, 1000),
    ("inner_folds", 2, 1000),
    ("trials", 1, 100000),
    ("random_trials", 1, 100000),
    ("percentile", 0, 100),
    ("minimum_samples", 1, float("inf")),
    ("max_bin", 2, 256),
    ("early_stopping", 0, float("inf")),
    ("abandon", 0, float("inf")),
    ("coverage", 0, 1),
    ("masking", 0, 1),
    ("seed", 0, 2**31 - 1),
)
_CHOICES = {"balance": get_args(Balance), "combine": get_args(Combine)}
_SETTINGS = frozenset(f.name for f in fields(Protocol)) - {"name"}


def load_profile(name: str, **overrides: Any) -> Protocol:
    """Return a protocol.

    Parameters
    ----------
    name : str
        ``paper``, ``fast``, ``weights`` or ``quick``.
    **overrides
        Fields of :class:`Protocol` to change. `space` maps hyper-parameters to the bounds that
        change (``low``, ``high``); the other ranges stay those of the profile.

    Raises
    ------
    DataError
        If the profile, a field or a hyper-parameter is unknown, or a value impossible.
    """
    profiles = _profiles()
    if name not in profiles:
        raise DataError(f"There is no training profile '{name}'.", f"Choose {', '.join(profiles)}.")
    unknown = sorted(set(overrides) - _SETTINGS)
    if unknown:
        raise DataError(
            f"A training protocol has no setting {', '.join(unknown)}.",
            f"It has {', '.join(sorted(_SETTINGS))}.",
        )
    layers = (profiles[_PUBLISHED], profiles[name], overrides)
    settings: dict[str, Any] = {}
    space = _search_space()
    for layer in layers:
        settings.update(layer)
        space = _changed_space(space, layer.get("space", {}))
    if settings["balance"] == "weights":
        space = {k: v for k, v in space.items() if k not in _OVERSAMPLING_PARAMETERS}
    return Protocol(name=name, **{**settings, "space": space})


def _changed_space(
    space: dict[str, Parameter], changes: Mapping[str, Mapping[str, float]]
) -> dict[str, Parameter]:
    """Return the search space with some bounds changed."""
    changed = dict(space)
    for name, bounds in changes.items():
        if name not in space:
            raise DataError(
                f"The search space has no hyper-parameter '{name}'.",
                f"It has {', '.join(space)}.",
            )
        changed[name] = space[name].narrowed(**bounds)
    return changed


@cache
def _profiles() -> dict[str, dict[str, Any]]:
    """Read the profiles."""
    profiles: dict[str, dict[str, Any]] = package_yaml(__package__, _PROFILES)
    return profiles


def _search_space() -> dict[str, Parameter]:
    """Read the search space; names in `booster` are XGBoost's own."""
    table = package_yaml(__package__, "search_space.yaml")
    ranges = {**table["booster"], "rounds": table["rounds"], **table["preparation"]}
    return {name: Parameter(**bounds) for name, bounds in ranges.items()}
