"""Which files of two folders, and which maps, belong to one scan.

BIDS-like names (``sub-*``) are matched by their entities: participant and session must be the
same, and of the others none may differ (``desc-`` and ``seg-`` say who made a file and do not
count). Other names must be equal but for their suffix: ``case1.nii.gz``, ``case1_dseg.nii.gz``
and ``case1_FF.nii.gz`` belong together.
"""

import glob
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bids_app.dataset.file_names import parse_name
from bids_app.dataset.label_maps import ONE_STRUCTURE
from bids_app.dataset.naming import entity_keys
from bids_app.dataset.sessions import FilesByFolder, inherited
from bids_app.dataset.tree import MOUNT_HINT, list_folder
from bids_app.errors import AppError, ExitCode
from pipelines.anatomy.label_maps import label_map_names

LABELS_SUFFIX = "dseg"

# Suffixes of the maps that are looked for in folders, by name of the biomarker.
MAP_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "FF": ("FF",),
    "T2": ("T2map", "T2"),
    "MTR": ("MTRmap", "MTR"),
}

_IMAGE_ENDINGS = (".nii.gz", ".nii")

# Entities that say who made a file, not which scan it belongs to.
_MAKER = frozenset({"desc", "segmentation"})


@dataclass(frozen=True)
class ScanImage:
    """An image and the scan it belongs to."""

    path: Path
    entities: Mapping[str, str]  # empty if the name is not BIDS-like
    case: str  # the same as text; for other names what stands before the suffix

    def fits(self, other: "ScanImage") -> bool:
        """Tell whether two images may be of the same scan."""
        if not (self.entities and other.entities):
            return self.case == other.case
        differing = {
            key
            for key in self.entities.keys() | other.entities.keys()
            if self.entities.get(key) != other.entities.get(key)
        }
        shared = self.entities.keys() & other.entities.keys()
        return not differing & (shared | {"subject", "session"})


@dataclass(frozen=True)
class Pairing:
    """Reference and evaluated label images of the same scans, and those without a counterpart."""

    pairs: Sequence[tuple[ScanImage, ScanImage]]
    unpaired: Sequence[Path]


def find_label_images(folder: Path) -> list[ScanImage]:
    """Find the label images in and below a folder.

    Those whose name ends with ``_dseg``; in a folder that has none, every image whose name is not
    BIDS-like and does not say that it is a map.
    """
    images = _images_below(folder)
    found = [image for path in images for image in [_read_name(path, (LABELS_SUFFIX,))] if image]
    if not found:
        maps = tuple(suffix for suffixes in MAP_SUFFIXES.values() for suffix in suffixes)
        plain = [p for p in images if not p.name.startswith("sub-") and not _read_name(p, maps)]
        found = [ScanImage(path, {}, _stem(path)) for path in plain]
    if not found:
        raise AppError(
            f"{folder} holds no label image.",
            ExitCode.INPUT_MISSING,
            "Label images are called *_dseg.nii.gz, or have names without entities that are the "
            "same in both folders.",
        )
    return found


def pair_label_images(reference: Sequence[ScanImage], evaluated: Sequence[ScanImage]) -> Pairing:
    """Pair the label images of two folders."""
    pairs = []
    used: dict[Path, Path] = {}
    for image in reference:
        match = best_match(image, evaluated)
        if match is None:
            continue
        if match.path in used:
            raise _ambiguous(match, [used[match.path], image.path])
        used[match.path] = image.path
        pairs.append((image, match))
    if not pairs:
        raise AppError(
            f"No label image of {_some(evaluated)} belongs to one of {_some(reference)}.",
            ExitCode.NOTHING_SELECTED,
            "Pairs have the same sub-, ses- and other entities, or the same file name.",
        )
    paired = {path for pair in used.items() for path in pair}
    unpaired = [i.path for i in (*reference, *evaluated) if i.path not in paired]
    return Pairing(pairs, unpaired)


def find_maps(biomarker: str, place: str) -> list[ScanImage]:
    """Find the maps of a biomarker in and below a folder, or by a file name pattern.

    A pattern has ``*`` (``**`` for any folders); in a folder, names end as ``MAP_SUFFIXES`` says.
    """
    if Path(place).is_dir():
        maps = maps_in(Path(place), biomarker)
    else:
        # Path.glob takes no absolute patterns.
        files = [Path(name) for name in sorted(glob.glob(place, recursive=True))]  # noqa: PTH207
        images = [path for path in files if path.name.endswith(_IMAGE_ENDINGS)]
        maps = [_read_map_name(path, biomarker) for path in images]
    if not maps:
        suffixes = MAP_SUFFIXES[biomarker]
        raise AppError(
            f"--map {biomarker}={place} finds no image.",
            ExitCode.INPUT_MISSING,
            f"Give a folder with {' or '.join(f'*_{s}.nii.gz' for s in suffixes)}, or a pattern "
            f"in quotes. {MOUNT_HINT}",
        )
    return maps


