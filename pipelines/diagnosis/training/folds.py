"""Folds that keep the samples of a patient together and every diagnosis on both sides."""

from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Index, Objects
from pipelines.errors import DataError


@dataclass(frozen=True)
class Split:
    """Rows of one fold to train on and to predict, ascending; no patient has rows in both."""

    train: Index
    test: Index


def grouped_folds(
    y: Index, groups: Objects, classes: tuple[str, ...], folds: int, seed: int
) -> list[Split]:
    """Split samples into stratified folds that keep each group (patient) together."""
    from sklearn.model_selection import StratifiedGroupKFold

    _check_patients(y, groups, classes, folds)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    splits = [Split(train, test) for train, test in splitter.split(y, y, groups)]
    for split in splits:
        missing = np.flatnonzero(np.bincount(y[split.train], minlength=len(classes)) == 0)
        if missing.size:
            raise DataError(
                f"All samples of {_names(classes, missing)} fall into one of {folds} folds, so "
                "nothing is left to learn from.",
                "Use fewer folds or another --seed, or leave the diagnosis out with a higher "
                "--minimum-samples.",
            )
    return splits


def _check_patients(y: Index, groups: Objects, classes: tuple[str, ...], folds: int) -> None:
    """Refuse a cohort whose classes can't be spread over the folds."""
    if len(classes) < 2:
        found = f"only {classes[0]}" if classes else "none"
        raise DataError(
            f"At least two diagnoses are needed, the cohort has {found}.",
            "Fill the column diagnosis of participants.tsv or lower --minimum-samples.",
        )
    few = [
        f"{name} ({patients})"
        for k, name in enumerate(classes)
        if (patients := len(set(groups[y == k]))) < folds
    ]
    if few:
        raise DataError(
            f"Fewer patients than the {folds} folds: {', '.join(few)}.",
            "Leave these diagnoses out with a higher --minimum-samples, or use fewer folds.",
        )


def _names(classes: tuple[str, ...], numbers: Index) -> str:
    """Return the names of some classes in a sentence."""
    return ", ".join(classes[k] for k in numbers)
