"""Read a folder of label maps and complete them to thighs, some for training, some held out."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from pipelines.errors import DataError
from pipelines.files import atomic_file, sha256
from pipelines.geometry import to_canonical, voxel_sizes
from pipelines.progress import Progress
from pipelines.segmentation.synthesis.anatomy import Thigh, complete_thigh
from pipelines.segmentation.synthesis.label_cleaning import clean_label_map
from pipelines.segmentation.synthesis.tissues import MUSCLES

_STACKS = ("tissue", "pelvis", "depth")


# By default the person is the number in the name after the last word, as in
# Training_T1_THIGH_031_0002 or sub-031_dseg: maps of one person must not be on both sides.
SUBJECT_PATTERN = r"(?:sub-|THIGH_|HV)([A-Za-z0-9]+)"


@dataclass(frozen=True)
class TrainingSplit:
    """Label maps for training and held out, by file."""

    training: tuple[Path, ...]
    held_out: tuple[Path, ...]


def find_label_maps(folder: Path) -> list[Path]:
    """Return the NIfTI files of a folder, sorted.

    Raises
    ------
    DataError
        If there are none.
    """
    found = sorted(p for p in folder.glob("*.nii*") if p.name.endswith((".nii", ".nii.gz")))
    if not found:
        raise DataError(f"No .nii or .nii.gz label map in {folder}.", "Give the folder of maps.")
    return found


def subject_of(path: Path, pattern: str = SUBJECT_PATTERN) -> str:
    """Return the person a label map belongs to, taken from its name (or the whole name)."""
    match = re.search(pattern, path.name)
    return match.group(1) if match else path.name.split(".")[0]


def split_by_subject(
    paths: Sequence[Path], held_out: Iterable[str], pattern: str = SUBJECT_PATTERN
) -> TrainingSplit:
    """Hold out all label maps of some people.

    Parameters
    ----------
    paths : sequence of Path
        Label maps.
    held_out : iterable of str
        People (see :func:`subject_of`).
    pattern : str
        Regular expression whose first group is the person.

    Raises
    ------
    DataError
        If a person is unknown, or nothing is left to train on.
    """
    people = set(held_out)
    known = {subject_of(path, pattern) for path in paths}
    if unknown := sorted(people - known):
        raise DataError(
            f"No label map of the held-out people {', '.join(unknown)}.",
            f"People found: {', '.join(sorted(known))}.",
        )
    training = tuple(p for p in paths if subject_of(p, pattern) not in people)
    if not training:
        raise DataError("Every label map is held out.", "Hold out fewer people.")
    return TrainingSplit(training, tuple(p for p in paths if subject_of(p, pattern) in people))


def read_thigh(path: Path, seed: int) -> Thigh:
    """Read, clean and complete one label map."""
    image = nib.load(path)
    data, affine, _ = to_canonical(np.asanyarray(image.dataobj), image.affine)
    values = np.unique(data)
    if data.ndim != 3 or not np.isin(values, (0, *MUSCLES)).all() or values.max() == 0:
        raise DataError(
            f"{path} is not a volume of the labels 0-{MUSCLES[-1]}.",
            "Number the muscles as in pipelines/anatomy/labels/thigh11.tsv.",
        )
    x, y, z = (float(size) for size in voxel_sizes(affine))
    labels = clean_label_map(data.astype(np.uint8), (x, y, z))
    return complete_thigh(labels, (x, y, z), np.random.default_rng(seed))


def complete_all(
    paths: Sequence[Path],
    seeds: Sequence[int],
    cache: Path,
    progress: Progress | None = None,
) -> list[Thigh]:
    """Complete label maps, once per seed, keeping the results in a cache folder.

    Parameters
    ----------
    paths : sequence of Path
        Label maps.
    seeds : sequence of int
        Seeds of what the labels do not tell.
    cache : Path
        Folder of completed thighs; those of the same file content and seed are reused.
    progress : callable, optional
        Called with the number done and the number of all.
    """
    cache.mkdir(parents=True, exist_ok=True)
    jobs = [(path, seed) for seed in seeds for path in paths]
    thighs = []
    for done, (path, seed) in enumerate(jobs, start=1):
        content = sha256(path)[:16]
        stored = cache / f"{content}_{seed}.npz"
        if not stored.exists():
            save_thigh(read_thigh(path, seed), stored)
        thighs.append(load_thigh(stored))
        if progress is not None:
            progress(done, len(jobs))
    return thighs


def save_thigh(thigh: Thigh, path: Path) -> None:
    """Write a completed thigh to an ``.npz`` file."""
    stacks = {name: getattr(thigh, name).transpose(2, 0, 1) for name in _STACKS}
    with atomic_file(path) as stream:
        np.savez(
            stream,
            **stacks,
            level=thigh.level,
            midline=np.array(thigh.midline),
            native=thigh.native,
        )


def load_thigh(path: Path) -> Thigh:
    """Read a completed thigh; its sections are contiguous in memory, as the sampler reads them."""
    with np.load(path, allow_pickle=False) as stored:
        tissue, pelvis, depth = (stored[name].transpose(1, 2, 0) for name in _STACKS)
        return Thigh(
            tissue, pelvis, depth, stored["level"], float(stored["midline"]), stored["native"]
        )
