"""How many studies each diagnosis comes from: in one, its habits look like the disease."""

import numpy as np
import pandas as pd

from pipelines.diagnosis.cohort import Cohort

# Diagnoses that a sentence lists.
_MOST_LISTED = 12


def diagnosis_studies(cohort: Cohort, tested: Cohort | None = None) -> pd.DataFrame:
    """Count the studies of every diagnosis.

    Parameters
    ----------
    cohort : Cohort
        What was trained on.
    tested : Cohort, optional
        Those of its samples that were tested by ensembles without their study.

    Returns
    -------
    DataFrame
        One row per diagnosis: ``diagnosis``, ``studies`` (number), ``only_study`` (its name;
        missing if there are several), ``samples``, ``patients``, ``tested`` (samples).
    """
    study = cohort.native.samples["study"].to_numpy(dtype=object)
    counts = np.bincount(
        np.zeros(0, np.intp) if tested is None else tested.y, minlength=len(cohort.classes)
    )
    rows = []
    for k, name in enumerate(cohort.classes):
        own = cohort.y == k
        studies = np.unique(study[own].astype(str))
        rows.append(
            {
                "diagnosis": name,
                "studies": len(studies),
                "only_study": str(studies[0]) if len(studies) == 1 else None,
                "samples": int(own.sum()),
                "patients": len(np.unique(cohort.patients[own].astype(str))),
                "tested": int(counts[k]),
            }
        )
    return pd.DataFrame(rows)


def one_study_text(table: pd.DataFrame) -> str:
    """Name the diagnoses that occur in one study only, and what that means; empty if there is none.

    `table` is that of :func:`diagnosis_studies`.
    """
    single = table[table["studies"] == 1]
    if single.empty:
        return ""
    names = [f"{row.diagnosis} ({row.only_study})" for row in single.itertuples()]
    more = len(names) - _MOST_LISTED
    listed = ", ".join(names[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
    if len(single) == len(table):
        listed = f"each diagnosis: {listed}"
    return (
        f"In one study only: {listed}. Nothing tells whether a model knows these diseases or the "
        "habits of the study (its scale, the muscles it scored); their figures may not hold "
        "elsewhere."
    )
