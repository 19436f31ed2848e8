"""What the values of a label image mean: from a table, or from the names a model gives them."""

import logging
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from pipelines.anatomy.label_names import match_name
from pipelines.anatomy.vocabulary import Label, LabelSide, muscles
from pipelines.errors import DataError
from pipelines.files import open_file
from pipelines.package_data import package_text
from pipelines.text_table import read_text_rows

_SIDES: Mapping[str, LabelSide] = {
    "left": "left",
    "right": "right",
    "both": "both",
    "n/a": "both",
    "": "both",
}
_COLUMNS_HINT = (
    "A label map is a TSV file with the columns value, label, muscle, side, or index, name and "
    "maybe muscle and side. Muscles are those of run.py --list muscles (n/a for what is not to be "
    "measured); sides are left, right or both."
)

logger = logging.getLogger(__name__)


def label_map_names() -> list[str]:
    """Return the names of the label maps that come with the package."""
    folder = files("pipelines.anatomy") / "labels"
    return sorted(p.name.removesuffix(".tsv") for p in folder.iterdir() if p.name.endswith(".tsv"))


def read_label_map(name_or_path: str) -> list[Label]:
    """Read how a model or another tool numbers its labels.

    Parameters
    ----------
    name_or_path : str
        A name from :func:`label_map_names`, or the path of a table as :func:`labels_from_table`
        takes it.

    Returns
    -------
    list of Label
        In the order of the file.

    Raises
    ------
    DataError
        If the file cannot be read; as :func:`labels_from_table`.
    """
    if name_or_path in label_map_names():
        text = package_text(__package__, f"labels/{name_or_path}.tsv")
        return labels_from_table(text, name_or_path)
    try:
        with open_file(Path(name_or_path)) as stream:
            text = stream.read().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"The label map {name_or_path} cannot be read: {error}.",
            f"Give a TSV file or one of: {', '.join(label_map_names())}.",
        ) from error
    return labels_from_table(text, name_or_path)


def labels_from_table(text: str, source: str) -> list[Label]:
    """Read a table of label values.

    Parameters
    ----------
    text : str
        Tab-separated, with a column ``index`` (BIDS) or ``value`` and a column ``name`` or
        ``label``. A column ``muscle`` holds our name, ``n/a`` for a structure that is not measured;
        without it, muscle and side are recognized by name (:func:`~.label_names.match_name`). A
        column ``side`` holds ``left``, ``right`` or ``both``.
    source : str
        The file, for messages.

    Returns
    -------
    list of Label
        In the order of the file. Names that are not recognized have no muscle; a warning names
        them.

    Raises
    ------
    DataError
        If the table is malformed, names a value twice, an unknown muscle or side, or no muscle.
    """
    labels = [_label(row, f"{source}, line {line}") for line, row in read_text_rows(text, source)]
    values = [label.value for label in labels]
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise DataError(f"{source} names a value twice: {repeated}.", _COLUMNS_HINT)
    if not any(label.muscle for label in labels):
        raise DataError(f"{source} names no muscle that is known here.", _COLUMNS_HINT)
    return labels


def labels_from_names(values: Mapping[str, int], source: str) -> list[Label]:
    """Build a label map from label names.

    Parameters
    ----------
    values : mapping of str to int
        Label names and their values, as in nnU-Net's ``dataset.json``. ``background`` and
        ``ignore`` are left out.
    source : str
        Where the names come from, for the error message.

    Returns
    -------
    list of Label
        In order of value.

    Raises
    ------
    DataError
        If a name is not recognized, or none of them is a muscle.
    """
    named = {name: value for name, value in values.items() if name.lower() not in _NO_STRUCTURES}
    matches = {name: match_name(name) for name in sorted(named, key=lambda name: named[name])}
    hint = f"Give a label map. {_COLUMNS_HINT}"
    unknown = [f"{name!r} ({named[name]})" for name, match in matches.items() if match is None]
    if unknown:
        raise DataError(f"Unknown label names in {source}: {', '.join(unknown)}.", hint)
    labels = [Label(named[name], name, *match) for name, match in matches.items() if match]
    if not any(label.muscle for label in labels):
        raise DataError(f"No label in {source} is a muscle.", hint)
    return labels


_NO_STRUCTURES = {"background", "ignore"}


def _label(row: Mapping[str, str], where: str) -> Label:
    """Read one row of a table of label values."""
    number, name = row.get("index", row.get("value")), row.get("name", row.get("label"))
    if number is None or name is None:
        raise DataError(f"{where}: there is no column index and name.", _COLUMNS_HINT)
    try:
        value = int(number)
    except ValueError as error:
        raise DataError(f"{where}: index {number!r} is no whole number.", _COLUMNS_HINT) from error
    if "muscle" not in row:
        recognized = match_name(name)
        if recognized is None:
            logger.warning("%s: %r is not a muscle that is known here; not measured.", where, name)
        return Label(value, name, *(recognized or (None, "both")))
    muscle, side = row["muscle"], _SIDES.get(row.get("side", ""))
    if muscle in ("", "n/a"):
        return Label(value, name, None, side or "both")
    if muscle not in muscles() or side is None:
        raise DataError(
            f"{where}: unknown muscle {muscle!r} or side {row.get('side')!r}.", _COLUMNS_HINT
        )
    return Label(value, name, muscle, side)
