"""Kill runs at random moments, run the same command again, and compare with a run left alone.

``make kills`` kills 60: runs of the participant level, of the group level and trainings, with one
process and with two. What is killed is the run; its workers must notice. ``test_kills.py`` is the
short version.
"""

import argparse
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from bids_app.errors import ExitCode
from pipelines.files import sha256
from tests.bids_app.small_dataset import make_dataset, make_label_maps
from tests.bids_app.small_training import options, write_cohort

ROOT = Path(__file__).resolve().parents[2]
PARTICIPANTS = ("01", "02", "03")
# Levels and numbers of processes, in turn.
TURNS = tuple((level, n) for level in ("participant", "group", "training") for n in (1, 2))
# What differs from run to run, and what the next run of the same session or level clears.
_OWN_OF_A_RUN = ("logs/run-*", "logs/settings-*", "logs/locks/*", ".*.tmp")
# When a page was made.
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")


@dataclass(frozen=True)
class Level:
    """Something to run: a dataset, and arguments after the output folder."""

    input_dir: Path
    arguments: tuple[str, ...]

    def command(self, out: Path, processes: int) -> list[str]:
        """Return the command line."""
        program = [sys.executable, str(ROOT / "run.py"), str(self.input_dir), str(out)]
        return [*program, *self.arguments, "--nprocs", str(processes), "--mem", "100GB"]


def write_levels(folder: Path) -> dict[str, Level]:
    """Write what the levels need, and return them by name."""
    dataset = make_dataset(folder / "in", PARTICIPANTS)
    truth = make_label_maps(folder / "truth", PARTICIPANTS)
    cohort = write_cohort(folder / "cohort")
    group = ("group", *options(cohort))
    maps = ("--derivatives", f"truth={truth}")
    return {
        "participant": Level(dataset, ("participant", *maps)),
        "group": Level(cohort / "new", group),
        "training": Level(cohort / "new", (*group, "--train", "first")),
    }


def run_killed(
    level: Level, processes: int, out: Path, expected: dict[str, bytes], seconds: float
) -> list[str]:
    """Kill a run after so many seconds and run it again; return what is wrong afterwards."""
    command = level.command(out, processes)
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as run:
        time.sleep(seconds)
        run.kill()
    killed = run.returncode == -signal.SIGKILL
    if not killed and run.returncode != ExitCode.OK:
        return [f"it ended with {run.returncode} before it was killed"]
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    if again.returncode != ExitCode.OK:
        return [f"it ended with {again.returncode} when it was run again: {again.stderr[-2000:]}"]
    return [*differences(expected, content(out)), *wrong_checksums(out), *leftovers(out)]


def content(out: Path) -> dict[str, bytes]:
    """Return the files of an output folder by name, without what each run has of its own."""
    files = (path for path in out.rglob("*") if path.is_file())
    named = {path.relative_to(out): path for path in files}
    return {
        name.as_posix(): _without_time(path)
        for name, path in named.items()
        if not any(name.match(pattern) for pattern in _OWN_OF_A_RUN)
    }


def _without_time(path: Path) -> bytes:
    if path.suffix == ".html":
        return _TIME.sub(b"", path.read_bytes())
    if path.parent.name != "complete":
        return path.read_bytes()
    marker = json.loads(path.read_bytes())
    for name in marker["Files"]:
        if name.endswith(".html"):
            marker["Files"][name] = ""
    return json.dumps(marker).encode()


def wrong_checksums(out: Path) -> list[str]:
    """Say which files are not those that their markers tell."""
    markers = [json.loads(path.read_bytes()) for path in (out / "logs" / "complete").iterdir()]
    files = {name: checksum for marker in markers for name, checksum in marker["Files"].items()}
    return [
        f"{name} is not what its marker tells"
        for name, checksum in files.items()
        if sha256(out / name) != checksum
    ]


def differences(expected: dict[str, bytes], found: dict[str, bytes]) -> list[str]:
    """Say which files are lacking, too many or different."""
    lines = [f"{name} is lacking" for name in sorted(expected.keys() - found.keys())]
    lines += [f"{name} is too many" for name in sorted(found.keys() - expected.keys())]
    both = sorted(expected.keys() & found.keys())
    return lines + [f"{name} differs" for name in both if expected[name] != found[name]]


def leftovers(out: Path) -> list[str]:
    """Say what is staged or half moved."""
    return [
        f"{path.relative_to(out)} is left"
        for kind in ("staging", "moving")
        for path in (out / "logs").glob(f"{kind}/*")
    ]


def kill_runs(
    folder: Path, turns: Iterable[tuple[str, int]], seed: int
) -> Iterator[tuple[str, list[str]]]:
    """Kill a run for every turn; yield each with what is wrong after it."""
    moments = random.Random(seed)
    levels = write_levels(folder)
    undisturbed: dict[str, tuple[float, dict[str, bytes]]] = {}
    for number, (name, processes) in enumerate(turns):
        level = levels[name]
        if name not in undisturbed:
            out = folder / f"undisturbed-{name}"
            start = time.monotonic()
            subprocess.run(level.command(out, 1), check=True, capture_output=True)
            undisturbed[name] = time.monotonic() - start, content(out)
        whole, expected = undisturbed[name]
        seconds = moments.uniform(0.0, whole)
        out = folder / f"{name}-{number}"
        wrong = run_killed(level, processes, out, expected, seconds)
        yield f"{name}, {processes} process(es), killed after {seconds:.2f} of {whole:.1f} s", wrong
        if not wrong:
            shutil.rmtree(out)


def main(argv: Sequence[str] | None = None) -> int:
    """Kill runs as the arguments say, print each, and return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    given = parser.parse_args(argv)
    bad = 0
    with tempfile.TemporaryDirectory(prefix="myomids-kills-") as folder:
        turns = islice(cycle(TURNS), given.kills)
        for what, wrong in kill_runs(Path(folder), turns, given.seed):
            bad += bool(wrong)
            print(f"{what}: {'; '.join(wrong) or 'as if it had not been'}", flush=True)
    print(f"{given.kills - bad} of {given.kills} runs complete as if they had not been killed")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
