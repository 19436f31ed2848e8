"""What stands beside the images and tables of a stack: sources, method, checks, columns."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bids_app.files.provenance import bids_uri, generated_by, software_versions
from bids_app.participant.fat_fraction import QuantitativeMap
from bids_app.participant.stack_results import StackResults
from pipelines.anatomy.vocabulary import label_values
from pipelines.quantification.columns import MuscleTables
from pipelines.water_fat.dixon import DixonResult

if TYPE_CHECKING:
    import pandas as pd

    from bids_app.participant.stack_results import StackTask


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


def fat_fraction_sidecar(task: "StackTask", results: StackResults) -> dict[str, Any]:
    """Describe the fat fraction map."""
    dixon, metadata = results.fat_fraction.dixon, task.inputs.scans[0].metadata.fields
    content = {
        "Description": "Fat fraction; NaN where there is no value (background).",
        "Units": "%",
        **results.fat_fraction.details,
        "SkullStripped": False,
        "SourceScan": {key: metadata[key] for key in SCAN_FACTS if key in metadata},
        "WaterFatSwaps": _swaps(dixon),
        "QualityChecks": [check.as_dict() for check in dixon.checks],
        **_provenance(task),
    }
    return {key: value for key, value in content.items() if value not in (None, {}, [])}


def map_sidecar(task: "StackTask", made: QuantitativeMap) -> dict[str, Any]:
    """Describe a map that comes with the fat fraction."""
    return {"Description": made.description, "Units": made.units, **_provenance(task)}


def labels_sidecar(task: "StackTask", results: StackResults) -> dict[str, Any]:
    """Describe the label image."""
    return {
        "Description": "Muscles; the values are listed in the .tsv beside this file.",
        "SkullStripped": False,
        "QualityChecks": [check.as_dict() for check in results.labelling.checks],
        **results.labelling.provenance,
        **_provenance(task),
    }


def table_sidecar(task: "StackTask", results: StackResults, table: MuscleTables) -> dict[str, Any]:
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


def lookup_table(labels: "np.ndarray[Any, Any]") -> "pd.DataFrame":
    """List the values that occur in a label image."""
    import pandas as pd

    present = set(np.unique(labels).tolist())
    rows = [
        {
            "index": value,
            "name": f"{side}_{muscle.name}",
            "abbreviation": muscle.abbreviation,
            "color": muscle.color,
            "muscle": muscle.name,
            "side": side,
            "region": muscle.region,
        }
        for value, (muscle, side) in label_values().items()
        if value in present
    ]
    columns = ["index", "name", "abbreviation", "color", "muscle", "side", "region"]
    return pd.DataFrame(rows, columns=columns)


def _provenance(task: "StackTask") -> Mapping[str, Any]:
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
