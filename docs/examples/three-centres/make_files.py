#!/usr/bin/env python3
"""Write the files of three centres for docs/tutorial-three-centres.md. Nobody stands behind them.

``make_files.py OUT_DIR``

Patterns of muscles and severities are invented; the same program gives the same files.
"""

import argparse
import json
import random
from pathlib import Path
from typing import Any

# How much more (or less) fat a muscle has than the patient's others, in units of the severity.
PATTERNS = {
    "DMD": {"gluteus_maximus": 2, "adductor_magnus": 2, "vastus_lateralis": 1, "vastus_medialis": 1,
            "biceps_femoris_long_head": 1, "gracilis": -2, "sartorius": -2, "semitendinosus": -1},
    "SMA": {"rectus_femoris": 1, "vastus_lateralis": 2, "vastus_medialis": 2, "soleus": 1,
            "sartorius": 1, "adductor_magnus": -2, "gracilis": -1, "semitendinosus": -1},
    "DYSF": {"gastrocnemius_medial_head": 2, "soleus": 2, "semimembranosus": 2,
             "adductor_magnus": 1, "sartorius": -2, "gluteus_maximus": -1, "rectus_femoris": -2},
    "FSHD": {"tibialis_anterior": 2, "semimembranosus": 2, "semitendinosus": 2,
             "biceps_femoris_long_head": 1, "vastus_lateralis": -2, "gluteus_maximus": -1},
}  # fmt: skip
MUSCLES = (
    "gluteus_maximus", "sartorius", "rectus_femoris", "vastus_lateralis", "vastus_medialis",
    "adductor_magnus", "gracilis", "biceps_femoris_long_head", "semitendinosus",
    "semimembranosus", "tibialis_anterior", "gastrocnemius_medial_head", "soleus",
)  # fmt: skip
PATIENTS = {
    "london": {"DMD": 6, "BMD": 5, "SMA": 9, "DYSF": 9},
    "rome": {"Duchenne": 9, "SMA": 9, "DYSF": 8},
    "lyon": {"DMD": 9, "DYSF": 8, "FSHD": 12},
}
DISEASE = {"BMD": "DMD", "Duchenne": "DMD"}

# Headers of the spreadsheets, by the muscle they mean. GM means two muscles.
LONDON = {
    "GM": "gluteus_maximus", "SA": "sartorius", "RF": "rectus_femoris", "VL": "vastus_lateralis",
    "VM": "vastus_medialis", "AM": "adductor_magnus", "GR": "gracilis",
    "BFLH": "biceps_femoris_long_head", "ST": "semitendinosus", "SM": "semimembranosus",
    "TA": "tibialis_anterior", "SOL": "soleus",
}  # fmt: skip
ROME = {
    "SA": "sartorius", "RF": "rectus_femoris", "VL": "vastus_lateralis", "VM": "vastus_medialis",
    "AM": "adductor_magnus", "GR": "gracilis", "ST": "semitendinosus", "SM": "semimembranosus",
    "TA": "tibialis_anterior", "GM": "gastrocnemius_medial_head", "SOL": "soleus",
}  # fmt: skip
LYON = {name.replace("_", " "): name for name in MUSCLES}


class Patient:
    """A person who never was: label, diagnosis, sex, age and fat fractions by muscle and side."""

    def __init__(self, number: int, diagnosis: str, chance: random.Random) -> None:
        self.label = f"sub-{number:02d}"
        self.diagnosis = diagnosis
        disease = DISEASE.get(diagnosis, diagnosis)
        self.sex = "M" if disease == "DMD" else chance.choice("MF")
        self.age = chance.uniform(8, 20) if disease == "DMD" else chance.uniform(18, 65)
        severity = chance.uniform(20, 45)
        self.fat: dict[tuple[str, str], float] = {}
        for muscle in MUSCLES:
            shift = 12 * PATTERNS[disease].get(muscle, 0) + chance.gauss(0, 13)
            for side in "LR":
                fat = severity + shift + chance.gauss(0, 4)
                self.fat[muscle, side] = min(max(fat, 1.0), 98.0)

    def mean(self, muscle: str) -> float:
        """Return the fat fraction of both sides, percent."""
        return (self.fat[muscle, "L"] + self.fat[muscle, "R"]) / 2


def grade(fat: float) -> str:
    """Return the grade 0-4 of a fat fraction."""
    return str(sum(fat >= edge for edge in (10, 30, 55, 80)))


