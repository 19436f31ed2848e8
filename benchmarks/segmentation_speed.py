#!/usr/bin/env python3
"""Time and memory of segmenting one scan, beside nnU-Net's own command with the same weights.

Both get the same normalized water and fat images and write a label image; both times include
starting Python and loading the model, as a user pays them. CPU seconds are the fairer figure on a
machine that does other work too.

Both are measured and compared twice: as a user gets them, and as nnU-Net's command goes about it
(tile step 0.5, no cut to the body, each slice alone), where the labels must be the same. What is
between the two comes from the say of adjacent slices and from the tiles. Cut to the body, a slice
of both thighs fits into one or two tiles; whole, it is spread over three that see a part of the
body and much air. The network normalizes its features over a tile, so
where it is unsure, as in muscles replaced by fat, another tile gives another outline.

Usage: segmentation_speed.py WATER.nii.gz FAT.nii.gz [--threads N]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

MODEL = REPOSITORY / "pipelines" / "segmentation" / "models" / "thigh11"

_OURS = """
import sys, json
from pathlib import Path
import nibabel as nib, numpy as np
from pipelines.geometry import to_canonical, restore
from pipelines.segmentation.channels import stack_channels
from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.inference.predict import load_segmenter, predict_labels
from pipelines.segmentation.catalogue.registry import read_registry
water, fat, out, work, threads, ways = sys.argv[1:]
images = [nib.load(p) for p in (water, fat)]
arrays = [to_canonical(np.asarray(i.dataobj), i.affine) for i in images]
registry = read_registry(None)
model = open_model(registry.default, registry, cache_dir=Path(work))
segmenter = load_segmenter(
    model, device="cpu", threads=int(threads), cache_dir=Path(work), **json.loads(ways)
)
channels = stack_channels({"water": arrays[0][0], "fat": arrays[1][0]}, model)
labels = predict_labels(channels.data, arrays[0][1], segmenter).labels
stored, affine = restore(labels, arrays[0][1], arrays[0][2])
nib.save(nib.Nifti1Image(stored, affine), out)
print(json.dumps(segmenter.provenance()))
"""

# Our options for what nnU-Net's command does.
AS_NNUNET = {"tile_step": 0.5, "body_cut": False, "neighbours": False}


class Usage(NamedTuple):
    """What a command took: time (s), and peak memory of its largest process (MB)."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def main() -> None:
    """Run both and print times, peak memory and agreement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("water", type=Path)
    parser.add_argument("fat", type=Path)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        ours, our_usage = run_ours(options, work, {})
        alike, alike_usage = run_ours(options, work, AS_NNUNET)
        plain, plain_usage = run_nnunet(options, work)
    print(f"{options.water.name}: {' x '.join(map(str, ours.shape))}, {options.threads} threads")
    print(f"{'':28}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'times faster: wall, CPU':>26}")
    for name, usage in (
        ("MyoMIDS as a user gets it", our_usage),
        ("MyoMIDS as nnU-Net does it", alike_usage),
        ("nnUNetv2_predict, CPU", plain_usage),
    ):
        wall, cpu = plain_usage.wall_s / usage.wall_s, plain_usage.cpu_s / usage.cpu_s
        figures = f"{usage.wall_s:9.1f}{usage.cpu_s:9.1f}{usage.peak_mb:9.0f}"
        print(f"{name:28}{figures}{wall:19.1f}{cpu:7.1f}")
    print("Dice with nnU-Net's command, lowest of the muscles:")
    print(f"  as nnU-Net does it {lowest_dice(alike, plain):.4f}")
    print(f"  as a user gets it {lowest_dice(ours, plain):.4f}")


def lowest_dice(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Dice coefficient of the muscle in which two label images agree least."""
    dice = []
    for value in range(1, 12):
        a, b = first == value, second == value
        dice.append(2 * (a & b).sum() / max(1, a.sum() + b.sum()))
    return float(min(dice))


def run_ours(
    options: argparse.Namespace, work: Path, ways: dict[str, float]
) -> tuple[np.ndarray, Usage]:
    """Segment, as the app does but for `ways`; return the labels and what it took."""
    out = work / "ours.nii.gz"
    arguments = [options.water, options.fat, out, work, options.threads, json.dumps(ways)]
    usage = timed([sys.executable, "-c", _OURS, *map(str, arguments)], options.threads)
    return np.asarray(nib.load(out).dataobj), usage


def run_nnunet(options: argparse.Namespace, work: Path) -> tuple[np.ndarray, Usage]:
    """Segment with nnU-Net's own command; the same results."""
    from pipelines.segmentation.channels import normalize_dixon

    images = [nib.load(path) for path in (options.water, options.fat)]
    channels = normalize_dixon(*(np.asarray(image.dataobj) for image in images))
    folder, out = work / "in", work / "out"
    folder.mkdir()
    for number, channel in enumerate(channels):
        nib.save(nib.Nifti1Image(channel, images[0].affine), folder / f"scan_000{number}.nii.gz")
    command = Path(sys.executable).with_name("nnUNetv2_predict_from_modelfolder")
    arguments = ["-i", folder, "-o", out, "-m", MODEL, "-f", "0", "-device", "cpu"]
    usage = timed([str(command), *map(str, arguments)], options.threads)
    return np.asarray(nib.load(out / "scan.nii.gz").dataobj), usage


def timed(command: list[str], threads: int) -> Usage:
    """Run a command and measure it together with its worker processes."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {json.dumps(command[:4])} ...")
    wall_s = time.perf_counter() - start
    return Usage(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3)


if __name__ == "__main__":
    main()
