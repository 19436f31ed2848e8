"""What a MIDS or BIDS tree holds: Dataset -> Session -> Stack -> Scan.

A ``BIDSLayout`` of pybids is not made, on purpose: it walks whole datasets, stops at the first
damaged sidecar anywhere, and takes entities from the folders above the dataset too (in
``/data/ses-2019/mids`` every file would be of session 2019).
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from bids_app.dataset.file_names import parse_name
from bids_app.dataset.filters import Filters
from bids_app.dataset.labels import enumerate_labels
from bids_app.dataset.naming import DEFAULT_PART, normalize_suffix, rule_for
from bids_app.dataset.scans import ScanFile, Session, group_stacks
from bids_app.dataset.series_pairing import pair_series
from bids_app.dataset.tree import (
    PARTICIPANT_PREFIX,
    SESSION_PREFIX,
    check_root,
    labels_in,
    list_folder,
    scan_folders,
    session_files,
)
from bids_app.errors import AppError, ExitCode
from bids_app.session_id import SessionId

logger = logging.getLogger(__name__)

# Entities that do not tell one stack of a session from another.
_SHARED_ENTITIES = frozenset({"subject", "session", "part", "echo"})

_FILTERED = "the filter file excludes it"

FilesByFolder = Mapping[PurePosixPath, Sequence[str]]


class Dataset:
    """A MIDS or BIDS dataset.

    Opening it lists the root and nothing else; the folders of a participant are listed when a
    session of that participant is asked for.

    Parameters
    ----------
    root : Path
        Folder that holds the ``sub-*`` folders.

    Attributes
    ----------
    root : Path
        As given.
    misnamed : tuple of str
        ``sub-*`` folders whose label is not a BIDS label; they are not participants.

    Raises
    ------
    AppError
        ``INPUT_MISSING`` or ``INVALID_DATASET``, with the root that was probably meant.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        listing = check_root(root)
        labels, misnamed = labels_in(listing.folders, PARTICIPANT_PREFIX)
        if not labels:
            raise AppError(
                f"No participant folder of {root} has a usable name: {enumerate_labels(misnamed)}.",
                ExitCode.INVALID_DATASET,
                "After sub- only letters, digits and '+' are allowed; rename folders and files.",
            )
        self.misnamed = tuple(misnamed)
        self._participants = labels
        self._root_files = listing.files

    def participants(self) -> list[str]:
        """Return the labels of all participants, in natural order."""
        return list(self._participants)

    def session_labels(self, participant: str) -> list[str | None]:
        """Return the sessions of a participant; None stands for scans outside ``ses-*``."""
        folder = self.root / f"{PARTICIPANT_PREFIX}{participant}"
        listing = list_folder(folder)
        labels, misnamed = labels_in(listing.folders, SESSION_PREFIX)
        for name in misnamed:
            logger.warning(
                "%s is left out: a session label holds letters, digits and '+' only.", folder / name
            )
        return [None, *labels] if scan_folders(listing) or not labels else [*labels]

    def select(
        self, participants: Iterable[str] = (), sessions: Iterable[str] = ()
    ) -> list[SessionId]:
        """Choose sessions by label.

        Parameters
        ----------
        participants, sessions : iterable of str
            Labels without prefix; none means all.

        Returns
        -------
        list of SessionId
            In natural order.

        Raises
        ------
        AppError
            ``NOTHING_SELECTED`` for labels the dataset does not have, with those it has.
        """
        wanted_participants, wanted_sessions = list(participants), set(sessions)
        self._check_known(wanted_participants)
        chosen: list[SessionId] = []
        seen: dict[str | None, bool] = {}
        for participant in wanted_participants or self._participants:
            try:
                labels = self.session_labels(participant)
            except AppError:  # it fails by itself when its turn comes, and the others go on
                chosen.append(SessionId(participant))
                seen |= dict.fromkeys(wanted_sessions, True)
                continue
            for session in labels:
                seen[session] = True
                if not wanted_sessions or session in wanted_sessions:
                    chosen.append(SessionId(participant, session))
        unknown = sorted(wanted_sessions - set(seen))
        if unknown:
            there = [session for session in seen if session is not None]
            raise AppError(
                f"No selected participant has the session(s) {enumerate_labels(unknown)}.",
                ExitCode.NOTHING_SELECTED,
                f"Sessions there are: {enumerate_labels(there)}."
                if there
                else "These participants have no ses-* folders; leave out --session-label.",
            )
        return chosen

    def sessions(
        self,
        participants: Iterable[str] = (),
        sessions: Iterable[str] = (),
        filters: Filters | None = None,
    ) -> Iterator[Session]:
        """Read what the selected sessions hold, one after the other.

        Labels are checked before the first session is read; then sessions stream, so that a
        cohort of any size needs no more memory than one session.

        Parameters
        ----------
        participants, sessions : iterable of str
            Labels without prefix; none means all.
        filters : Filters, optional
            Narrows which scans are used.

        Yields
        ------
        Session
            Every selected session, also those without usable scans or with unreadable folders
            (then `left_out` says why).

        Raises
        ------
        AppError
            ``NOTHING_SELECTED`` for unknown labels, or at the end if `filters` left no scan in
            any session.
        """
        return self._stream(self.select(participants, sessions), filters)

    def session(self, session: SessionId, filters: Filters | None = None) -> Session:
        """Read what one session holds."""
        found, left_out = [], {}
        files_by_folder = self._files(session)
        for image in images_in(files_by_folder, session.folder):
            outcome = self._recognize(image, files_by_folder, filters)
            if isinstance(outcome, ScanFile):
                found.append(outcome)
            else:
                left_out[self.root / image] = outcome
        by_filter = filters is not None and filters.names_run_of_both
        stacks = pair_series(group_stacks(found), filtered=by_filter)
        return Session(session.participant, session.session, stacks, left_out)

    def images(self, session: SessionId) -> list[PurePosixPath]:
        """Return all images of a session, relative to the root, whatever their names."""
        return images_in(self._files(session), session.folder)

    def _files(self, session: SessionId) -> FilesByFolder:
        return {
            PurePosixPath("."): self._root_files,
            **session_files(self.root, PurePosixPath(session.folder)),
        }

    def _stream(self, chosen: list[SessionId], filters: Filters | None) -> Iterator[Session]:
        kept = excluded = False
        for identifier in chosen:
            session = self._session_or_reason(identifier, filters)
            kept = kept or bool(session.stacks)
            excluded = excluded or _FILTERED in session.left_out.values()
            yield session
        if excluded and not kept:
            raise AppError(
                "The filter file leaves no scan in any selected session.",
                ExitCode.NOTHING_SELECTED,
                "Run with --dry-run and without --bids-filter-file to see which scans there are.",
            )

    def _session_or_reason(self, session: SessionId, filters: Filters | None) -> Session:
        """Read a session; if its folders cannot be read, say so in it and let the others go on."""
        try:
            return self.session(session, filters)
        except AppError as error:
            left_out = {self.root / session.folder: error.message}
            return Session(session.participant, session.session, (), left_out, error)

    def _check_known(self, participants: list[str]) -> None:
        unknown = sorted(set(participants) - set(self._participants))
        if unknown:
            raise AppError(
                f"{self.root} has no participant(s) {enumerate_labels(unknown)}.",
                ExitCode.NOTHING_SELECTED,
                f"Participants there are: {enumerate_labels(self._participants)}.",
            )

    def _recognize(
        self, image: PurePosixPath, files_by_folder: FilesByFolder, filters: Filters | None
    ) -> ScanFile | str:
        """Return an image as a scan, or the reason why it is none."""
        name = parse_name(image)
        rule = rule_for(name.suffix)
        part = name.entities.get("part", DEFAULT_PART)
        shared = _SHARED_ENTITIES
        kind = filters.renamed_kind(name) if filters is not None else None
        if filters is not None and kind is not None:
            fixed = filters.fixed_entities(kind)
            shared, part = shared | fixed, DEFAULT_PART if "part" in fixed else part
        elif rule is None:
            return "its name is not one we know"
        elif rule.kind is None:
            return rule.note or "not used"
        else:
            kind, part = rule.kind, rule.part or part
        if name.datatype is None:
            return "it is in no folder for MR scans such as mr-anat or mr-quant"
        if filters is not None and not filters.accepts(kind, name):
            return _FILTERED
        return ScanFile(
            path=self.root / image,
            kind=kind,
            part=part,
            echo=name.entities.get("echo", ""),
            entities={key: v for key, v in name.entities.items() if key not in shared},
            sidecars=tuple(self.root / p for p in inherited(image, ".json", files_by_folder)),
        )


