import csv
import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from pipelines.anatomy.vocabulary import muscles
from tests.bids_app.small_dataset import SHAPE, legs, write_image

ROWS = ("muscle\trectus_femoris", "muscle\tsemitendinosus", "group\tquadriceps")
TABLE = "level\tmuscle\tside\n" + "".join(f"{row}\tleft\n" for row in ROWS)


def write_session(root: Path, participant: str, session: str = "") -> None:
    """Write what the example reads of one session, with one muscle more in the look-up table."""
    name = f"sub-{participant}" + (f"_ses-{session}" if session else "")
    folder = root / f"sub-{participant}" / (f"ses-{session}" if session else "") / "mr-quant"
    ff, labels = legs()
    write_image(folder / f"{name}_FF.nii.gz", ff.astype(np.float32))
    write_image(folder / f"{name}_desc-muscles_dseg.nii.gz", labels)
    rows = [
        f"{muscles()[muscle].value('left')}\t{muscle}\tleft\n"
        for muscle in ("rectus_femoris", "semitendinosus", "sartorius")
    ]
    look_up = folder / f"{name}_desc-muscles_dseg.tsv"
    look_up.write_text("index\tmuscle\tside\n" + "".join(rows))
    (folder / f"{name}_desc-muscles_stats.tsv").write_text(TABLE)


def test_muscles_of_all_sessions_are_listed(repository: Path, tmp_path: Path) -> None:
    derivatives = tmp_path / "derivatives"
    derivatives.mkdir()
    description = {
        "Name": "x",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "MyoMIDS"}],
    }
    (derivatives / "dataset_description.json").write_text(json.dumps(description))
    write_session(derivatives, "01")
    write_session(derivatives, "02", "1")
    write_session(derivatives, "02", "2")
    script = repository / "docs" / "examples" / "pyradiomics_batch.py"
    batch = tmp_path / "batch.csv"
    subprocess.run([sys.executable, str(script), str(derivatives), str(batch)], check=True)
    with batch.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    whose = [(row["participant"], row["session"], row["muscle"], row["side"]) for row in rows]
    assert whose == [
        (participant, session, muscle, "left")
        for participant, session in (("01", "n/a"), ("02", "1"), ("02", "2"))
        for muscle in ("rectus_femoris", "semitendinosus")
    ]
    for row in rows:
        mask = np.asarray(nib.load(row["Mask"]).dataobj)
        assert mask.shape == SHAPE
        assert (mask == int(row["Label"])).any()
        assert Path(row["Image"]).parent == Path(row["Mask"]).parent
