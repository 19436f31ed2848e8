"""What a session holds: stacks of scans that belong together.

Images that belong together form a *stack*: water and fat of one acquisition, the echoes of one
sequence. They share all entities of their names but ``part`` and ``echo``; what tells them apart
is their kind.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bids_app.dataset.naming import DEFAULT_PART, entity_keys
from bids_app.dataset.tree import natural_key
from bids_app.errors import AppError
from bids_app.files.sidecars import Metadata, merge_echoes, read_metadata
from bids_app.session_id import SessionId

# Kinds whose echoes may be one file each; of any other kind a stack has one file.
_MULTI_ECHO_KINDS = ("megre", "mese")


@dataclass(frozen=True)
class ScanFile:
    """One image file that has been recognized.

    `kind` is one of ``scan_kinds.tsv``, `echo` a label or empty; `entities` tell its stack from
    others of the session; `sidecars` are ordered from the root of the dataset inwards.
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
            If a sidecar cannot be read (:func:`bids_app.files.sidecars.read_metadata`).
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
    notes : tuple of str
        How it was put together, where its names alone do not say.
    """

    entities: Mapping[str, str]
    scans: Mapping[str, Scan]
    duplicates: Mapping[str, tuple[Path, ...]]
    notes: tuple[str, ...] = ()

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
    unreadable : AppError or None
        Why its folders cannot be read; then it has no stacks.
    """

    participant: str
    session: str | None
    stacks: tuple[Stack, ...]
    left_out: Mapping[Path, str]
    unreadable: AppError | None = None

    @property
    def id(self) -> SessionId:
        """Its labels, from which the names of its output files are made."""
        return SessionId(self.participant, self.session)


def group_stacks(files: Iterable[ScanFile]) -> tuple[Stack, ...]:
    """Gather the files of a session into stacks."""
    members: dict[tuple[tuple[str, str], ...], list[ScanFile]] = {}
    for file in files:
        members.setdefault(tuple(sorted(file.entities.items())), []).append(file)
    stacks = [_stack(group) for group in members.values()]
    return tuple(sorted(stacks, key=lambda stack: natural_key(stack.name)))


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
