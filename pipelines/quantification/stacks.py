"""One fat fraction per muscle and side of a session that was scanned in several stacks."""

import pandas as pd


def join_stacks(rows: pd.DataFrame) -> pd.DataFrame:
    """Join rows of per-muscle tables that tell about parts of the same muscle.

    Parameters
    ----------
    rows : DataFrame
        Columns ``muscle``, ``side``, ``ff_mean`` (percent, not missing), ``volume_ml``, ``source``
        and ``row``: the muscle rows of every stack of a session.

    Returns
    -------
    DataFrame
        One row per muscle and side, in order of first appearance. ``ff_mean`` is the mean weighted
        by the volumes of the parts; ``source`` and ``row`` are those of the largest part.
    """
    ordered = rows.sort_values("volume_ml", ascending=False, kind="stable")
    weighted = ordered.assign(product=ordered["ff_mean"] * ordered["volume_ml"])
    joined = weighted.groupby(["muscle", "side"], sort=False).agg(
        product=("product", "sum"),
        volume_ml=("volume_ml", "sum"),
        source=("source", "first"),
        row=("row", "first"),
    )
    joined["ff_mean"] = joined["product"] / joined["volume_ml"]
    order = pd.MultiIndex.from_frame(rows[["muscle", "side"]].drop_duplicates())
    return joined.drop(columns="product").reindex(order).reset_index()