def maps_in(folder: Path, biomarker: str) -> list[ScanImage]:
    """Return the maps of a biomarker in and below a folder, recognized by their suffix."""
    found = [_read_name(path, MAP_SUFFIXES[biomarker]) for path in _images_below(folder)]
    return [image for image in found if image]


def best_match(image: ScanImage, candidates: Iterable[ScanImage]) -> ScanImage | None:
    """Return the candidate of the same scan; one with the very same entities wins."""
    fitting = [candidate for candidate in candidates if image.fits(candidate)]
    same = [candidate for candidate in fitting if candidate.entities == image.entities]
    best = same or fitting
    if len(best) > 1:
        raise _ambiguous(image, [candidate.path for candidate in best])
    return best[0] if best else None


def find_lookup(image: Path, folder: Path, chosen: str | None, option: str) -> Path | str:
    """Return what says the meaning of a label image's values; a `chosen` map or table wins."""
    if chosen is not None:
        return chosen if chosen in label_map_names() else Path(chosen)
    beside = image.with_name(f"{_stem(image)}.tsv")
    if beside.is_file():
        return beside
    relative = PurePosixPath(image.relative_to(folder).as_posix())
    files: FilesByFolder = {above: list_folder(folder / above).files for above in relative.parents}
    tables = inherited(relative, ".tsv", files) if image.name.startswith("sub-") else []
    if tables:
        return folder / tables[-1]
    raise AppError(
        f"Nothing says what the values of {image} mean.",
        ExitCode.BAD_DATA,
        f"Put a table with the columns index and name beside it ({_stem(image)}.tsv), or name a "
        f"label map: {option} {label_map_names()[0]} (run.py --list muscles).",
    )


def _images_below(folder: Path) -> list[Path]:
    """Return every NIfTI file in and below a folder, in natural order."""
    listing = list_folder(folder)
    images = [folder / name for name in listing.files if name.endswith(_IMAGE_ENDINGS)]
    return images + [image for name in listing.folders for image in _images_below(folder / name)]


def _read_name(path: Path, suffixes: Sequence[str]) -> ScanImage | None:
    """Read a file name if it has one of some suffixes and is of a whole scan."""
    name = parse_name(PurePosixPath(path.name))
    if "subject" in name.entities:
        wanted = name.suffix.casefold() in {suffix.casefold() for suffix in suffixes}
        whole = not ONE_STRUCTURE & name.entities.keys()
        return _from_entities(path, name.entities) if wanted and whole else None
    for suffix in suffixes:
        ending = f"_{suffix}".casefold()
        if _stem(path).casefold().endswith(ending):
            return ScanImage(path, {}, _stem(path)[: -len(ending)])
    return None


def _read_map_name(path: Path, biomarker: str) -> ScanImage:
    """Read the name of a file that was named as a map, whatever its suffix."""
    entities = parse_name(PurePosixPath(path.name)).entities
    if "subject" in entities:
        return _from_entities(path, entities)
    return _read_name(path, MAP_SUFFIXES[biomarker]) or ScanImage(path, {}, _stem(path))


def _from_entities(path: Path, entities: Mapping[str, str]) -> ScanImage:
    keys = entity_keys()
    of_scan = {key: value for key, value in entities.items() if key not in _MAKER}
    ordered = sorted(of_scan, key=lambda key: list(keys).index(key))
    case = "_".join(f"{keys[key]}-{of_scan[key]}" for key in ordered)
    return ScanImage(path, of_scan, case)


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".nii")


def _some(images: Sequence[ScanImage]) -> str:
    """Name a few files."""
    more = f" and {len(images) - 1} more" if len(images) > 1 else ""
    return f"{images[0].path}{more}"


def _ambiguous(image: ScanImage, paths: Sequence[Path]) -> AppError:
    return AppError(
        f"Several images fit {image.path}: {', '.join(str(path) for path in paths)}.",
        ExitCode.BAD_DATA,
        "Keep one of them in the folder, or tell the scans apart by an entity such as acq-.",
    )
