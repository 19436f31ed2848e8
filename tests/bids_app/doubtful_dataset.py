"""A small dataset with what must not count silently: a swapped map, and a muscle scanned twice.

``sub-01`` is sound, ``sub-02`` is a water fraction stored as fat fraction, ``sub-03`` has scans
``acq-a`` and ``acq-b`` of the same legs, the second with 20 % fat in the muscles, and ``sub-04`` a
sound scan ``acq-a`` and a water fraction ``acq-b``.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bids_app.cli import main
from bids_app.errors import ExitCode
from bids_app.files.reading import checksum
from tests.bids_app.small_dataset import MUSCLE_FF, legs, make_label_maps, write_image

OTHER_FF = 20.0
SCANS = (
    ("sub-01", lambda ff: ff),
    ("sub-02", lambda ff: 100 - ff),
    ("sub-03_acq-a", lambda ff: ff),
    ("sub-03_acq-b", lambda ff: np.where(ff == MUSCLE_FF, OTHER_FF, ff)),
    ("sub-04_acq-a", lambda ff: ff),
    ("sub-04_acq-b", lambda ff: 100 - ff),
)


def make_doubtful(root: Path) -> Path:
    """Write the dataset into ``in``, label maps into ``truth``, and process it into ``out``."""
    ff, labels = legs()
    dataset, maps = root / "in", make_label_maps(root / "truth", ())
    for name, change in SCANS:
        participant = name.partition("_")[0]
        _write_map(dataset / participant / "mr-quant" / f"{name}_FF", change, ff)
        image = f"{name}_desc-muscles_dseg.nii.gz"
        write_image(maps / participant / "mr-quant" / image, labels)
    (dataset / "dataset_description.json").write_text(
        json.dumps({"Name": "Doubtful legs (phantom)", "BIDSVersion": "1.10.0"})
    )
    (dataset / "participants.tsv").write_text(
        "participant_id\tsex\tage\tdiagnosis\n"
        + "".join(f"sub-0{n}\tF\t{30 + n}\tDYSF\n" for n in (1, 2, 3, 4))
    )
    command = [str(dataset), str(root / "out"), "participant", "--derivatives", f"truth={maps}"]
    assert main(command) == ExitCode.OK
    return root


def _write_map(start: Path, change: Callable[[np.ndarray], np.ndarray], ff: np.ndarray) -> None:
    write_image(start.with_name(f"{start.name}.nii.gz"), change(ff).astype(np.float32))
    start.with_name(f"{start.name}.json").write_text('{"Units": "percent"}')


def set_checks(out: Path, session: str, stack: str, **levels: str) -> None:
    """Write other checks of a stack into its sidecar, as if they had been found in processing."""
    name = "_".join(part for part in (session, stack, "FF.json") if part)
    path = out / session.partition("_")[0] / "mr-quant" / name
    content = json.loads(path.read_text())
    content["QualityChecks"] = [
        {"name": check, "level": level, "text": f"Found {check}."}
        for check, level in levels.items()
    ]
    path.write_text(json.dumps(content))
    seal(out, session, path)


def seal(out: Path, session: str, path: Path) -> None:
    """Have a file that was written by hand count as one of a session's results."""
    marker = out / "logs" / "complete" / f"{session}.json"
    about = json.loads(marker.read_text())
    about["Files"][path.relative_to(out).as_posix()] = checksum(path)
    marker.write_text(json.dumps(about))
