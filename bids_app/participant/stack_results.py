"""What was computed of a stack, and the images, tables and sidecars it is written to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bids_app.dataset.inputs import Inputs
from bids_app.dataset.scans import Session, Stack
from bids_app.files.derivatives import StackNames, sidecar
from bids_app.files.provenance import bids_uri, generated_by, software_versions
from bids_app.files.result_writer import SessionWriter
from bids_app.options.settings import Settings
from bids_app.participant.fat_fraction import FatFraction, QuantitativeMap
from bids_app.participant.labelling import Labelling
from pipelines.anatomy.vocabulary import lookup_rows
from pipelines.arrays import Array, UInt16
from pipelines.geometry import Orientation, restore
from pipelines.quantification.columns import MuscleTables
from pipelines.quantification.options import QuantificationOptions
from pipelines.water_fat.dixon import DixonResult

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.water_fat.separation.decision import PriorSign

# Acquisition facts that are passed on from the sidecar of the scan; none of them can identify a
# person.
SCAN_FACTS = (
    "MagneticFieldStrength",
    "Manufacturer",
    "ManufacturersModelName",
    "PulseSequenceType",
    "EchoTime",
    "RepetitionTime",
    "FlipAngle",
)


@dataclass(frozen=True)
class StackTask:
    """One stack to process: the scans its fat fraction comes from, and the files to write."""

    session: Session
    stack: Stack
    inputs: Inputs
    names: StackNames
    settings: Settings
    prior_signs: "Mapping[str, PriorSign]"

    @property
    def where(self) -> str:
        """The stack's name in messages."""
        return f"{self.session.id.name} {self.stack.name}".strip()


@dataclass(frozen=True)
class StackResults:
    """Everything that was computed of a stack, and the way back to the stored order of axes."""

    orientation: Orientation
    fat_fraction: FatFraction
    labelling: Labelling
    stats: "pd.DataFrame"
    profile: "pd.DataFrame"
    options: QuantificationOptions


def write_results(task: StackTask, results: StackResults, writer: SessionWriter) -> None:
    """Stage the images, tables and sidecars of a stack."""
    names = task.names
    dixon, labelling = results.fat_fraction.dixon, results.labelling
    images: list[tuple[Path, Array, dict[str, Any]]] = [
        (names.fat_fraction, dixon.ff, _fat_fraction_sidecar(task, results)),
        (names.labels, labelling.labels, _labels_sidecar(task, results)),
    ]
    for ending, made in results.fat_fraction.maps.items():
        images.append((names.map(ending), made.data, _map_sidecar(task, made)))
    for name, data, content in images:
        stored, affine = restore(data, dixon.affine, results.orientation)
        writer.image(name, stored, affine)
        writer.json(sidecar(name), content)
    writer.table(names.lookup, _lookup_table(labelling.labels))
    for name, table, frame in (
        (names.stats, MuscleTables.MUSCLES, results.stats),
        (names.profile, MuscleTables.PROFILE, results.profile),
    ):
        writer.table(name, frame)
        writer.json(sidecar(name), _table_sidecar(task, results, table))


def _fat_fraction_sidecar(task: StackTask, results: StackResults) -> dict[str, Any]:
    """Describe the fat fraction map."""
    dixon, metadata = results.fat_fraction.dixon, task.inputs.scans[0].metadata.fields
    details = results.fat_fraction.details
    content = {
        "Description": "Fat fraction; NaN where there is no value (background).",
        "Units": "%",
        **details,
        "Notes": [*task.stack.notes, *details.get("Notes", ())],
        "SkullStripped": False,
        "SourceScan": {key: metadata[key] for key in SCAN_FACTS if key in metadata},
        "WaterFatSwaps": _swaps(dixon),
        "QualityChecks": [check.as_dict() for check in dixon.checks],
        **_provenance(task),
    }
    return {key: value for key, value in content.items() if value not in (None, {}, [])}


def _map_sidecar(task: StackTask, made: QuantitativeMap) -> dict[str, Any]:
    """Describe a map that comes with the fat fraction."""
    return {"Description": made.description, "Units": made.units, **_provenance(task)}


def _labels_sidecar(task: StackTask, results: StackResults) -> dict[str, Any]:
    """Describe the label image."""
    return {
        "Description": "Muscles; the values are listed in the .tsv beside this file.",
        "SkullStripped": False,
        "QualityChecks": [check.as_dict() for check in results.labelling.checks],
        **results.labelling.provenance,
        **_provenance(task),
    }


def _table_sidecar(task: StackTask, results: StackResults, table: MuscleTables) -> dict[str, Any]:
    """Describe every column of a table and how it was measured."""
    options = results.options
    return {
        **table.columns,
        "MeasurementOptions": {
            "Erode": options.erode,
            "MinVoxels": options.min_voxels,
            "ThickSliceRatio": options.thick_slice_ratio,
        },
        **_provenance(task),
    }


def _lookup_table(labels: UInt16) -> "pd.DataFrame":
    """List the values that occur in a label image."""
    import pandas as pd

    rows = lookup_rows(np.unique(labels).tolist())
    columns = ["index", "name", "abbreviation", "color", "muscle", "side", "region"]
    return pd.DataFrame(rows, columns=columns)


def _provenance(task: StackTask) -> Mapping[str, Any]:
    """Return the keys every sidecar ends with."""
    root = task.settings.bids_dir
    return {
        "Sources": [bids_uri(path, root) for scan in task.inputs.scans for path in scan.paths],
        "GeneratedBy": [generated_by()],
        "SoftwareVersions": software_versions(),
    }


def _swaps(dixon: DixonResult) -> list[dict[str, Any]]:
    """List the limb slices in which water and fat were exchanged."""
    exchanged = dixon.swaps[dixon.swaps["action"] == "exchanged"]
    columns = ["slice", "limb", "shell_ff", "shell_ff_after"]
    return [
        {str(key): value for key, value in row.items()}
        for row in exchanged[columns].astype(object).to_dict("records")
    ]
