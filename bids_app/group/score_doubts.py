"""What should be known about gathered scores before they are used: sentences for log and page."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bids_app.dataset.labels import enumerate_labels

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.harmonization.scores.score_table import ScoreTable

# Among so many scores of patients at least one is of a normal muscle, as a rule.
_ENOUGH_SCORES = 50


def columns_set_aside(text: "pd.DataFrame", described: Mapping[str, Any], source: str) -> list[str]:
    """Name columns that were not read for another of the same meaning, and units of no column."""
    from pipelines.harmonization.scores.column_roles import columns_by_role, set_aside
    from pipelines.harmonization.scores.described import unused_units

    aside = set_aside(text, columns_by_role(text, source))
    sentences = [
        f"{source}: column {other} is not read, because column {used} means the same and is the "
        "one that BIDS defines."
        for other, used in aside.items()
    ]
    if unused := unused_units(described, [str(column) for column in text]):
        sentences.append(
            f"{source}: its JSON file gives units of columns it does not have: "
            f"{enumerate_labels(unused)}."
        )
    return sentences


def without_gender(
    text: "pd.DataFrame", roles: Mapping[str, str], source: str
) -> "tuple[pd.DataFrame, list[str]]":
    """Leave out a column of sexes that BIDS does not define, where participants.tsv has one."""
    column = roles.get("sex", "sex")
    if column.strip().lower() == "sex":
        return text, []
    sentence = f"{source}: column {column} is not read, because participants.tsv gives the sex."
    return text.drop(columns=column), [sentence]


def told_twice(table: "ScoreTable", people: "pd.DataFrame", source: str) -> list[str]:
    """Name samples whose table and participants.tsv do not agree on sex or diagnosis."""
    bare = replace(table, samples=table.samples.assign(sex=None, diagnosis=None))
    other = bare.with_people(people).samples
    sentences = []
    for column in ("diagnosis", "sex"):
        own = table.samples[column]
        differs = own.notna() & other[column].notna() & (own != other[column])
        if differs.any():
            sentences.append(
                f"{source}: {differs.sum()} sample(s) have another {column} here than in "
                "participants.tsv; the one here is used: "
                f"{enumerate_labels(map(str, own.index[differs]))}."
            )
    return sentences


def full_names(
    datasets: Iterable[Mapping[str, str]], diagnoses: Iterable[str]
) -> tuple[dict[str, str], list[str]]:
    """Join full names of diagnoses; name those that datasets do not mean the same by."""
    found: dict[str, dict[str, None]] = {}
    for names in datasets:
        for short, long in names.items():
            found.setdefault(short, {})[long] = None
    sentences = [
        f"Diagnosis {short} has several full names, and counts as one: {'; '.join(found[short])}."
        for short in sorted(set(diagnoses))
        if len(found.get(short, {})) > 1
    ]
    return {short: list(long)[-1] for short, long in found.items()}, sentences


def noisy_fat_fractions(scores: "pd.DataFrame", source: str) -> list[str]:
    """Name fat fractions that lie outside 0 to 100 %, but not far."""
    from pipelines.harmonization.scores.score_units import outside_percent

    outside = scores[outside_percent(scores)]
    if outside.empty:
        return []
    first = outside.iloc[0]
    return [
        f"{source}: {len(outside)} fat fraction(s) lie a little outside 0 to 100 %, as noise can "
        f"put them, and are used as they are; the first: row {first['row']}, column "
        f"{first['column']}, {first['score']:.4g} %."
    ]


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
    """Name diagnoses that differ in case, spaces or punctuation only: they count as different.

    Numbers are named too: they are codes, which each study may use for another diagnosis.
    """
    from pipelines.harmonization.scores.people import is_code

    spellings: dict[str, set[str]] = {}
    for name in diagnoses:
        plain = "".join(filter(str.isalnum, name.casefold()))
        spellings.setdefault(plain, set()).add(name)
    sentences = [
        f"Diagnoses that may be one are taken as different: {', '.join(sorted(names))}."
        for names in spellings.values()
        if len(names) > 1
    ]
    if codes := sorted(filter(is_code, spellings)):
        sentences.append(
            f"Diagnoses that are numbers count as the same in all studies: {', '.join(codes)}. Say "
            "in participants.json below diagnosis and Levels what they mean."
        )
    return sentences


def missing_lowest_grades(scores: "pd.DataFrame") -> list[str]:
    """Name tables that never use the lowest grade of their scale: perhaps it is another scale."""
    from pipelines.harmonization.scores.scales import scales

    sentences = []
    graded = scores[["source", "scale", "score"]].astype({"source": str, "scale": str})
    for (source, name), rows in graded.groupby(["source", "scale"], sort=True):
        scale, given = scales()[str(name)], set(rows["score"])
        if not scale.grades or len(rows) < _ENOUGH_SCORES or min(given) <= scale.lowest:
            continue
        others = [
            other.name
            for other in scales().values()
            if other.lowest == min(given) and given <= set(other.grades)
        ]
        fits = f" They fit scale {' or '.join(others)}." if others else ""
        sentences.append(
            f"{source}: scale {name} is stated, but none of {len(rows)} scores is "
            f"{scale.lowest:g}, which normal muscle would have; they go from {min(given):g} to "
            f"{max(given):g}.{fits} With the wrong scale all muscles look more or less diseased "
            "than they are."
        )
    return sentences


def likely_duplicates(table: "ScoreTable") -> tuple[list[str], list[str]]:
    """Say which samples of different patients may be of one person under two labels.

    Returns the sentences with the samples' names, and without, for texts that leave the house with
    a model.
    """
    from pipelines.harmonization.duplicates import MOST_SAMPLES, find_duplicates
    from pipelines.harmonization.scaling import scale_to_percent, side_mean
    from pipelines.harmonization.scores.native import to_native

    if len(table.samples) > MOST_SAMPLES:
        sentence = (
            f"Patients who stand under two labels were not looked for: {len(table.samples)} "
            f"samples are more than {MOST_SAMPLES}."
        )
        return [sentence], [sentence]
    native = to_native(table)
    percent = scale_to_percent(native.values, native.samples["scale"].to_numpy(dtype=object))
    pairs = find_duplicates(native.samples, side_mean(percent))
    if not pairs:
        return [], []
    listed = enumerate_labels(f"{first} = {second}" for first, second in pairs)
    named, nameless = (
        f"{len(pairs)} pair(s) of samples of different patients have equal scores and may be of "
        f"one person under two labels{which}. A model would be tested on patients it was "
        "trained on; give each person one patient_id in all studies, or leave the copies out."
        for which in (f": {listed}", "")
    )
    return [named], [nameless]
