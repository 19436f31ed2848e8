"""Label maps that other people made, found in derivative folders.

A folder given with ``--derivatives NAME=PATH`` holds ``sub-*[/ses-*]/.../*_dseg.nii.gz``. What
the values mean stands in a table beside the image (``*_dseg.tsv``, or one ``dseg.tsv`` for all by
BIDS inheritance); without a table, NAME must be one of the label maps that come with the app
(``run.py --list muscles``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bids_app.dataset.file_names import parse_name
from bids_app.dataset.naming import FileName
from bids_app.dataset.scans import Session, Stack
from bids_app.dataset.sessions import FilesByFolder, images_in, inherited
from bids_app.dataset.tree import MOUNT_HINT, list_folder, session_files
from bids_app.errors import AppError, ExitCode, as_app_errors
from bids_app.files.reading import read_text
from pipelines.anatomy.label_maps import label_map_names, labels_from_table, read_label_map
from pipelines.anatomy.vocabulary import Label

# Entities of a label map that do not say which scan it belongs to.
_OWN_ENTITIES = frozenset({"subject", "session", "desc", "segmentation"})

# Whole-image label maps have none of these: they mark masks of one structure or surface.
ONE_STRUCTURE = frozenset({"label", "hemi"})

# Files that a message names at most.
_MOST_NAMED = 5

# If several label maps fit a scan, this description is the one meant: it is our own.
_PREFERRED_DESC = "muscles"


@dataclass(frozen=True)
class LabelMap:
    """A label image and the meaning of its values.

    Attributes
    ----------
    image : Path
        The label image.
    lookup : Path or str
        Table that names the values, or the name of a label map that comes with the app.
    derivative : str
        Name under which its folder was given.
    """

    image: Path
    lookup: Path | str
    derivative: str


def find_label_map(
    derivatives: Mapping[str, Path], session: Session, stack: Stack
) -> LabelMap | None:
    """Find the label map of a stack.

    Participant and session must be the same; of the other entities the label map may name fewer
    than the scan, but none that differs.

    Parameters
    ----------
    derivatives : Mapping of str to Path
        Folders by name; the first that has a fitting label map wins.
    session : Session
        The session.
    stack : Stack
        One of its stacks.

    Returns
    -------
    LabelMap or None
        None if no folder has one.

    Raises
    ------
    AppError
        ``INPUT_MISSING`` if a folder is absent; ``BAD_DATA`` if several label maps fit equally
        well, or if nothing says what the values mean.
    """
    for name, root in derivatives.items():
        if not root.is_dir():
            raise AppError(
                f"The derivatives folder {name}={root} does not exist.",
                ExitCode.INPUT_MISSING,
                f"Check the path. {MOUNT_HINT}",
            )
        if not (root / session.id.folder).is_dir():
            continue
        files: FilesByFolder = {
            PurePosixPath("."): list_folder(root).files,
            **session_files(root, PurePosixPath(session.id.folder)),
        }
        images = images_in(files, session.id.folder)
        image = _best([i for i in images if _fits(parse_name(i), session, stack)], root)
        if image is not None:
            return LabelMap(root / image, _lookup(image, files, name, root), name)
    return None


def read_lookup(lookup: Path | str) -> list[Label]:
    """Read what the values of a label image mean.

    Parameters
    ----------
    lookup : Path or str
        A table as :func:`pipelines.anatomy.label_maps.labels_from_table` takes it, or the name of a
        label map that comes with the app.

    Returns
    -------
    list of Label
        Structures that are no muscles we know have no ``muscle``; a warning names them.

    Raises
    ------
    AppError
        ``BAD_DATA`` if the table is malformed or names no muscle we know.
    """
    with as_app_errors():
        if isinstance(lookup, str):
            return read_label_map(lookup)
        return labels_from_table(read_text(lookup), str(lookup))


def unused_label_maps(derivatives: Mapping[str, Path], session: Session, stack: Stack) -> str:
    """Say which images lie in a session's folder without being its label map.

    Parameters
    ----------
    derivatives : Mapping of str to Path
        Folders by name, none of which has a label map of the stack.
    session, stack : Session, Stack
        What has none.

    Returns
    -------
    str
        A sentence that names the images and what to call them, with a space after it; empty if
        there are none.
    """
    images = [
        root / image
        for root in derivatives.values()
        if (root / session.id.folder).is_dir()
        for image in images_in(
            session_files(root, PurePosixPath(session.id.folder)), session.id.folder
        )
    ]
    if not images:
        return ""
    named = ", ".join(str(image) for image in images[:_MOST_NAMED])
    more = f" and {len(images) - _MOST_NAMED} more" if len(images) > _MOST_NAMED else ""
    parts = [session.id.name, stack.name, f"desc-{_PREFERRED_DESC}_dseg.nii.gz"]
    wanted = "_".join(part for part in parts if part)
    return f"Not read as a label map: {named}{more}; call the one that is meant {wanted}. "


def _fits(name: FileName, session: Session, stack: Stack) -> bool:
    """Tell whether a file is a label map of a stack."""
    entities = name.entities
    return (
        _is_label_map_of(name.suffix, stack)
        and entities.get("subject") == session.participant
        and entities.get("session") == session.session
        and not ONE_STRUCTURE & entities.keys()
        and _scan_entities(name).items() <= stack.entities.items()
    )


def _is_label_map_of(suffix: str, stack: Stack) -> bool:
    """Tell a label map by its suffix; MuscleMap writes ``_dseg`` after the name of its input."""
    inputs = {
        parse_name(PurePosixPath(path)).suffix for s in stack.scans.values() for path in s.paths
    }
    return suffix == "dseg" or suffix in {f"{one}_dseg" for one in inputs}


def _scan_entities(name: FileName) -> dict[str, str]:
    return {key: value for key, value in name.entities.items() if key not in _OWN_ENTITIES}


def _best(images: Sequence[PurePosixPath], root: Path) -> PurePosixPath | None:
    """Return the label map that shares most entities with the scan."""
    if not images:
        return None
    names = {image: parse_name(image) for image in images}
    most = max(len(_scan_entities(name)) for name in names.values())
    best = [image for image in images if len(_scan_entities(names[image])) == most]
    preferred = [i for i in best if names[i].entities.get("desc") == _PREFERRED_DESC] or best
    if len(preferred) > 1:
        raise AppError(
            f"Several label maps in {root} fit one scan: {', '.join(i.name for i in preferred)}.",
            ExitCode.BAD_DATA,
            f"Keep one, or name it desc-{_PREFERRED_DESC}.",
        )
    return preferred[0]


def _lookup(image: PurePosixPath, files: FilesByFolder, derivative: str, root: Path) -> Path | str:
    """Return what says the meaning of a label image's values."""
    suffix = parse_name(image).suffix
    plain = image.with_name(image.name.replace(f"_{suffix}.", "_dseg."))
    tables = inherited(plain, ".tsv", files) + inherited(image, ".tsv", files)
    if tables:
        return root / tables[-1]
    if derivative in label_map_names():
        return derivative
    raise AppError(
        f"Nothing says what the values of {root / image} mean.",
        ExitCode.BAD_DATA,
        f"Put a table with the columns index and name beside it ({image.name.split('.')[0]}.tsv), "
        f"or name a known label map: --derivatives {label_map_names()[0]}={root}.",
    )
