"""What the hyper-parameter search may choose from."""

from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from pipelines.errors import DataError

_TABLE = Path(__file__).with_name("search_space.yaml")


@dataclass(frozen=True)
class Parameter:
    """Range of one hyper-parameter.

    Attributes
    ----------
    low, high : float
        Bounds, both included.
    log : bool
        Searched on a logarithmic axis.
    integer : bool
        Whole numbers only.

    Raises
    ------
    DataError
        If `low` exceeds `high`.
    """

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


def load_search_space() -> dict[str, Parameter]:
    """Read the search space; names in `booster` are XGBoost's own."""
    table = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    ranges = {**table["booster"], "rounds": table["rounds"], **table["preparation"]}
    return {name: Parameter(**bounds) for name, bounds in ranges.items()}