def main() -> None:
    """Write everything below the folder that is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out_dir", type=Path)
    out_dir = parser.parse_args().out_dir
    chance = random.Random(2026)
    centres = {
        name: [
            Patient(number, diagnosis, chance)
            for number, diagnosis in enumerate(
                (diagnosis for diagnosis, n in counts.items() for _ in range(n)), start=1
            )
        ]
        for name, counts in PATIENTS.items()
    }
    write_london(out_dir / "london", centres["london"])
    write_rome(out_dir / "rome", centres["rome"])
    write_lyon(out_dir / "lyon", centres["lyon"])
    write_readers(out_dir / "readers.tsv", centres, chance)
    write_new(out_dir / "new", chance)


def write_london(root: Path, patients: list[Patient]) -> None:
    """Grades 0-4 of both sides, tab-separated."""
    describe(root, "london")
    people = [[p.label, p.sex, f"{p.age:.1f}", p.diagnosis] for p in patients]
    write_table(root / "participants.tsv", ["participant_id", "sex", "age", "diagnosis"], people)
    header = [f"{name}_{side}" for name in LONDON for side in "LR"]
    rows = [
        [p.label, *(grade(p.fat[muscle, side]) for muscle in LONDON.values() for side in "LR")]
        for p in patients
    ]
    rows[-1][5] = "n/a"  # a muscle that could not be seen
    write_table(root / "phenotype" / "mri.tsv", ["participant_id", *header], rows)
    write_json(root / "phenotype" / "mri.json", {"Scale": "0-4"})


def write_rome(root: Path, patients: list[Patient]) -> None:
    """Fat fractions as a spreadsheet program exports them in Italy; ages in months, coded sexes."""
    describe(root, "rome")
    people = [
        [p.label, {"M": "1", "F": "2"}[p.sex], str(round(12 * p.age)), p.diagnosis]
        for p in patients
    ]
    write_table(root / "participants.tsv", ["participant_id", "sex", "age", "diagnosis"], people)
    described = {
        "age": {"Units": "months"},
        "sex": {"Levels": {"1": "male", "2": "female"}},
    }
    write_json(root / "participants.json", described)
    rows = [
        [p.label, *(f"{p.mean(muscle) / 100:.3f}".replace(".", ",") for muscle in ROME.values())]
        for p in patients
    ]
    write_table(root / "phenotype" / "mri.csv", ["participant_id", *ROME], rows, separator=";")
    write_json(root / "phenotype" / "mri.json", {"Scale": "FF", "Units": "fraction"})


def write_lyon(root: Path, patients: list[Patient]) -> None:
    """Grades 0-4, one per muscle for both sides together, under whole names."""
    describe(root, "lyon")
    people = [
        [p.label, p.sex, {"M": "man", "F": "woman"}[p.sex], f"{p.age:.1f}", p.diagnosis]
        for p in patients
    ]
    header = ["participant_id", "sex", "gender", "age", "diagnosis"]
    write_table(root / "participants.tsv", header, people)
    rows = [[p.label, *(grade(p.mean(muscle)) for muscle in LYON.values())] for p in patients]
    write_table(root / "phenotype" / "mri.tsv", ["participant_id", *LYON], rows)
    write_json(root / "phenotype" / "mri.json", {"Scale": "0-4"})


def write_readers(path: Path, centres: dict[str, list[Patient]], chance: random.Random) -> None:
    """Two readers who ranked diagnoses of the first cases of each diagnosis, right in most."""
    names = {"DMD": "dystrophinopathy"}
    rows = []
    for reader, skill in (("anna", 0.8), ("ben", 0.6)):
        for study, patients in centres.items():
            for patient in patients[::6]:
                truth = DISEASE.get(patient.diagnosis, patient.diagnosis)
                others = [name for name in PATTERNS if name != truth]
                chance.shuffle(others)
                ranks = [truth, *others] if chance.random() < skill else [*others[:1], truth]
                ranked = [names.get(name, name) for name in ranks[:2]]
                rows.append([reader, study, patient.label, *ranked])
    write_table(path, ["reader", "study", "participant_id", "rank1", "rank2"], rows)


def write_new(root: Path, chance: random.Random) -> None:
    """Two new patients of London without a diagnosis."""
    patients = [Patient(number, name, chance) for number, name in ((1, "SMA"), (2, "FSHD"))]
    for patient in patients:
        patient.diagnosis = "n/a"
    write_london(root, patients)


def describe(root: Path, centre: str) -> None:
    """Say that the people of a dataset are simulated."""
    content = {
        "Name": f"{centre}: simulated muscle scores, no real people",
        "BIDSVersion": "1.10.0",
        "License": "CC0",
    }
    write_json(root / "dataset_description.json", content)


def write_table(
    path: Path, header: list[str], rows: list[list[str]], separator: str = "\t"
) -> None:
    """Write a table as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(separator.join(row) + "\n" for row in [header, *rows]), "utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
