"""The register of segmentation models: what is known of each, and the checksums we trust.

``registry.json`` beside this file lists the bundled model and the public ones. A site can add its
own models with a second file of the same form. Nothing here imports torch.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, cast

from pipelines.errors import ModelError

Format = Literal["nnunetv2", "label_map"]
Normalization = Literal["nnunet", "dixon_joint"]

_FORM_HINT = "docs/models.md shows an entry; tools/register_model.py fills in checksums."


@dataclass(frozen=True)
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
        Label map (see :func:`pipelines.anatomy.vocabulary.read_label_map`).
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
    missing_channels: bool
    normalization: Normalization
    configuration: str | None
    spacing_mm: tuple[float, ...] | None
    orientation: str | None
    limb_pair: bool
    neighbour_weight: float
    bf16_verified: bool
    licence: str
    attribution: str
    bundled: bool
    path: Path | None
    url: str | None
    obtain: str
    archive_sha256: str | None
    files: Mapping[str, str]


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

    def entry_of(self, checksum: str) -> ModelEntry | None:
        """Return the model that a file or archive with this SHA-256 belongs to."""
        for entry in self.models.values():
            if checksum == entry.archive_sha256 or checksum in entry.files.values():
                return entry
        return None

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
    try:
        text = extra.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The model registry {extra} cannot be read: {error}.") from error
    content = _parse(text, str(extra))
    added = {e.name: e for e in _entries(content, extra.parent, str(extra))}
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
    folder = Path(str(files("pipelines.segmentation")))
    content = _parse((folder / "registry.json").read_text(encoding="utf-8"), "registry.json")
    entries = {e.name: e for e in _entries(content, folder, "registry.json")}
    return Registry(content["default"], entries)


def _parse(text: str, source: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ModelError(f"The model registry {source} is not valid JSON: {error}.") from error
    if not isinstance(content, dict) or not isinstance(content.get("models"), list):
        raise ModelError(f"The model registry {source} has no list 'models'.", _FORM_HINT)
    return content


def _entries(content: Mapping[str, Any], folder: Path, source: str) -> Iterable[ModelEntry]:
    for number, raw in enumerate(content["models"], start=1):
        where = f"Entry {number} of the model registry {source}"
        if not isinstance(raw, dict):
            raise ModelError(f"{where} is not an object.", _FORM_HINT)
        yield _entry(raw, folder, f"{where} ({raw.get('name', 'without a name')})")


def _entry(raw: Mapping[str, Any], folder: Path, where: str) -> ModelEntry:
    known = {field.name for field in fields(ModelEntry)}
    optional: dict[str, Any] = {
        "missing_channels": False,
        "normalization": "nnunet",
        "configuration": None,
        "spacing_mm": None,
        "orientation": None,
        "limb_pair": False,
        "neighbour_weight": 0.0,
        "bf16_verified": False,
        "bundled": False,
        "path": None,
        "url": None,
        "obtain": "",
        "archive_sha256": None,
        "files": {},
    }
    missing = sorted(known - set(raw) - set(optional))
    unknown = sorted(set(raw) - known)
    if missing or unknown:
        parts = [f"lacks {', '.join(missing)}"] if missing else []
        parts += [f"has unknown keys {', '.join(unknown)}"] if unknown else []
        raise ModelError(f"{where} {' and '.join(parts)}.", _FORM_HINT)
    values = {**optional, **raw}
    _check_choice(values, "format", ("nnunetv2", "label_map"), where)
    _check_choice(values, "normalization", ("nnunet", "dixon_joint"), where)
    if values["path"] is not None:
        values["path"] = folder / values["path"]
    if not 0 <= values["neighbour_weight"] <= 1:
        raise ModelError(
            f"{where}: neighbour_weight is {values['neighbour_weight']}, not within 0 to 1.",
            _FORM_HINT,
        )
    if values["spacing_mm"] is not None:
        values["spacing_mm"] = tuple(float(s) for s in values["spacing_mm"])
    values["channels"] = tuple(
        (c,) if isinstance(c, str) else tuple(str(kind) for kind in c) for c in values["channels"]
    )
    values["files"] = {str(k): str(v).lower() for k, v in values["files"].items()}
    return ModelEntry(**cast(Any, values))


def _check_choice(
    values: Mapping[str, Any], key: str, choices: tuple[str, ...], where: str
) -> None:
    if values[key] not in choices:
        raise ModelError(
            f"{where}: {key} is {values[key]!r}, not one of {', '.join(choices)}.", _FORM_HINT
        )
