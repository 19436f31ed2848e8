"""Where every number comes from: dataset description, sidecar provenance, citations."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from bids_app.errors import AppError, ExitCode
from bids_app.files.derivatives import BIDSIGNORE
from bids_app.files.sidecars import read_json_file
from bids_app.options.settings import INPUT_NAME, Settings
from bids_app.version import __version__
from pipelines.files import read_json, write_json, write_text
from pipelines.package_data import package_yaml


@dataclass(frozen=True)
class Citation:
    """A work to cite, and which results rest on it."""

    id: str
    when: Literal["always", "segmentation", "group"]
    text: str
    doi: str


@cache
def citations() -> Sequence[Citation]:
    """Return every work a result may rest on."""
    return [Citation(**entry) for entry in package_yaml(__package__, "citations.yaml")]


# Data that are not of a person say so at the top of the page.
DataOrigin = Literal["", "phantom", "simulated"]


@dataclass(frozen=True)
class RunInfo:
    """How the results were made.

    Attributes
    ----------
    software : str
        Name of the software.
    version : str
        Its version.
    created : str
        When the page was made, ISO 8601.
    data_origin : {'', 'phantom', 'simulated'}
        Not empty if the data are not of a person.
    """

    software: str
    version: str
    created: str = ""
    data_origin: DataOrigin = ""


BIDS_VERSION = "1.10.0"

# Packages whose version can change a number.
_NUMERIC_PACKAGES = (
    "nibabel",
    "nnunetv2",
    "numpy",
    "openvino",
    "pandas",
    "scikit-image",
    "scipy",
    "SimpleITK",
    "torch",
)

# The same for the group level.
GROUP_PACKAGES = (
    "numpy",
    "optuna",
    "pandas",
    "scikit-learn",
    "scipy",
    "xgboost-cpu",
)

_CITATION = """\
# How to cite

These results were made with MyoMIDS {version}, research software that is not a medical device.
Please cite the software and the methods it rests on:

{works}

The model and the exact settings of a result stand in the JSON sidecar next to it.
"""

_README = """\
# Per-muscle fat fractions

Made by MyoMIDS {version} from the dataset that dataset_description.json names. Research software,
not a medical device.

Open sub-*.html for the report of a session. Tables (*_stats.tsv, *_profile.tsv) are described
column by column in the JSON file beside each. logs/ holds the log and settings of every run and
the reason of every failed session. CITATION.md says what to cite.
"""


def generated_by() -> dict[str, Any]:
    """Return this software as an entry of ``GeneratedBy``."""
    entry: dict[str, Any] = {"Name": "MyoMIDS", "Version": __version__}
    tag = os.environ.get("MYOMIDS_CONTAINER_TAG")
    if tag:
        entry["Container"] = {
            "Type": os.environ.get("MYOMIDS_CONTAINER_TYPE", "docker"),
            "Tag": tag,
        }
    return entry


def _citation() -> str:
    """Return the text of CITATION.md."""
    works = "\n".join(f"- {work.text} doi:{work.doi}" for work in citations())
    return _CITATION.format(version=__version__, works=works)


def run_info(settings: Settings) -> RunInfo:
    """Return how results were made, for the report.

    The data are called phantom or simulated if the name of the dataset or its description says
    so.
    """
    return RunInfo(
        software="MyoMIDS",
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        data_origin=data_origin(settings.bids_dir),
    )


def data_origin(dataset: Path) -> DataOrigin:
    """Tell from the description of a dataset whether its data are phantom or simulated.

    One that is there and cannot be read is an error (:func:`~.sidecars.read_json_file`): data of
    phantoms are never taken for those of people.
    """
    description = dataset / "dataset_description.json"
    content = read_json_file(description) if description.exists() else {}
    name = str(content.get("Name", "") if isinstance(content, dict) else "").lower()
    if "phantom" in name:
        return "phantom"
    return "simulated" if "simulated" in name else ""


def software_versions(packages: Iterable[str] = _NUMERIC_PACKAGES) -> dict[str, str]:
    """Return the versions of Python and of every package that can change a number.

    Parameters
    ----------
    packages : iterable of str
        Those of the participant level if not given.
    """
    versions = {"Python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def bids_uri(path: Path, dataset_root: Path, dataset_name: str = INPUT_NAME) -> str:
    """Name an input file as a BIDS URI, which holds no folder of the machine."""
    return f"bids:{dataset_name}:{path.relative_to(dataset_root).as_posix()}"


def refuse_other_results(settings: Settings) -> None:
    """Refuse an output folder with another dataset, or results of another version.

    Raises
    ------
    AppError
        ``CANNOT_CREATE`` as :func:`write_dataset_files`, which writes.
    """
    description = settings.output_dir / "dataset_description.json"
    if description.exists():
        _read_description(description, overwrite=settings.overwrite)


def write_dataset_files(settings: Settings) -> None:
    """Write the files that describe the output dataset, or check that they are ours.

    A description that is there stays as it is (unless everything is overwritten); folders that
    it does not link to yet are added, so that every BIDS URI in the dataset can be followed.

    Raises
    ------
    AppError
        ``CANNOT_CREATE`` if the folder holds another dataset, or results of another version.
    """
    description = settings.output_dir / "dataset_description.json"
    links = _links(settings)
    described = description.exists()
    if described:
        existing = _read_description(description, overwrite=settings.overwrite)
        known = existing.get("DatasetLinks") or {}
        if not settings.overwrite:
            if not links.keys() <= known.keys():
                write_json(description, {**existing, "DatasetLinks": {**links, **known}})
            return
        links = {**known, **links}
    content = {
        "Name": "MyoMIDS: per-muscle fat fractions",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [generated_by()],
        "SourceDatasets": [{"URL": _relative(settings.bids_dir, settings.output_dir)}],
        "DatasetLinks": links,
        "HowToAcknowledge": "See CITATION.md.",
    }
    texts = {
        ".bidsignore": "\n".join(BIDSIGNORE) + "\n",
        "README.md": _README.format(version=__version__),
        "CITATION.md": _citation(),
    }
    for name, text in texts.items():
        # Files that were there before any description of ours can be somebody else's.
        if described or not (settings.output_dir / name).exists():
            write_text(settings.output_dir / name, text)
    # Last: where it stands, the others do too.
    write_json(description, content)


def _read_description(path: Path, *, overwrite: bool) -> dict[str, Any]:
    """Read it; refuse somebody else's dataset and results of another version."""
    hint = "Choose a new output folder."
    description: dict[str, Any] = {}
    try:
        description = read_json(path)
        ours = [g for g in description["GeneratedBy"] if g.get("Name") == "MyoMIDS"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        ours = []
    if not ours:
        raise AppError(
            f"{path} describes a dataset that MyoMIDS did not make.", ExitCode.CANNOT_CREATE, hint
        )
    if ours[0].get("Version") != __version__ and not overwrite:
        raise AppError(
            f"The results in {path.parent} were made by MyoMIDS {ours[0].get('Version')}; "
            f"this is {__version__}. Versions are not mixed in one dataset.",
            ExitCode.CANNOT_CREATE,
            f"{hint[:-1]}, or recompute all participants with --overwrite.",
        )
    return description


def _links(settings: Settings) -> dict[str, str]:
    folders = {INPUT_NAME: settings.bids_dir, **settings.derivatives, **settings.study}
    return {name: _relative(folder, settings.output_dir) for name, folder in folders.items()}


def _relative(folder: Path, start: Path) -> str:
    """Name a folder as a URI relative to the output: absolute paths can name people."""
    return quote(Path(os.path.relpath(folder, start)).as_posix())
