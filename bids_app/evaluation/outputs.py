"""Write what an evaluation found: tables with their descriptions, figures, a few lines of log."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bids_app.evaluation.bland_altman import QUANTITIES, bland_altman_svg
from bids_app.files.provenance import generated_by
from bids_app.files.tables import table_text
from bids_app.running.logs import LOGGER
from pipelines.files import write_json, write_text
from pipelines.segmentation.evaluation.tables import ALL, EvaluationTables, summary_table


def write_evaluation(output_dir: Path, muscles: pd.DataFrame, origin: Mapping[str, Any]) -> None:
    """Write the table of muscles, its summary and the figures, each file at once.

    `origin` says in the JSON files what was compared; files of an earlier evaluation are replaced.
    """
    summary = summary_table(muscles)
    origin = {"GeneratedBy": [generated_by()], **origin}
    for table, frame in ((EvaluationTables.MUSCLES, muscles), (EvaluationTables.SUMMARY, summary)):
        path = output_dir / f"evaluation_{table.value}.tsv"
        write_text(path, table_text(frame))
        write_json(path.with_suffix(".json"), {**table.columns, **origin})
    for quantity in QUANTITIES:
        path = output_dir / f"bland_altman_{quantity.key}.svg"
        figure = bland_altman_svg(muscles, quantity)
        if figure is not None:
            write_text(path, figure)
        else:
            # One of an earlier evaluation would not belong to the tables.
            path.unlink(missing_ok=True)
    _log_result(summary[summary["scope"] == ALL])


def _log_result(overall: pd.DataFrame) -> None:
    """Say the result in a few lines."""
    for row in overall.to_dict("records"):
        spread = f" ± {row['sd']:.3g}" if row["n"] > 1 else ""
        LOGGER.info("%s: %.3g%s (n = %d)", row["metric"], row["mean"], spread, row["n"])
    if len(overall):
        LOGGER.info(
            "absent: %(n_absent)d of %(n_reference)d muscles (%(absence_rate).2f %%)",
            overall.to_dict("records")[0],
        )
    else:
        LOGGER.warning("No muscle is in both the reference and the evaluated labels.")
