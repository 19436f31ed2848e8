"""A tiny dataset of two round legs, for tests that run the whole participant level in a second.

Each leg is a disc of muscle (10 % fat) in a ring of fat (95 %); its front half is rectus femoris,
its back half semitendinosus. Label maps are given, so that nothing has to be segmented.
"""

import json
from pathlib import Path

import nibabel as nib
import numpy as np

from pipelines.anatomy.vocabulary import SIDES, muscles

SHAPE = (80, 48, 6)
VOXEL_MM = (4.0, 4.0, 20.0)
AFFINE = np.diag([*VOXEL_MM, 1.0])
LEG_CENTRES = {"left": (20, 24), "right": (60, 24)}
SKIN_RADIUS, MUSCLE_RADIUS = 17.0, 12.0
MUSCLE_FF, FAT_FF = 10.0, 95.0
SIGNAL = 1000.0


def legs() -> tuple[np.ndarray, np.ndarray]:
    """Return fat fraction (percent, 0 outside) and labels of the two legs."""
    x, y, _ = np.indices(SHAPE)
    ff = np.full(SHAPE, np.nan)
    labels = np.zeros(SHAPE, np.uint16)
    for side, (cx, cy) in LEG_CENTRES.items():
        radius = np.hypot(x - cx, y - cy)
        ff[radius <= SKIN_RADIUS] = FAT_FF
        ff[radius <= MUSCLE_RADIUS] = MUSCLE_FF
        for name, half in (("rectus_femoris", y > cy), ("semitendinosus", y < cy)):
            labels[(radius <= MUSCLE_RADIUS) & half] = muscles()[name].value(side)
    return ff, labels


def write_image(path: Path, data: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    """Write a NIfTI file with its orientation stated."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(data, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    nib.save(image, path)
    return path


def water_and_fat() -> tuple[np.ndarray, np.ndarray]:
    """Return int16 water and fat images with a little noise in the background."""
    ff, _ = legs()
    rng = np.random.default_rng(0)
    images = []
    for share in (1 - ff / 100, ff / 100):
        noise = rng.normal(0, 4, (2, *SHAPE))
        signal = np.nan_to_num(SIGNAL * share)
        images.append(np.hypot(signal + noise[0], noise[1]).astype(np.int16))
    return images[0], images[1]


def make_dataset(root: Path, participants: tuple[str, ...] = ("01",)) -> Path:
    """Write water and fat images of some participants in ORMIR-MIDS form."""
    root.mkdir(parents=True, exist_ok=True)
    description = {"Name": "Two round legs (phantom)", "BIDSVersion": "1.10.0"}
    (root / "dataset_description.json").write_text(json.dumps(description))
    water, fat = water_and_fat()
    for label in participants:
        folder = root / f"sub-{label}" / "mr-quant"
        for suffix, data in (("WATER", water), ("FAT", fat)):
            path = write_image(folder / f"sub-{label}_{suffix}.nii.gz", data)
            path.with_name(f"sub-{label}_{suffix}.json").write_text('{"EchoTime": [1.2]}')
    return root


def make_label_maps(root: Path, participants: tuple[str, ...] = ("01",)) -> Path:
    """Write label maps in our own values, with their look-up table."""
    root.mkdir(parents=True, exist_ok=True)
    rows = [
        f"{muscles()[name].value(side)}\t{side}_{name}\t{name}\t{side}"
        for name in ("rectus_femoris", "semitendinosus")
        for side in SIDES
    ]
    (root / "dseg.tsv").write_text("\n".join(["index\tname\tmuscle\tside", *rows]) + "\n")
    _, labels = legs()
    for label in participants:
        folder = root / f"sub-{label}" / "mr-quant"
        write_image(folder / f"sub-{label}_desc-muscles_dseg.nii.gz", labels)
    return root
