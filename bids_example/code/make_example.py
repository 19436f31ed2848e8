"""Make the example dataset, or check that it is what this program makes.

python -m bids_example.code.make_example [--check] bids_example
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bids_example.code import descriptions
from bids_example.code.body import Scan
from bids_example.code.dataset_files import (
    same_content,
    write_json,
    write_nifti,
    write_table,
    write_text,
)
from bids_example.code.dixon_signal import MUSCLE_SIGNAL
from bids_example.code.example_people import ExamplePerson, ExampleSession, example_people
from bids_example.code.phantom import Phantom, make_phantom
from pipelines.anatomy.vocabulary import lookup_rows

# Consoles leave the fat fraction at 0 where there is next to no signal.
_FF_MAP_THRESHOLD = 0.1 * MUSCLE_SIGNAL

_TRUTH_FOLDER = Path("derivatives", "truth")


def make_dataset(root: Path) -> None:
    """Write the whole dataset, except ``code/``.

    Parameters
    ----------
    root : Path
        Folder of the dataset. Files of the same names are replaced.
    """
    people = example_people()
    write_json(root / "dataset_description.json", descriptions.DATASET)
    write_text(root / ".bidsignore", descriptions.BIDSIGNORE)
    write_text(root / "README", _readme(people))
    write_table(root / "participants.tsv", _participants(people))
    write_json(root / "participants.json", descriptions.PARTICIPANT_COLUMNS)
    truth_root = root / _TRUTH_FOLDER
    write_json(truth_root / "dataset_description.json", descriptions.TRUTH)
    write_text(truth_root / ".bidsignore", descriptions.TRUTH_BIDSIGNORE)
    write_text(truth_root / "README", descriptions.TRUTH_README)
    truths = []
    for person in people:
        for session in person.sessions:
            phantom = make_phantom(session.body, session.scan)
            _write_scan(root, person, session, phantom)
            _write_truth_labels(truth_root, person, session, phantom)
            truth = phantom.truth.copy()
            truth.insert(0, "participant", person.label)
            truth.insert(1, "session", session.label)
            truths.append(truth)
    write_table(truth_root / "truth_muscles.tsv", pd.concat(truths))
    write_json(truth_root / "truth_muscles.json", descriptions.TRUTH_COLUMNS)


def differences(root: Path) -> list[str]:
    """Compare a dataset with what this program makes.

    Parameters
    ----------
    root : Path
        Folder of the dataset.

    Returns
    -------
    list of str
        One line per file that is missing, different or not ours; ``code/`` is not looked at.
    """
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        make_dataset(fresh)
        wanted, found = _files(fresh), _files(root)
        lines = [f"{name}: missing" for name in wanted - found]
        lines += [f"{name}: not part of the dataset" for name in found - wanted]
        lines += [
            f"{name}: different content"
            for name in wanted & found
            if not same_content(fresh / name, root / name)
        ]
    return sorted(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; return the exit code (1: the check found differences)."""
    parser = argparse.ArgumentParser(prog="make_example", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the dataset")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    options = parser.parse_args(arguments)
    if not options.check:
        make_dataset(options.folder)
        print(f"Made {len(_files(options.folder))} files in {options.folder}.")
        return 0
    found = differences(options.folder)
    if found:
        print(f"{options.folder} is not what the program makes:", *found, sep="\n  ")
        print("Make it again: python -m bids_example.code.make_example", options.folder)
        return 1
    print(f"{options.folder} is what the program makes.")
    return 0


def _write_scan(
    root: Path, person: ExamplePerson, session: ExampleSession, phantom: Phantom
) -> None:
    images = {
        "water": phantom.water,
        "fat": phantom.fat,
        "ff_permille": _ff_permille(phantom.water, phantom.fat),
    }
    for suffix, content in person.files.items():
        stem = f"{_prefix(person, session)}_{suffix}"
        folder = root / _folder(person, session)
        write_nifti(folder / f"{stem}.nii.gz", images[content], phantom.affine)
        sidecar = {
            **descriptions.IMAGE_SIDECARS[content],
            "Manufacturer": "none: simulated",
            "SliceThickness": session.scan.spacing[2],
        }
        write_json(folder / f"{stem}.json", sidecar)


def _write_truth_labels(
    truth_root: Path, person: ExamplePerson, session: ExampleSession, phantom: Phantom
) -> None:
    stem = truth_root / _folder(person, session) / f"{_prefix(person, session)}_desc-muscles_dseg"
    write_nifti(stem.with_suffix(".nii.gz"), phantom.labels, phantom.affine)
    write_json(stem.with_suffix(".json"), descriptions.LABELS_SIDECAR)
    rows = lookup_rows(np.unique(phantom.labels).tolist())
    write_table(stem.with_suffix(".tsv"), pd.DataFrame(rows))


def _ff_permille(water: npt.NDArray[np.int16], fat: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Compute the fat fraction map of a console: permille, 0 where there is no signal."""
    total = water.astype(np.float64) + fat
    permille = np.zeros(total.shape)
    np.divide(1000.0 * fat, total, out=permille, where=total > _FF_MAP_THRESHOLD)
    return np.rint(permille).astype(np.int16)


def _prefix(person: ExamplePerson, session: ExampleSession) -> str:
    return f"sub-{person.label}" + (f"_ses-{session.label}" if session.label else "")


def _folder(person: ExamplePerson, session: ExampleSession) -> Path:
    of_session = [f"ses-{session.label}"] if session.label else []
    return Path(f"sub-{person.label}", *of_session, "mr-quant")


def _participants(people: list[ExamplePerson]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = [
        {"participant_id": f"sub-{p.label}", **p.columns, "diagnosis": "phantom"} for p in people
    ]
    return pd.DataFrame(rows)


def _readme(people: list[ExamplePerson]) -> str:
    scan = Scan()
    return descriptions.README.format(
        people="".join(f"- `sub-{p.label}`: {p.description}\n" for p in people),
        slices=scan.shape[2],
        thickness=scan.spacing[2],
        pixel=scan.spacing[0],
        snr=scan.snr,
    )


def _files(root: Path) -> set[str]:
    """List the dataset's files relative to its root, without ``code/``."""
    names = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    return {name for name in names if not name.startswith("code/")}


if __name__ == "__main__":
    raise SystemExit(main())
