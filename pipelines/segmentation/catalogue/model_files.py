"""Find a model's files, see that they may be loaded, and read what they say. Without torch."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.anatomy.label_maps import labels_from_names, read_label_map
from pipelines.anatomy.vocabulary import Label, muscles
from pipelines.errors import DataError, ModelError
from pipelines.files import sha256
from pipelines.segmentation.catalogue.model_archive import (
    find_checkpoints,
    find_results_folder,
    locate_model,
    unpack_model,
)
from pipelines.segmentation.catalogue.registry import (
    ModelEntry,
    Normalization,
    Registry,
    show_channels,
)
from pipelines.segmentation.catalogue.trust import (
    checksums_of_read,
    registered_checksums,
    untrusted,
)
from pipelines.segmentation.plans.description import (
    channel_kinds,
    channel_names,
    model_label_values,
    orientation,
    read_plans,
)
from pipelines.segmentation.plans.network_plan import NetworkPlan, read_network_plan

# nnU-Net names a results folder trainer__plans__configuration.
_FOLDER_NAME = re.compile(r".+__.+__(?P<configuration>.+)")


@dataclass(frozen=True)
class ModelFiles:
    """A model whose files are complete and may be loaded.

    Attributes
    ----------
    name, version : str
        For provenance.
    region : str
        Body region it is made for.
    folder : pathlib.Path
        nnU-Net results folder; only read.
    checkpoints : tuple of pathlib.Path
        One per fold; their logits are averaged.
    checksums : mapping of str to str
        SHA-256 of every file used or registered, by path relative to `folder`.
    dataset, plans : dict
        Contents of ``dataset.json`` and ``plans.json``.
    plan : NetworkPlan or None
        Its configuration; None if only the checkpoint tells which one it is.
    labels : tuple of Label
        What its label values mean.
    channels : tuple of tuple of str
        For each input channel the image kinds it takes, best first.
    missing_channels : bool
        Whether channels may be missing.
    normalization : {'nnunet', 'dixon_joint'}
        How intensities are prepared.
    orientation : str or None
        Axis codes of its training arrays, if stated.
    limb_pair : bool
        Whether it knows images of both limbs only.
    neighbour_weight : float
        What the logits of adjacent slices count beside those of a slice (1).
    bf16_verified : bool
        Whether bfloat16 is known to give the same labels.
    """

    name: str
    version: str
    region: str
    folder: Path
    checkpoints: tuple[Path, ...]
    checksums: Mapping[str, str]
    dataset: Mapping[str, Any]
    plans: Mapping[str, Any]
    plan: NetworkPlan | None
    labels: tuple[Label, ...]
    channels: tuple[tuple[str, ...], ...]
    missing_channels: bool
    normalization: Normalization
    orientation: str | None
    limb_pair: bool
    neighbour_weight: float
    bf16_verified: bool

    @property
    def checksum(self) -> str:
        """One SHA-256 over all folds, plans and labels."""
        lines = [f"{digest}  {path}" for path, digest in sorted(self.checksums.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def open_model(
    model: str,
    registry: Registry,
    *,
    cache_dir: Path,
    trust_model: bool = False,
    label_map: str | None = None,
) -> ModelFiles:
    """Find a model and check that it may be loaded and used.

    Parameters
    ----------
    model : str
        Name in the registry; path of an nnU-Net results folder or of an exported zip; or
        ``NAME=PATH``: the facts of a registered model with files fetched to PATH.
    registry : Registry
        Known models and trusted checksums.
    cache_dir : pathlib.Path
        Folder to unpack an exported zip below.
    trust_model : bool
        Load files whose checksum is unknown.
    label_map : str or None
        Label map that says what the labels mean, instead of the registry's or ``dataset.json``.

    Returns
    -------
    ModelFiles

    Raises
    ------
    ModelError
        If the model is unknown, incomplete, damaged, untrusted, not of nnU-Net v2, or its labels
        or channels mean nothing to us.
    """
    entry, source = locate_model(model, registry)
    archive_entry: ModelEntry | None = None
    if source.is_file():
        checksum = sha256(source)
        archive_entry = registry.entry_of_archive(checksum)
        source = unpack_model(source, checksum, cache_dir)
    folder = find_results_folder(source)
    dataset, plans = read_plans(folder)
    checkpoints = find_checkpoints(folder)
    checksums = checksums_of_read(folder, checkpoints)
    first = checksums[checkpoints[0].relative_to(folder).as_posix()]
    by_checkpoint = registry.entry_of_file(first)
    entry = entry or archive_entry or by_checkpoint
    vouched = trust_model or archive_entry is not None
    listing = entry if entry is not None and entry.files else by_checkpoint
    if listing is not None and (listing is entry or not vouched):
        checksums |= registered_checksums(folder, listing, checksums, vouched=vouched)
    elif not vouched:
        raise untrusted(checkpoints[0], first)
    configuration = entry.configuration if entry else None
    if configuration is None and (match := _FOLDER_NAME.fullmatch(folder.name)):
        configuration = match["configuration"]
    plan = None
    if configuration is not None:
        plan = read_network_plan(plans, dataset, configuration, str(folder))
    labels = _labels(dataset, folder, entry, label_map)
    return ModelFiles(
        name=entry.name if entry else folder.name,
        version=entry.version if entry else "n/a",
        region=entry.region if entry else _region(labels),
        folder=folder,
        checkpoints=tuple(checkpoints),
        checksums=checksums,
        dataset=dataset,
        plans=plans,
        plan=plan,
        labels=labels,
        channels=_channels(dataset, folder, entry),
        missing_channels=entry.missing_channels if entry else False,
        normalization=entry.normalization if entry else "nnunet",
        orientation=(entry.orientation if entry else None) or orientation(plans),
        limb_pair=entry.limb_pair if entry else False,
        neighbour_weight=entry.neighbour_weight if entry else 0.0,
        bf16_verified=entry.bf16_verified if entry else False,
    )


def _labels(
    dataset: Mapping[str, Any], folder: Path, entry: ModelEntry | None, label_map: str | None
) -> tuple[Label, ...]:
    source = str(folder / "dataset.json")
    values = model_label_values(dataset, source)
    try:
        if label_map is None and entry is None:
            return tuple(labels_from_names(values, source))
        known = read_label_map(label_map or (entry.labels if entry else ""))
    except DataError as error:
        raise ModelError(error.message, error.hint) from error
    mapped = {label.value for label in known}
    trained = set(values.values())
    if not any(label.muscle and label.value in trained for label in known):
        raise ModelError(
            f"No muscle of the label map has a value that {source} declares.",
            "The label map belongs to another model.",
        )
    # Classes the map does not name only helped the training (bone, unlabelled tissue).
    helpers = [
        Label(value, name, None, "both")
        for name, value in values.items()
        if value != 0 and value not in mapped and name != "ignore"
    ]
    return (*(label for label in known if label.value in trained), *helpers)


def _region(labels: Sequence[Label]) -> str:
    """Return the body region that most of the muscles belong to."""
    regions = Counter(muscles()[label.muscle].region for label in labels if label.muscle)
    return regions.most_common(1)[0][0]


def _channels(
    dataset: Mapping[str, Any], folder: Path, entry: ModelEntry | None
) -> tuple[tuple[str, ...], ...]:
    if entry is None:
        return channel_kinds(dataset, str(folder / "dataset.json"))
    names = channel_names(dataset)
    if len(entry.channels) != len(names):
        raise ModelError(
            f"The registry gives model {entry.name} {len(entry.channels)} channels "
            f"({show_channels(entry.channels)}), its dataset.json {len(names)} "
            f"({', '.join(names)}).",
            "Correct the registry file.",
        )
    return entry.channels
