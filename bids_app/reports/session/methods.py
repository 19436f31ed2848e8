"""What was done, told from the sidecars of the results themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bids_app.files.provenance import Citation, citations
from bids_app.reports.layout import Layout
from bids_app.reports.session.content import SessionContent, StackContent
from pipelines.geometry import voxel_sizes

# Digits of a checksum that tell two models apart for a reader; the sidecar holds all of them.
_SHORT_HASH = 12

# Values that say nothing.
_NOTHING: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True)
class Model:
    """The segmentation model of a stack, from the ``SegmentationModel`` of its label sidecar."""

    name: str
    version: str
    short_hash: str


@dataclass(frozen=True)
class StackMethods:
    """How the results of one stack were made, in words."""

    name: str
    scan: Sequence[tuple[str, str]]
    sources: Sequence[str]  # input files, as BIDS URIs
    fat_fraction: str
    notes: Sequence[str]  # what was special about the images, one sentence each
    model: Model | None  # None if the label maps were not made by a model
    label_source: str  # where they come from then
    settings: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Methods:
    """The methods section: stacks, what the columns of the tables mean, and works to cite."""

    stacks: Sequence[StackMethods]
    definitions: Sequence[tuple[str, str]]
    citations: Sequence[Citation]


def methods(content: SessionContent, layout: Layout) -> Methods:
    """Gather the methods of a session."""
    stacks = [_stack(stack, layout) for stack in content.stacks]
    rest_on = {"always"}
    if any(stack.model for stack in stacks):
        rest_on.add("segmentation")
    if content.diagnosis:
        rest_on.add("group")
    return Methods(
        stacks,
        _definitions(content.stacks, layout),
        [c for c in citations() if c.when in rest_on],
    )


def _stack(stack: StackContent, layout: Layout) -> StackMethods:
    map_sidecar = stack.sidecars.get("fat_fraction", {})
    label_sidecar = stack.sidecars.get("labels", {})
    return StackMethods(
        stack.name,
        _scan(stack, map_sidecar.get("SourceScan", {}), layout),
        [str(source) for source in map_sidecar.get("Sources", [])],
        str(map_sidecar.get("FatFractionMethod", "")),
        [str(note) for note in map_sidecar.get("Notes", [])],
        _model(label_sidecar.get("SegmentationModel")),
        str(label_sidecar.get("LabelSource", "")),
        _settings(stack.sidecars, layout),
    )


def _scan(stack: StackContent, source: Mapping[str, Any], layout: Layout) -> list[tuple[str, str]]:
    facts = []
    if stack.fat_fraction is not None and stack.affine is not None:
        sizes = voxel_sizes(stack.affine)
        facts.append(("Matrix", " × ".join(str(n) for n in stack.fat_fraction.shape)))
        facts.append(("Voxel size", " × ".join(f"{size:.3g}" for size in sizes) + " mm"))
    for key, entry in layout.scan.items():
        if source.get(key) not in _NOTHING:
            facts.append((entry.title, f"{_text(source[key])} {entry.unit}".strip()))
    return facts


def _settings(sidecars: Mapping[str, Mapping[str, Any]], layout: Layout) -> list[tuple[str, str]]:
    """Find the settings that are told in the sidecars, where those of the results stand."""
    found = []
    for setting in layout.settings:
        value: Any = sidecars.get(setting.sidecar)
        for key in setting.key:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value not in _NOTHING:
            found.append((setting.title, _text(value)))
    return found


def _model(sidecar: Mapping[str, Any] | None) -> Model | None:
    if not sidecar:
        return None
    return Model(
        str(sidecar.get("Name", "")),
        str(sidecar.get("Version", "")),
        str(sidecar.get("SHA256", ""))[:_SHORT_HASH],
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
