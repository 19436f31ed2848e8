"""Results of an invented session, small and with numbers that are easy to recognize.

Two blocks per side on a grid of 40 x 30 x 6 voxels of 2 x 3 x 10 mm in canonical order: sartorius
in front, vastus lateralis behind it; the left side lies at low indices of axis 0.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bids_app.files.provenance import RunInfo
from bids_app.reports.session.content import LabelEntry, OutputFile, SessionContent, StackContent
from pipelines.anatomy.vocabulary import muscles

SHAPE = (40, 30, 6)
AFFINE = np.array([[2.0, 0, 0, -40], [0, 3, 0, -45], [0, 0, 10, 0], [0, 0, 0, 1]])

# Voxels of each muscle; slices 1 to 4 of 0 to 5.
BLOCKS = {
    ("sartorius", "left"): np.s_[5:12, 18:24, 1:5],
    ("sartorius", "right"): np.s_[28:35, 18:24, 1:5],
    ("vastus_lateralis", "left"): np.s_[4:14, 6:16, 1:5],
    ("vastus_lateralis", "right"): np.s_[26:36, 6:16, 1:5],
}
FAT_FRACTIONS = {
    ("sartorius", "left"): 12.25,
    ("sartorius", "right"): 8.5,
    ("vastus_lateralis", "left"): 55.04,
    ("vastus_lateralis", "right"): 61.37,
}

CHECKS: list[dict[str, Any]] = [
    {
        "name": "body_mask",
        "level": "pass",
        "text": "The body was found.",
        "value": 41.23,
        "unit": "%",
        "threshold": 5.0,
    },
    {
        "name": "noise_floor",
        "level": "warn",
        "text": "Noise lifts low fat fractions.",
        "value": 6.128,
        "unit": "%",
        "threshold": 5.0,
    },
    {
        "name": "water_fat_swap",
        "level": "fail",
        "text": "Water and fat are exchanged.",
        "value": None,
        "unit": "",
        "threshold": None,
    },
]


def lookup() -> dict[int, LabelEntry]:
    entries = {}
    for name, side in BLOCKS:
        muscle = muscles()[name]
        value = muscle.value("left" if side == "left" else "right")
        entries[value] = LabelEntry(
            value, f"{side}_{name}", muscle.abbreviation, muscle.color, name, side
        )
    return entries


def labels() -> np.ndarray:
    image = np.zeros(SHAPE, np.uint16)
    for value, entry in lookup().items():
        image[BLOCKS[entry.muscle, entry.side]] = value
    return image


def fat_fraction() -> np.ndarray:
    """90 % in the body, NaN outside it, the given value in each muscle."""
    image = np.full(SHAPE, np.nan, np.float32)
    image[2:38, 3:27, :] = 90
    for muscle, block in BLOCKS.items():
        image[block] = FAT_FRACTIONS[muscle]
    return image


def stats() -> pd.DataFrame:
    rows = []
    for index, ((muscle, side), value) in enumerate(FAT_FRACTIONS.items()):
        difference = FAT_FRACTIONS[muscle, "left"] - FAT_FRACTIONS[muscle, "right"]
        rows.append(
            {
                "level": "muscle",
                "side": side,
                "muscle": muscle,
                "members": None,
                "truncated_proximal": muscle == "sartorius",
                "truncated_distal": (muscle, side) == ("vastus_lateralis", "left"),
                "volume_ml": 100.4 + 20 * index,
                "ccsa_max_cm2": 5.55 + index,
                "ff_mean": value,
                "ff_sd": 3.14159 + index,
                "ff_median": value - 1,
                "below_noise_floor": False,
                "asym_ff": difference,
                "asym_volume": -18.06,
            }
        )
    rows.append(
        {
            "level": "group",
            "side": "left",
            "muscle": "quadriceps_femoris",
            "members": "1/4",
            "truncated_proximal": False,
            "truncated_distal": True,
            "volume_ml": 140.4,
            "ff_mean": 55.04,
        }
    )
    return pd.DataFrame(rows)


def profile() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"muscle": m, "side": s, "slice": k, "position_mm": 10.0 * k, "ff_mean": value + k}
            for (m, s), value in FAT_FRACTIONS.items()
            for k in range(1, 5)
        ]
    )


def sidecars() -> dict[str, dict[str, Any]]:
    return {
        "fat_fraction": {
            "QualityChecks": CHECKS[:2],
            "FatFractionMethod": "F / (W + F) of magnitude images",
            "Notes": ["Water was resampled to the grid of fat."],
            "Sources": ["bids:raw:sub-01/mr-quant/sub-01_WATER.nii.gz"],
            "SourceScan": {"MagneticFieldStrength": 3.0, "PatientName": "Doe^Jane"},
            "InputUnits": None,
            "PatientName": "Doe^Jane",
        },
        "labels": {
            "QualityChecks": CHECKS[2:],
            "SegmentationModel": {
                "Name": "thigh11",
                "Version": "1.2",
                "SHA256": "0123456789abcdef0123456789abcdef",
            },
            "SegmentationSettings": {"Channels": ["water", "fat"], "Folder": "/home/jane/models"},
        },
        "stats": {
            "ff_mean": {"Description": "Mean of the selected voxels."},
            "MeasurementOptions": {"Erode": True, "MinVoxels": 20, "ThickSliceRatio": 3.0},
        },
    }


def stack(**changes: Any) -> StackContent:
    content = StackContent(
        fat_fraction=fat_fraction(),
        affine=AFFINE,
        labels=labels(),
        lookup=lookup(),
        stats=stats(),
        profile=profile(),
        sidecars=sidecars(),
        files=[
            OutputFile("sub-01/mr-quant/sub-01_FF.nii.gz", "fat_fraction"),
            OutputFile("sub-01/mr-quant/sub-01_desc-muscles_stats.tsv", "stats"),
        ],
    )
    return replace(content, **changes)


def run(**changes: Any) -> RunInfo:
    return replace(RunInfo("MyoMIDS", "9.8.7", "2026-01-02T03:04:05Z"), **changes)


def session(**changes: Any) -> SessionContent:
    return replace(SessionContent("01", None, run(), [stack()]), **changes)
