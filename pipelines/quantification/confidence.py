"""Put the segmentation's confidence beside the measurements it bears on."""

import pandas as pd

from pipelines.quantification.columns import Table, build_table

_KEYS = ["muscle", "side"]


def add_confidence(table: pd.DataFrame, confidence: pd.DataFrame) -> pd.DataFrame:
    """Fill the confidence columns of the per-muscle table.

    Parameters
    ----------
    table : DataFrame
        From :func:`pipelines.quantification.table.muscle_table`.
    confidence : DataFrame
        ``muscle``, ``side`` and confidence columns, one row per muscle and side, e.g. from
        :func:`pipelines.segmentation.confidence.muscle_confidence`.

    Returns
    -------
    DataFrame
        A new table with the same rows in the same order; groups have no confidence.
    """
    columns = [name for name in confidence.columns if name not in _KEYS]
    joined = table.drop(columns=columns).merge(
        confidence, on=_KEYS, how="left", validate="many_to_one"
    )
    joined.loc[joined["level"] == "group", columns] = float("nan")
    return build_table(Table.MUSCLES, joined)
