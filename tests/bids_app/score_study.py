"""A small dataset of scores read by people, for tests of the group level."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

MUSCLES = ("vastus_lateralis", "gracilis", "semitendinosus", "soleus")

# Four people, scored 0-4 on both sides; the third has no score of soleus.
PEOPLE = (
    ("sub-01", "F", "34", "DYSF"),
    ("sub-02", "M", "41", "DYSF"),
    ("sub-03", "F", "n/a", "DMD"),
    ("sub-04", "n/a", "8", "n/a"),
)
SCORES = (
    ("1", "2", "0", "0", "3", "3", "2", "2"),
    ("4", "4", "1", "0", "2", "3", "1", "1"),
    ("0", "0", "0", "0", "1", "1", "n/a", "n/a"),
    ("2", "2", "4", "4", "3", "3", "0", "1"),
)


def score_text() -> str:
    """Return the table of scores."""
    header = ["participant_id", *(f"{m}_{side}" for m in MUSCLES for side in "LR")]
    return _text(header, [(person[0], *row) for person, row in zip(PEOPLE, SCORES, strict=True)])


def people_text() -> str:
    """Return the table of participants."""
    return _text(["participant_id", "sex", "age", "diagnosis"], PEOPLE)


def write_study(
    root: Path,
    scores: str | bytes | None = None,
    sidecar: Mapping[str, object] | str | None = None,
    people: str | bytes | None = None,
) -> Path:
    """Write the dataset; texts that are given take the place of the sound ones."""
    (root / "phenotype").mkdir(parents=True, exist_ok=True)
    described = {"Name": "A small study", "BIDSVersion": "1.10.0"}
    (root / "dataset_description.json").write_text(json.dumps(described))
    _write(root / "phenotype" / "mri.tsv", score_text() if scores is None else scores)
    about = {"Scale": "0-4"} if sidecar is None else sidecar
    text = about if isinstance(about, str) else json.dumps(about)
    _write(root / "phenotype" / "mri.json", text)
    _write(root / "participants.tsv", people_text() if people is None else people)
    return root


def _text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "".join("\t".join(row) + "\n" for row in (header, *rows))


def _write(path: Path, content: str | bytes) -> None:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
