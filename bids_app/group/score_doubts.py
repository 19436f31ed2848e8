"""What should be known about gathered scores before they are used: sentences for log and page."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bids_app.dataset.labels import enumerate_labels

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.harmonization.scores.score_table import ScoreTable


def unscored_rows(text: "pd.DataFrame", table: "ScoreTable", source: str) -> list[str]:
    """Name the rows of a file (index ``line``) that hold no score: they become no sample."""
    bare = sorted(set(text.index) - set(table.scores["row"]))
    if not bare:
        return []
    return [
        f"{source}: {len(bare)} row(s) hold no score and are left out: row "
        f"{enumerate_labels(map(str, bare))}."
    ]


def undescribed_people(
    participants: Iterable[str], people: "pd.DataFrame | None", source: str
) -> list[str]:
    """Name participants that ``participants.tsv`` lacks, perhaps for a label like 1 for 01."""
    if people is None:
        return []
    unknown = sorted(set(participants) - set(people["participant"]))
    if not unknown:
        return []
    return [
        f"{source}: {len(unknown)} participant(s) are not in participants.tsv, so it tells no sex, "
        f"age or diagnosis of them: {enumerate_labels(unknown)}."
    ]


def contradictions(samples: "pd.DataFrame") -> list[str]:
    """Name patients who have several diagnoses or sexes in different samples."""
    sentences = []
    for column in ("diagnosis", "sex"):
        kinds = samples.groupby("patient", sort=True)[column].nunique()
        several = kinds.index[kinds > 1]
        if len(several):
            sentences.append(
                f"{len(several)} patient(s) have more than one {column} in their samples: "
                f"{enumerate_labels(several)}."
            )
    return sentences


def similar_diagnoses(diagnoses: Iterable[str]) -> list[str]:
    """Name diagnoses that differ in case, spaces or punctuation only: they count as different."""
    spellings: dict[str, set[str]] = {}
    for name in diagnoses:
        plain = "".join(filter(str.isalnum, name.casefold()))
        spellings.setdefault(plain, set()).add(name)
    return [
        f"Diagnoses that may be one are taken as different: {', '.join(sorted(names))}."
        for names in spellings.values()
        if len(names) > 1
    ]
