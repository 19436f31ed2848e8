"""What a session holds, and which of its scans fat fractions are computed from.

Images that belong together form a *stack*: water and fat of one acquisition, the echoes of one
sequence. They share all entities of their names but ``part`` and ``echo``; what tells them apart
is their kind.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bids_app.derivatives import SessionId
from bids_app.naming import DEFAULT_PART, entity_keys, spellings
from bids_app.sidecars import Metadata, merge_echoes, read_metadata
from bids_app.tree import natural_key

# Kinds whose echoes may be one file each; of any other kind a stack has one file.
_MULTI_ECHO_KINDS = ("megre", "mese")

# Magnitude images that show the body, best first.
_SIGNAL_KINDS = ("in_phase", "opposed_phase", "water", "fat")

# How many unused images a message names.
_MOST_NAMED = 5


@dataclass(frozen=True)
class ScanFile:
    """One image file that has been recognized.

    Attributes
    ----------
    path : Path
        The image.
    kind : str
        ``water``, ``fat``, ``ff``, ``megre``, ...: a kind of ``data/scan_kinds.tsv``.
    part : str
        ``mag``, ``phase``, ``real`` or ``imag``.
    echo : str
        Label of the echo, empty if the name has none.
    entities : Mapping of str to str
        Entities that tell its stack from others of the session.
    sidecars : tuple of Path
        Sidecars that apply, from the root of the dataset inwards.
    """

    path: Path
    kind: str
    part: str
    echo: str
    entities: Mapping[str, str]
    sidecars: tuple[Path, ...]

    @property
    def key(self) -> str:
        """Key of the scan in its stack: the kind, and the part unless it is the magnitude."""
        return self.kind if self.part == DEFAULT_PART else f"{self.kind}_{self.part}"


@dataclass(frozen=True)
class Scan:
    """One image: a file, or several if each holds one echo.

    Attributes
    ----------
    files : tuple of ScanFile
        In the order of their echoes.
    """

    files: tuple[ScanFile, ...]

    @property
    def kind(self) -> str:
        """What the scan is, e.g. ``water``."""
        return self.files[0].kind

    @property
    def part(self) -> str:
        """``mag``, ``phase``, ``real`` or ``imag``."""
        return self.files[0].part

    @property
    def path(self) -> Path:
        """The image, or the first of its echoes."""
        return self.files[0].path

    @property
    def paths(self) -> tuple[Path, ...]:
        """All its image files."""
        return tuple(file.path for file in self.files)

    @cached_property
    def metadata(self) -> Metadata:
        """What its sidecars say; read on first use.

        Raises
        ------
        AppError
            If a sidecar cannot be read (:func:`bids_app.sidecars.read_metadata`).
        """
        return merge_echoes([read_metadata(file.sidecars, file.path) for file in self.files])


@dataclass(frozen=True)
class Stack:
    """Scans of one acquisition.

    Attributes
    ----------
    entities : Mapping of str to str
        Entities, by long name, that tell it from other stacks of the session.
    scans : Mapping of str to Scan
        By kind (``water``); scans that are not magnitudes by kind and part (``megre_phase``).
    duplicates : Mapping of str to tuple of Path
        Files that claim to be the same scan; none of them is in `scans`.
    """

    entities: Mapping[str, str]
    scans: Mapping[str, Scan]
    duplicates: Mapping[str, tuple[Path, ...]]

    @property
    def name(self) -> str:
        """Its entities as in file names, e.g. ``acq-thigh_run-2``; empty if it has none."""
        keys = entity_keys()
        return "_".join(f"{keys[e]}-{self.entities[e]}" for e in keys if e in self.entities)


@dataclass(frozen=True)
class Session:
    """A participant's session with what was found in it.

    Attributes
    ----------
    participant : str
        Label without ``sub-``.
    session : str or None
        Label without ``ses-``; None where the dataset has no sessions.
    stacks : tuple of Stack
        In natural order of their names.
    left_out : Mapping of Path to str
        Images that are in no stack, with the reason.
    """

    participant: str
    session: str | None
    stacks: tuple[Stack, ...]
    left_out: Mapping[Path, str]

    @property
    def id(self) -> SessionId:
        """Its labels, from which the names of its output files are made."""
        return SessionId(self.participant, self.session)


@dataclass(frozen=True)
class WaterFatPair:
    """Water and fat images: fat fraction is computed."""

    water: Scan
    fat: Scan

    @property
    def scans(self) -> tuple[Scan, ...]:
        """All scans that are used."""
        return (self.water, self.fat)


@dataclass(frozen=True)
class FatFractionMap:
    """A fat fraction map made by the scanner or other software.

    Attributes
    ----------
    fat_fraction : Scan
        The map.
    signal : Scan or None
        A magnitude image of the same acquisition, in which the body is easier to find.
    """

    fat_fraction: Scan
    signal: Scan | None = None

    @property
    def scans(self) -> tuple[Scan, ...]:
        """All scans that are used."""
        return (self.fat_fraction,) if self.signal is None else (self.fat_fraction, self.signal)


@dataclass(frozen=True)
class EchoSeries:
    """Raw gradient echoes: water and fat are separated.

    Attributes
    ----------
    first, second : Scan, Scan or None
        Magnitude and phase, or real and imaginary part; `second` is None if only the magnitude
        was kept.
    """

    first: Scan
    second: Scan | None = None

    @property
    def scans(self) -> tuple[Scan, ...]:
        """All scans that are used."""
        return (self.first,) if self.second is None else (self.first, self.second)


Inputs = WaterFatPair | FatFractionMap | EchoSeries


@dataclass(frozen=True)
class Unusable:
    """Why a stack cannot be processed, and what to do about it."""

    reason: str
    hint: str


def group_stacks(files: Iterable[ScanFile]) -> tuple[Stack, ...]:
    """Gather the files of a session into stacks."""
    members: dict[tuple[tuple[str, str], ...], list[ScanFile]] = {}
    for file in files:
        members.setdefault(tuple(sorted(file.entities.items())), []).append(file)
    stacks = [_stack(group) for group in members.values()]
    return tuple(sorted(stacks, key=lambda stack: natural_key(stack.name)))


def select_inputs(stack: Stack) -> Inputs | Unusable:
    """Choose the scans of a stack that its fat fractions come from.

    Water and fat are preferred to a fat fraction map, because the map hides noise and swaps, and
    finished maps to raw echoes, because the site chose how to make them.

    Returns
    -------
    WaterFatPair, FatFractionMap, EchoSeries or Unusable
        ``Unusable`` tells a person what is lacking.
    """
    scans = stack.scans
    if "water" in scans and "fat" in scans:
        return WaterFatPair(scans["water"], scans["fat"])
    for kind in ("water", "fat", "ff"):
        if kind in stack.duplicates:
            names = " and ".join(path.name for path in stack.duplicates[kind])
            return Unusable(
                f"Several files claim to be its {kind} image: {names}.",
                "Tell them apart with acq- or run- in their names, or choose one with "
                "--bids-filter-file.",
            )
    if "ff" in scans:
        signals = [scans[kind] for kind in _SIGNAL_KINDS if kind in scans]
        return FatFractionMap(scans["ff"], signals[0] if signals else None)
    if "megre" in scans:
        return EchoSeries(scans["megre"], scans.get("megre_phase"))
    if "megre_real" in scans and "megre_imag" in scans:
        return EchoSeries(scans["megre_real"], scans["megre_imag"])
    return _lacking(scans)


def unusable_reason(session: Session) -> str | None:
    """Say why no fat fraction can be computed in a session; None if one can."""
    outcomes = {stack.name: select_inputs(stack) for stack in session.stacks}
    lacking = {name: o.reason for name, o in outcomes.items() if isinstance(o, Unusable)}
    if len(lacking) < len(outcomes):
        return None
    if lacking:
        return " ".join(f"{name}: {why}" if name else why for name, why in lacking.items())
    if not session.left_out:
        return (
            "There are no images in its folder; if this is a DataLad dataset, fetch them: "
            f"datalad get {session.id.folder}."
        )
    named = [f"{path.name} ({why})" for path, why in session.left_out.items()]
    more = len(named) - _MOST_NAMED
    end = f" and {more} more" if more > 0 else ""
    return f"None of its images is used: {', '.join(named[:_MOST_NAMED])}{end}."


def _stack(files: Sequence[ScanFile]) -> Stack:
    by_key: dict[str, list[ScanFile]] = {}
    for file in files:
        by_key.setdefault(file.key, []).append(file)
    scans, duplicates = {}, {}
    for key, same in by_key.items():
        if len(same) == 1 or _are_echoes(same):
            scans[key] = Scan(tuple(sorted(same, key=lambda file: natural_key(file.echo))))
        else:
            duplicates[key] = tuple(file.path for file in same)
    return Stack(files[0].entities, scans, duplicates)


def _are_echoes(files: Sequence[ScanFile]) -> bool:
    """Tell whether files of one kind are the echoes of one scan."""
    labels = {file.echo for file in files}
    return files[0].kind in _MULTI_ECHO_KINDS and "" not in labels and len(labels) == len(files)


def _lacking(scans: Mapping[str, Scan]) -> Unusable:
    """Say what is lacking in a stack without a pair or a fat fraction map."""
    if "water" in scans or "fat" in scans:
        there, lacking = ("water", "fat") if "water" in scans else ("fat", "water")
        return Unusable(
            f"It has a {there} image ({scans[there].path.name}) but no {lacking} image.",
            f"Names read as {lacking}, in any case: {', '.join(spellings(lacking))}.",
        )
    parts = [key for key in ("megre_phase", "megre_real", "megre_imag") if key in scans]
    if parts:
        return Unusable(
            f"It has {scans[parts[0]].path.name} but neither the magnitude of these echoes nor "
            "both real and imaginary part.",
            "Add the magnitude (..._MEGRE.nii.gz).",
        )
    if "in_phase" in scans or "opposed_phase" in scans:
        return Unusable(
            "In- and opposed-phase images do not say which of water and fat is which.",
            "Add the water and fat images.",
        )
    return Unusable(
        f"It holds no Dixon images, only: {', '.join(sorted(scans)) or 'several of one name'}.",
        "Add water and fat images or a fat fraction map; docs/input.md lists their names.",
    )
