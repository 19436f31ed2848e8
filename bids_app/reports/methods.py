"""What was done, told from the settings and sidecars of the results themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bids_app.reports.content import SessionContent, StackContent
from bids_app.reports.layout import Citation, Layout, citations
from pipelines.geometry import voxel_sizes

# Digits of a checksum that tell two models apart for a reader; the sidecar holds all of them.
_SHORT_HASH = 12


@dataclass(frozen=True)
class Model:
    """The segmentation model of a stack, from the ``SegmentationModel`` of its label sidecar."""

    name: str
    version: str
    short_hash: str
    description: str


@dataclass(frozen=True)
class StackMethods:
    """How the results of one stack were made.

    Attributes
    ----------
    name : str
        Name of the stack.
    scan : Sequence of (title, text)
        What is known about the scan.
    sources : Sequence of str
        Input files, as BIDS URIs.
    fat_fraction : str
        How the fat fraction map was made.
    model : Model or None
        None if the label maps were not made by a model.
    label_source : str
        Where the label maps come from if not from a model.
    """

    name: str
    scan: Sequence[tuple[str, str]]
    sources: Sequence[str]
    fat_fraction: str
    model: Model | None
    label_source: str


@dataclass(frozen=True)
class Methods:
    """The methods section.

    Attributes
    ----------
    stacks : Sequence of StackMethods
        One per stack.
    settings : Sequence of (title, text)
        Choices of the run.
    definitions : Sequence of (title, text)
        What the columns of the tables mean.
    citations : Sequence of Citation
        Works these results rest on.
    """

    stacks: Sequence[StackMethods]
    settings: Sequence[tuple[str, str]]
    definitions: Sequence[tuple[str, str]]
    citations: Sequence[Citation]


def methods(content: SessionContent, layout: Layout) -> Methods:
    """Gather the methods of a session."""
    stacks = [_stack(stack, layout) for stack in content.stacks]
    made_by_model = any(stack.model for stack in stacks)
    return Methods(
        stacks,
        [
            (title, _text(content.run.settings[key]))
            for key, title in layout.settings.items()
            if content.run.settings.get(key) not in (None, [], {})
        ],
        _definitions(content.stacks, layout),
        [c for c in citations() if c.when == "always" or made_by_model],
    )


def _stack(stack: StackContent, layout: Layout) -> StackMethods:
    map_sidecar = stack.sidecars.get("fat_fraction", {})
    label_sidecar = stack.sidecars.get("labels", {})
    return StackMethods(
        stack.name,
        _scan(stack, map_sidecar, layout),
        [str(source) for source in map_sidecar.get("Sources", [])],
        str(map_sidecar.get("FatFractionMethod", "")),
        _model(label_sidecar.get("SegmentationModel")),
        str(label_sidecar.get("LabelSource", "")),
    )


def _scan(stack: StackContent, sidecar: Mapping[str, Any], layout: Layout) -> list[tuple[str, str]]:
    facts = []
    if stack.fat_fraction is not None and stack.affine is not None:
        sizes = voxel_sizes(stack.affine)
        facts.append(("Matrix", " × ".join(str(n) for n in stack.fat_fraction.shape)))
        facts.append(("Voxel size", " × ".join(f"{size:.3g}" for size in sizes) + " mm"))
    for key, entry in layout.scan.items():
        if sidecar.get(key) not in (None, "", []):
            facts.append((entry.title, f"{_text(sidecar[key])} {entry.unit}".strip()))
    return facts


def _model(sidecar: Mapping[str, Any] | None) -> Model | None:
    if not sidecar:
        return None
    return Model(
        str(sidecar.get("Name", "")),
        str(sidecar.get("Version", "")),
        str(sidecar.get("SHA256", ""))[:_SHORT_HASH],
        str(sidecar.get("Description", "")),
    )


def _definitions(stacks: Sequence[StackContent], layout: Layout) -> list[tuple[str, str]]:
    """Return the descriptions that the table's sidecar gives to the columns shown."""
    described: dict[str, Any] = {}
    for stack in stacks:
        described.update(stack.sidecars.get("stats", {}))
    definitions = []
    for measure in (*layout.measures, *layout.details):
        entry = described.get(measure.column)
        if isinstance(entry, Mapping) and entry.get("Description"):
            definitions.append((measure.title, str(entry["Description"])))
    return definitions


def _text(value: Any) -> str:
    """Write a setting for a person."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | Mapping):
        return ", ".join(_text(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
