"""Say which slices of a scan do not show the part of the body they are measured as."""

from itertools import groupby

import numpy as np
import pandas as pd

from pipelines.anatomy.vocabulary import SIDES
from pipelines.arrays import Index
from pipelines.quality import Check
from pipelines.segmentation.review.body_parts import LEAST_LIKENESS
from pipelines.water_fat.quality import COUNTING

_NAME = "body_part"

# Mean likeness of the slices that were found to show the part. Label maps of 28 thighs, judged by
# references from other people, and the bundled model's labels of thighs have 0.67 to 0.87, those of
# a pair of calves 0.67.
LEAST_MEAN_LIKENESS = 0.68


def check_body_part(parts: pd.DataFrame, region: str, *, removed_ml: float | None) -> Check:
    """Judge how much of what is labelled shows the part of the body it should."""
    inside = parts["part"] == region
    if parts.empty:
        return Check(_NAME, "pass", "Nothing is labelled.", None, "1", LEAST_MEAN_LIKENESS)
    if not inside.any():
        mean = _mean_likeness(parts)
        text = (
            f"In no slice are the labels arranged as in a {region}. Was another body region "
            "scanned, or the wrong model chosen? Do not use the values."
        )
        return Check(_NAME, "fail", text, mean, "1", LEAST_LIKENESS)
    mean = _mean_likeness(parts[inside])
    if inside.all():
        if mean >= LEAST_MEAN_LIKENESS:
            text = f"In every slice the labels are arranged as in a {region}."
            return Check(_NAME, "pass", text, mean, "1", LEAST_MEAN_LIKENESS)
        text = (
            f"The labels are hardly arranged as in a {region}. Was another body region scanned? "
            "Look at the outlines."
        )
        return Check(_NAME, "warn", text, mean, "1", LEAST_MEAN_LIKENESS)
    where = "; ".join(
        f"{side}: slices {_runs(parts.loc[(parts['side'] == side) & ~inside, 'slice'].to_numpy())}"
        for side in SIDES
        if ((parts["side"] == side) & ~inside).any()
    )
    done = (
        "they are counted all the same"
        if removed_ml is None
        else f"{removed_ml:.0f} ml were removed there and are not measured"
    )
    text = (
        f"Labels of {region} muscles lie where the body is no {region} ({where} {COUNTING}); "
        f"{done}. Look at the outlines."
    )
    return Check(_NAME, "warn", text, mean, "1", LEAST_MEAN_LIKENESS)


def _mean_likeness(parts: pd.DataFrame) -> float:
    return float(np.average(parts["likeness"], weights=parts["area_cm2"]))


def _runs(slices: Index) -> str:
    """Write slice numbers as ranges: ``0-3, 27-56``."""
    numbers = sorted(int(k) for k in slices)
    runs = []
    for _, group in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in group]
        runs.append(f"{members[0]}-{members[-1]}" if len(members) > 1 else str(members[0]))
    return ", ".join(runs)