def images_in(files_by_folder: FilesByFolder, session_folder: Path) -> list[PurePosixPath]:
    """Return the NIfTI images in and below the folder of a session."""
    return [
        folder / name
        for folder, names in files_by_folder.items()
        if folder.is_relative_to(session_folder)
        for name in names
        if _is_image(name)
    ]


def inherited(
    image: PurePosixPath, extension: str, files_by_folder: FilesByFolder
) -> list[PurePosixPath]:
    """Return the sidecars or look-up tables that apply to an image, by BIDS inheritance.

    A file applies if it lies in a folder on the way from the root to the image, has the image's
    suffix, and no entity that the image lacks. BIDS expects one in each folder; of several, which
    real datasets have, all apply but those of other images, and the nearest in name comes last.

    Parameters
    ----------
    image : PurePosixPath
        Image, relative to the dataset.
    extension : str
        ``.json`` or ``.tsv``.
    files_by_folder : Mapping
        Names of the files in each folder, relative to the dataset.

    Returns
    -------
    list of PurePosixPath
        From the root inwards; the last one is nearest to the image.
    """
    name = parse_name(image)
    ending = normalize_suffix(name.suffix) + extension
    applicable = []
    for folder in reversed(image.parents):
        here = [
            (len(candidate.entities), folder / file)
            for file in files_by_folder.get(folder, ())
            if normalize_suffix(file).endswith(ending)
            for candidate in [parse_name(folder / file)]
            if normalize_suffix(candidate.suffix) == normalize_suffix(name.suffix)
            and candidate.entities.items() <= name.entities.items()
        ]
        images = {_stem(file) for file in files_by_folder.get(folder, ()) if _is_image(file)}
        in_order = [path for _, path in sorted(here)]
        applicable += [path for path in in_order[:-1] if _stem(path.name) not in images]
        applicable += in_order[-1:]
    return applicable


def _is_image(name: str) -> bool:
    return name.endswith((".nii", ".nii.gz"))


def _stem(name: str) -> str:
    return name.partition(".")[0]
