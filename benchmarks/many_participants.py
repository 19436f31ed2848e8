#!/usr/bin/env python3
"""Throughput of sessions side by side, and cost of looking at a large dataset.

Eight phantom sessions (``sub-01`` of ``bids_example`` under eight names) run with ``--nprocs 1``
and ``--nprocs 2``, both with the CPUs this process may use and the default model; then a dataset of
2,000 participants is only looked at (``--dry-run``).

Wall times are of no use on a machine that does other work at the same time: two processes then
share with it what one has to itself. CPU time tells what two at a time cost beyond one: the imports
and the model of a second and a third process (the workers beside the one that hands out sessions).

Usage: many_participants.py [--sessions N] [--participants N]
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
EXAMPLE = REPOSITORY / "bids_example"

THROUGHPUT_AIM = 1.5
OVERHEAD_AIM_S = 1.0
ONE_AIM_S, ONE_AIM_MB = 2.0, 300.0
ALL_AIM_S = 60.0


class Run(NamedTuple):
    """A run: time (s), peak memory of its largest process (MB), and what it said."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    said: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sessions", type=int, default=8, help="phantom sessions to process")
    parser.add_argument("--participants", type=int, default=2000, help="size of the large dataset")
    options = parser.parse_args()
    print(f"{len(os.sched_getaffinity(0))} CPUs")
    with tempfile.TemporaryDirectory() as temporary:
        throughput(Path(temporary), options.sessions)
        large_dataset(Path(temporary), options.participants)


def throughput(folder: Path, sessions: int) -> None:
    """Print the time of the same sessions one after the other and two at a time.

    One session alone uses all CPUs where it can, so two at a time gain less over that than over
    one session with one thread.
    """
    dataset = folder / "phantoms"
    copy_participant(dataset, sessions)
    cases = {
        "--nprocs 1": ["--nprocs", "1"],
        "--nprocs 1 --omp-nthreads 1": ["--nprocs", "1", "--omp-nthreads", "1"],
        "--nprocs 2": ["--nprocs", "2"],
    }
    seconds, outside = {}, {}
    for name, options in cases.items():
        out = folder / name.replace(" ", "")
        done = run(dataset, out, *options, "--mem", "100GB", "--resource-monitor")
        seconds[name] = done.wall_s
        steps = sum(float(s) for s in re.findall(r" (\d+\.\d\d) s +\d+ MB", done.said))
        outside[name] = done.wall_s * int(options[1]) - steps
        print(
            f"{name:28}{done.wall_s:6.1f} s for {sessions} sessions, {done.cpu_s:5.1f} s of CPU, "
            f"{outside[name]:5.1f} s outside their steps"
        )
    alone, one_thread, two = seconds.values()
    verdict("throughput, one thread each", one_thread / two, THROUGHPUT_AIM, at_least=True)
    verdict("throughput, all CPUs", alone / two, THROUGHPUT_AIM, at_least=True)
    # Starting Python and preparing the model are part of it.
    verdict("overhead a session, s", outside["--nprocs 1"] / sessions, OVERHEAD_AIM_S)


def large_dataset(folder: Path, participants: int) -> None:
    """Print what --dry-run costs for one participant and for all."""
    dataset = folder / "large"
    image = folder / "tiny.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)), image)
    describe(dataset)
    for number in range(1, participants + 1):
        mr = dataset / f"sub-{number:04d}" / "mr-anat"
        mr.mkdir(parents=True)
        for suffix in ("WATER", "FAT"):
            os.link(image, mr / f"sub-{number:04d}_{suffix}.nii.gz")
    one = run(dataset, folder / "o", "--dry-run", "--participant-label", "0017")
    everyone = run(dataset, folder / "o", "--dry-run")
    verdict(f"--dry-run, one of {participants}, s", one.wall_s, ONE_AIM_S)
    verdict(f"--dry-run, one of {participants}, MB", one.peak_mb, ONE_AIM_MB)
    verdict(f"--dry-run, all {participants}, s", everyone.wall_s, ALL_AIM_S)


def copy_participant(dataset: Path, count: int) -> None:
    """Write `sub-01` of the example dataset under other names."""
    describe(dataset)
    source = EXAMPLE / "sub-01"
    for number in range(1, count + 1):
        label = f"sub-{number:02d}"
        for path in source.rglob("*"):
            if path.is_file():
                relative = str(path.relative_to(source)).replace("sub-01", label)
                (dataset / label / relative).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, dataset / label / relative)


def describe(dataset: Path) -> None:
    """Write the description a dataset must have."""
    dataset.mkdir()
    text = '{"Name": "Phantoms", "BIDSVersion": "1.10.0"}\n'
    (dataset / "dataset_description.json").write_text(text, encoding="utf-8")


def run(dataset: Path, out: Path, *options: str) -> Run:
    """Run the participant level."""
    command = [sys.executable, str(REPOSITORY / "run.py"), str(dataset), str(out), "participant"]
    begin = time.perf_counter()
    with subprocess.Popen(
        [*command, *options], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        said = process.stderr.read().decode() if process.stderr else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(said)
    wall = time.perf_counter() - begin
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6, said)


def verdict(name: str, value: float, aim: float, *, at_least: bool = False) -> None:
    """Print a figure beside its aim."""
    reached = value >= aim if at_least else value <= aim
    sign = ">=" if at_least else "<="
    print(f"{name:36}{value:8.2f}   aim {sign} {aim:g}: {'reached' if reached else 'MISSED'}")


if __name__ == "__main__":
    main()
