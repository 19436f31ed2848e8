#!/usr/bin/env python3
"""Write a simulated cohort of muscle scores as BIDS datasets, one per scale.

``tools/simulate_cohort.py OUT_DIR [--samples 2961] [--least-patients 1] [--seed 0]``

OUT_DIR gets folders like ``simulated-0-4`` with ``participants.tsv`` (sex, age, diagnosis) and
``phenotype/*.tsv`` (scores, with their scale in the JSON file beside it), ready for
``run.py ... group --study simulated-0-4=OUT_DIR/simulated-0-4``. Numbers, ages, sexes, sides and
scales follow table 1 of Verdu-Diaz et al. 2025; patterns and severities are invented.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from pipelines.diagnosis.simulation.score_files import ScoreFiles, score_files  # noqa: E402
from pipelines.diagnosis.simulation.simulate import (  # noqa: E402
    DIFFICULTY,
    PUBLISHED_SAMPLES,
    simulate_cohort,
)

README = """Simulated muscle scores. There are no patients behind them.

Made by tools/simulate_cohort.py of MyoMIDS with {arguments}. Numbers of samples, mean ages,
sexes, sides and scales follow table 1 of Verdu-Diaz et al. 2025 (doi:10.1002/jcsm.13815);
patterns of muscles and severities were written down for this simulation. What is learned from
these scores says nothing about real diseases.
"""

PARTICIPANT_COLUMNS = {
    "age": {"Description": "Simulated age at the first visit.", "Units": "year"},
    "sex": {"Description": "Simulated sex.", "Levels": {"F": "female", "M": "male"}},
    "diagnosis": {"Description": "Disease that was simulated: label in table 1 of the paper."},
    "site": {"Description": "Simulated study."},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate and write; 1 if a folder is already there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--samples", type=int, default=PUBLISHED_SAMPLES)
    parser.add_argument(
        "--least-patients", type=int, default=1, help="patients every disease has at least"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--difficulty", type=float, default=DIFFICULTY, help="how far patients stray from patterns"
    )
    given = parser.parse_args(arguments)
    options = {name: value for name, value in vars(given).items() if name != "out_dir"}
    datasets = score_files(simulate_cohort(**options))
    for name in datasets:
        if (given.out_dir / name).exists():
            print(f"{given.out_dir / name} is already there; choose another folder or remove it")
            return 1
    for name, dataset in datasets.items():
        write_dataset(given.out_dir / name, name, dataset, options)
        print(f"{given.out_dir / name}: {sum(map(len, dataset.scores.values()))} samples")
    return 0


def write_dataset(
    root: Path, name: str, dataset: ScoreFiles, options: dict[str, int | float]
) -> None:
    """Write one dataset."""
    (root / "phenotype").mkdir(parents=True)
    write_json(root / "dataset_description.json", description(name, options))
    arguments = ", ".join(f"{option} {value:g}" for option, value in options.items())
    (root / "README").write_text(README.format(arguments=arguments), encoding="utf-8")
    dataset.participants.to_csv(root / "participants.tsv", sep="\t", index=False, na_rep="n/a")
    write_json(root / "participants.json", PARTICIPANT_COLUMNS)
    for table_name, table in dataset.scores.items():
        path = root / "phenotype" / f"{table_name}.tsv"
        table.to_csv(path, sep="\t", index=False, na_rep="n/a")
        write_json(path.with_suffix(".json"), dataset.description)


def description(name: str, options: dict[str, int | float]) -> dict[str, Any]:
    """Return the content of ``dataset_description.json``."""
    return {
        "Name": f"{name}: simulated muscle scores, no real people",
        "BIDSVersion": "1.10.0",
        "DatasetType": "raw",
        "License": "CC0",
        "GeneratedBy": [{"Name": "simulate_cohort.py", "Parameters": options}],
    }


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
