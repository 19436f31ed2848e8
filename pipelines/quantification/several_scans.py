"""Which scan tells the fat fraction of a muscle that a session shows in several scans."""

import re
from typing import Literal

import numpy as np
import pandas as pd

from pipelines.arrays import Bool

Combine = Literal["best", "mean"]

CHOICES = ("only", "best quality", "largest volume", "first name", "mean", "not chosen", "left out")
"""Why a value counts, or does not; the words of column ``choice``."""

_MUSCLE = ["participant", "session", "muscle", "side"]
# Stations of one acquisition: parts of it, not repetitions.
_PART = re.compile(r"(?:^|_)(?:chunk|stk)-[^_]+")
# Between the parts of one scan, or several scans, that have no volume at all.
_LEAST_VOLUME_ML = 1e-9


def scan_of(stack: str) -> str:
    """Return the scan that a stack is a part of: its name without ``chunk-`` and ``stk-``."""
    return _PART.sub("", stack).removeprefix("_")


def choose_scans(parts: pd.DataFrame, combine: Combine = "best") -> pd.DataFrame:
    """Say how much every measurement of a muscle counts, and why.

    Parts of one scan (``chunk-``, ``stk-``) show different slices of a muscle and are joined,
    weighted by volume. Of several scans one is chosen: that of fewer failed checks, then of fewer
    warnings, then of the larger volume of the muscle, then the first by name.

    Parameters
    ----------
    parts : DataFrame
        One row per session, stack, muscle and side: ``participant``, ``session``, ``stack``,
        ``muscle``, ``side``, ``volume_ml``, ``failed`` and ``warned`` (numbers of checks of the
        stack), ``left_out`` (whether it must not count).
    combine : {'best', 'mean'}
        Whether one scan is chosen, or all are averaged, weighted by volume.

    Returns
    -------
    DataFrame
        The same rows with ``weight``, 0 for what does not count, otherwise with sum 1 over the rows
        of a muscle and side, and ``choice`` (``CHOICES``).
    """
    found = parts.assign(
        scan=[scan_of(name) for name in parts["stack"]],
        volume=parts["volume_ml"].clip(lower=_LEAST_VOLUME_ML),
    ).reset_index(drop=True)
    left_out = found["left_out"].to_numpy(dtype=bool)
    counted = ~left_out
    choice = np.full(len(found), "left out", dtype=object)
    if combine == "best":
        chosen, reason = _best_scans(found[counted])
        choice[counted] = reason
        counted[counted] = chosen
    else:
        scans = found[counted].groupby(_MUSCLE, sort=False)["scan"].transform("nunique")
        choice[counted] = np.where(scans > 1, "mean", "only")
    volume = found["volume"].where(counted, 0.0)
    total = volume.groupby([found[name] for name in _MUSCLE], sort=False).transform("sum")
    weight = (volume / total.where(total > 0)).fillna(0.0)
    return found.drop(columns=["scan", "volume"]).assign(
        weight=weight, choice=pd.Categorical(choice, categories=list(CHOICES))
    )


def _best_scans(parts: pd.DataFrame) -> tuple[Bool, list[str]]:
    """Return whether each measurement is of the best scan of its muscle, and why."""
    grouped = parts.groupby([*_MUSCLE, "scan"], sort=False)
    scans = grouped.agg(
        failed=("failed", "max"), warned=("warned", "max"), volume=("volume", "sum")
    ).reset_index()
    scans["smallness"] = -scans["volume"]
    criteria = ["failed", "warned", "smallness", "scan"]
    ranked = scans.sort_values(criteria, kind="stable")
    of_muscle = ranked.groupby(_MUSCLE, sort=False)
    ranked["rank"] = of_muscle.cumcount()
    runner_up = of_muscle[["failed", "warned", "smallness"]].shift(-1)
    ranked["reason"] = np.select(
        [
            runner_up["failed"].isna(),
            (ranked["failed"] != runner_up["failed"]) | (ranked["warned"] != runner_up["warned"]),
            ranked["smallness"] != runner_up["smallness"],
        ],
        ["only", "best quality", "largest volume"],
        "first name",
    )
    ranked.loc[ranked["rank"] > 0, "reason"] = "not chosen"
    keys = [*_MUSCLE, "scan"]
    told = parts[keys].merge(ranked[[*keys, "rank", "reason"]], on=keys, how="left")
    return (told["rank"] == 0).to_numpy(), told["reason"].tolist()


def join_scans(chosen: pd.DataFrame) -> pd.DataFrame:
    """Join the measurements that count to one fat fraction per muscle and side.

    Parameters
    ----------
    chosen : DataFrame
        From :func:`choose_scans`, with ``ff_mean`` (percent, not missing), ``source`` and ``row``.

    Returns
    -------
    DataFrame
        ``participant``, ``session``, ``muscle``, ``side``, ``ff_mean``, ``source`` and ``row``, in
        order of first appearance; the last two of the part of most weight.
    """
    counted = chosen[chosen["weight"] > 0]
    ordered = counted.assign(product=counted["ff_mean"] * counted["weight"])
    largest = ordered.sort_values("weight", ascending=False, kind="stable").groupby(_MUSCLE)
    joined = ordered.groupby(_MUSCLE, sort=False).agg(ff_mean=("product", "sum"))
    places = largest[["source", "row"]].first()
    return joined.join(places).reset_index()
