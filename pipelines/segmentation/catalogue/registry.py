"""The register of segmentation models: what is known of each, and the checksums we trust.

``registry.json`` beside this file lists the bundled model and the public ones. A site can add its
own models with a second file of the same form. Nothing here imports torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pipelines.errors import ModelError
from pipelines.files import read_json, schema_error
from pipelines.package_data import package_json

Format = Literal["nnunetv2", "label_map"]
Normalization = Literal["nnunet", "dixon_joint"]

_PACKAGE = "pipelines.segmentation"
_FORM_HINT = "docs/models.md shows an entry; tools/register_model.py fills in checksums."


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """One model of a registry file.

    Attributes
    ----------
    name, version, title : str
        Identifier, version of the weights, one line for people.
    region : str
        Body region the model is made for.
    format : {'nnunetv2', 'label_map'}
        ``label_map``: another framework's model. It cannot be run here, but the label maps it
        makes can be read.
    labels : str
        Label map (see :func:`pipelines.anatomy.label_maps.read_label_map`).
    channels : tuple of tuple of str
        For each input channel the image kinds it takes, best first.
    missing_channels : bool
        Whether the model was trained to do without some of its channels.
    normalization : {'nnunet', 'dixon_joint'}
        ``nnunet``: as the plans say; ``dixon_joint``:
        :func:`pipelines.segmentation.channels.normalize_dixon` first.
    configuration : str or None
        nnU-Net configuration; None to read it from the checkpoint.
    spacing_mm : tuple of float or None
        Voxel size the network works at, for people; the plans decide.
    orientation : str or None
        Axis codes (nibabel) of the arrays it was trained on; None if nobody has stated them, then
        RAS is assumed and said so.
    limb_pair : bool
        Whether it was trained on images of both limbs only. A single limb is then shown to it
        beside its mirror image.
    neighbour_weight : float
        What the logits of the slice above and of the slice below count beside those of a slice;
        for two-dimensional models.
    bf16_verified : bool
        Whether labels in bfloat16 were found equal (Dice >= 0.995) to those in float32.
    licence, attribution : str
        Terms of the weights, and who made them from what.
    bundled : bool
        Whether the weights come with this software.
    path : pathlib.Path or None
        nnU-Net results folder on this machine.
    url : str or None
        Where it is published.
    obtain : str
        What a person does to get and use it.
    archive_sha256 : str or None
        Checksum of the exported zip.
    files : mapping of str to str
        SHA-256 of each file in the results folder, by relative path.
    """

    name: str
    version: str
    title: str
    region: str
    format: Format
    labels: str
    channels: tuple[tuple[str, ...], ...]
    missing_channels: bool = False
    normalization: Normalization = "nnunet"
    configuration: str | None = None
    spacing_mm: tuple[float, ...] | None = None
    orientation: str | None = None
    limb_pair: bool = False
    neighbour_weight: float = 0.0
    bf16_verified: bool = False
    licence: str
    attribution: str
    bundled: bool = False
    path: Path | None = None
    url: str | None = None
    obtain: str = ""
    archive_sha256: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ListedModel:
    """A model as ``run.py --list models`` shows it."""

    name: str
    version: str
    region: str
    format: str
    licence: str
    source: str
    channels: str
    title: str
    attribution: str
    obtain: str


@dataclass(frozen=True)
class Registry:
    """The models of one or more registry files.

    Attributes
    ----------
    default : str
        Name of the model used when none is asked for.
    models : mapping of str to ModelEntry
        By name; a site's own file wins over the one that comes with the software.
    """

    default: str
    models: Mapping[str, ModelEntry]

    def entry_of_archive(self, checksum: str) -> ModelEntry | None:
        """Return the model whose exported zip has this SHA-256."""
        archives = (e for e in self.models.values() if e.archive_sha256 == checksum)
        return next(archives, None)

    def entry_of_file(self, checksum: str) -> ModelEntry | None:
        """Return the model that lists a file with this SHA-256."""
        listed = (e for e in self.models.values() if checksum in e.files.values())
        return next(listed, None)

    def without_checksums(self, name: str) -> "Registry":
        """Return a registry that does not check the files of one model, to register them anew."""
        entry = replace(self.models[name], files={}, archive_sha256=None)
        return Registry(self.default, {**self.models, name: entry})


def read_registry(extra: Path | None = None) -> Registry:
    """Read the registry that comes with the software, and a site's own.

    Parameters
    ----------
    extra : pathlib.Path or None
        Registry file of models the user trusts.

    Raises
    ------
    ModelError
        If a file cannot be read or an entry is malformed.
    """
    own = _own_registry()
    if extra is None:
        return own
    content, entries = _read(extra)
    added = {entry.name: entry for entry in entries}
    default = str(content.get("default", own.default))
    return Registry(default, {**own.models, **added})


def list_models(extra: Path | None = None) -> list[ListedModel]:
    """Describe every known model, for ``run.py --list models``."""
    return [
        ListedModel(
            name=e.name,
            version=e.version,
            region=e.region,
            format=e.format,
            licence=e.licence,
            source=_source(e),
            channels=show_channels(e.channels),
            title=e.title,
            attribution=e.attribution,
            obtain=e.obtain,
        )
        for e in read_registry(extra).models.values()
    ]


def show_channels(channels: Sequence[Sequence[str]]) -> str:
    """Describe a model's channels for people, e.g. ``water or t1, fat``."""
    return ", ".join(" or ".join(kinds) for kinds in channels)


def _source(entry: ModelEntry) -> str:
    if entry.bundled:
        return "included"
    if entry.path is not None:
        return str(entry.path)
    return entry.url or "from the authors"


@cache
def _own_registry() -> Registry:
    folder = Path(str(files(_PACKAGE)))
    content = package_json(_PACKAGE, "registry.json")
    entries = [_entry(raw, folder) for raw in content["models"]]
    return Registry(content["default"], {entry.name: entry for entry in entries})


def _read(path: Path) -> tuple[dict[str, Any], list[ModelEntry]]:
    """Read somebody's registry file: its content, and its entries, which follow the schema."""
    try:
        content = read_json(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The model registry {path} cannot be read: {error}.") from error
    except ValueError as error:
        raise ModelError(f"The model registry {path} is not valid JSON: {error}.") from error
    if not isinstance(content, dict) or not isinstance(content.get("models"), list):
        raise ModelError(f"The model registry {path} has no list 'models'.", _FORM_HINT)
    schema = package_json(__package__, "registry_entry.schema.json")
    for number, raw in enumerate(content["models"], start=1):
        where = f"Entry {number} of the model registry {path}"
        if not isinstance(raw, dict):
            raise ModelError(f"{where} is not an object.", _FORM_HINT)
        problem = schema_error(raw, schema)
        if problem is not None:
            name = raw.get("name", "without a name")
            raise ModelError(f"{where} ({name}): {problem}.", _FORM_HINT)
    return content, [_entry(raw, path.parent) for raw in content["models"]]


def _entry(raw: Mapping[str, Any], folder: Path) -> ModelEntry:
    """Give an entry that follows the schema its types; paths are relative to a folder."""
    values = dict(raw)
    if raw.get("path") is not None:
        values["path"] = folder / raw["path"]
    if raw.get("spacing_mm") is not None:
        values["spacing_mm"] = tuple(float(size) for size in raw["spacing_mm"])
    values["channels"] = tuple((c,) if isinstance(c, str) else tuple(c) for c in raw["channels"])
    values["files"] = {name: digest.lower() for name, digest in raw.get("files", {}).items()}
    return ModelEntry(**values)
