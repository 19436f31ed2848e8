"""Read and check the two JSON files that describe an nnU-Net v2 model. Without torch."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.errors import ModelError
from pipelines.files import open_file, parse_json, schema_error
from pipelines.package_data import package_json

# Names in dataset.json that say nothing of the contrast, and the image kinds such a channel takes.
_ANY_CONTRAST = {"mri", "mr", "mr image", "image", "0"}
_ANY_KIND = ("water", "in_phase", "t1", "opposed_phase", "fat")
_KINDS: Mapping[str, str] = {
    "w": "water",
    "water": "water",
    "dixon water": "water",
    "f": "fat",
    "fat": "fat",
    "dixon fat": "fat",
    "ip": "in_phase",
    "in phase": "in_phase",
    "inphase": "in_phase",
    "op": "opposed_phase",
    "opposed phase": "opposed_phase",
    "out phase": "opposed_phase",
    "out of phase": "opposed_phase",
    "t1": "t1",
    "t1w": "t1",
}

V1_HINT = (
    "Models of nnU-Net v1 cannot be run by v2. Segment with v1's own tools and pass the label maps "
    "with --derivatives, or train the model again with nnU-Net v2."
)


def read_plans(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read ``dataset.json`` and ``plans.json`` of an nnU-Net results folder.

    Returns
    -------
    dataset, plans : dict
        Contents of the two files.

    Raises
    ------
    ModelError
        If a file is missing or malformed, or the model is one of nnU-Net v1.
    """
    if any(folder.glob("plans*.pkl")) and not (folder / "plans.json").exists():
        raise ModelError(f"{folder} holds a model of nnU-Net v1 (plans.pkl).", V1_HINT)
    dataset = _read_json(folder / "dataset.json")
    plans = _read_json(folder / "plans.json")
    if "modality" in dataset and "channel_names" not in dataset:
        raise ModelError(f"{folder / 'dataset.json'} is written for nnU-Net v1.", V1_HINT)
    for content, key, file in (
        (dataset, "channel_names", "dataset.json"),
        (dataset, "labels", "dataset.json"),
        (plans, "configurations", "plans.json"),
    ):
        if not isinstance(content.get(key), dict) or not content[key]:
            raise ModelError(
                f"{folder / file} has no {key!r}: it does not describe an nnU-Net v2 model.",
                "Give the results folder of nnU-Net v2, with dataset.json, plans.json and fold_*.",
            )
    check_content(dataset, "dataset", str(folder / "dataset.json"))
    check_content(plans, "plans", str(folder / "plans.json"))
    return dataset, plans


def check_content(content: Mapping[str, Any], schema: str, source: str) -> None:
    """Check what is read of a description against ``<schema>.schema.json`` of this folder."""
    problem = schema_error(content, package_json(__package__, f"{schema}.schema.json"))
    if problem is not None:
        raise ModelError(
            f"{source} does not describe a model that can be run: {problem}.",
            "It is damaged or not of nnU-Net v2; get the model again.",
        )


def channel_names(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the input channels in order."""
    names = dataset["channel_names"]
    return tuple(str(names[key]) for key in sorted(names, key=int))


def orientation(plans: Mapping[str, Any]) -> str | None:
    """Return the axis codes of the arrays a model was trained on, if its plans tell.

    nnU-Net's readers keep whatever order the training files had, except for the one that
    reorients every image to RAS.
    """
    return "RAS" if plans.get("image_reader_writer") == "NibabelIOWithReorient" else None


def channel_kinds(dataset: Mapping[str, Any], source: str) -> tuple[tuple[str, ...], ...]:
    """Tell from the channel names which kinds of image a model takes.

    Parameters
    ----------
    dataset : mapping
        Content of ``dataset.json``.
    source : str
        That file, for messages.

    Returns
    -------
    tuple of tuple of str
        For each channel the kinds, best first.

    Raises
    ------
    ModelError
        If a channel is of no known kind.
    """
    names = channel_names(dataset)
    kinds: list[tuple[str, ...]] = []
    for name in names:
        # nnU-Net users write noNorm_ before a channel that is not to be normalized.
        plain = re.sub(r"[^a-z0-9]+", " ", name.lower()).strip().removeprefix("nonorm ")
        if plain in _KINDS:
            kinds.append((_KINDS[plain],))
        elif plain in _ANY_CONTRAST and len(names) == 1:
            kinds.append(_ANY_KIND)
        else:
            raise ModelError(
                f"Channel {name!r} of {source} is no known kind of image.",
                "Known: water, fat, in phase, opposed phase, t1. State the channels in a registry "
                "file and name it with --model-registry.",
            )
    return tuple(kinds)


def model_label_values(dataset: Mapping[str, Any], source: str) -> dict[str, int]:
    """Return the value of each label name.

    Raises
    ------
    ModelError
        If labels are regions (lists of values), which are not supported.
    """
    regions = [name for name, value in dataset["labels"].items() if isinstance(value, list)]
    if regions:
        raise ModelError(
            f"{source} trains regions ({', '.join(regions)}), which are not supported.",
            "Use a model whose labels are single values.",
        )
    return {str(name): int(value) for name, value in dataset["labels"].items()}


def merged_configuration(plans: Mapping[str, Any], name: str, source: str) -> dict[str, Any]:
    """Return a configuration together with what it inherits from others."""
    configurations = plans["configurations"]
    if name not in configurations:
        raise ModelError(
            f"The plans of {source} have no configuration {name!r}.",
            f"They have: {', '.join(sorted(configurations))}.",
        )
    chain = [name]
    while parent := configurations[chain[-1]].get("inherits_from"):
        if parent in chain or parent not in configurations:
            raise ModelError(f"The plans of {source} inherit from {parent!r} in a way that fails.")
        chain.append(parent)
    merged: dict[str, Any] = {}
    for link in reversed(chain):
        merged.update(configurations[link])
    return merged


def _read_json(path: Path) -> dict[str, Any]:
    try:
        with open_file(path) as stream:
            # NaN and Infinity become None, which no number may be.
            content = parse_json(stream.read(), parse_constant=lambda _: None)
    except FileNotFoundError as error:
        raise ModelError(
            f"{path.name} is missing in {path.parent}.",
            "Give the results folder of nnU-Net v2, with dataset.json, plans.json and fold_*.",
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} is not a JSON object.")
    return content
