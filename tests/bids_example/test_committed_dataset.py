"""The dataset in the repository: valid, small, reproducible, and its truth can be recovered."""

import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bids_example.code import make_example
from bids_example.code.dataset_files import same_content
from bids_example.code.example_people import example_people
from pipelines.geometry import to_canonical
from pipelines.quantification.table import measure_muscles

SESSIONS = [("01", None), ("02", "1"), ("02", "2"), ("03", None), ("04", None)]
MAX_BYTES = 8_000_000


@pytest.fixture(scope="module")
def dataset(repository):
    return repository / "bids_example"


@pytest.fixture(scope="module")
def truth(dataset):
    table = dataset / "derivatives/truth/truth_muscles.tsv"
    return pd.read_csv(table, sep="\t", dtype={"participant": str, "session": str})


def stem(participant, session):
    folder = f"sub-{participant}" + (f"/ses-{session}" if session else "")
    name = f"sub-{participant}" + (f"_ses-{session}" if session else "")
    return f"{folder}/mr-quant/{name}"


def fat_fraction(dataset, participant, session):
    """Percent, straight from the stored numbers, NaN where both images are 0."""
    suffixes = next(p.files for p in example_people() if p.label == participant)
    images = {
        content: nib.load(dataset / f"{stem(participant, session)}_{suffix}.nii.gz").get_fdata()
        for suffix, content in suffixes.items()
    }
    if "ff_permille" in images:
        return images["ff_permille"] / 10
    total = images["water"] + images["fat"]
    return np.where(total > 0, 100 * images["fat"] / np.where(total > 0, total, 1), np.nan)


@pytest.mark.parametrize(("participant", "session"), SESSIONS)
def test_truth_is_recovered_with_the_true_masks(dataset, truth, participant, session):
    masks = dataset / "derivatives/truth" / f"{stem(participant, session)}_desc-muscles_dseg.nii.gz"
    image = nib.load(masks)
    labels, affine, _ = to_canonical(np.asarray(image.dataobj), image.affine)
    ff, _, _ = to_canonical(fat_fraction(dataset, participant, session), image.affine)
    table = measure_muscles(labels, ff, affine).muscles
    of_session = truth["session"].isna() if session is None else truth["session"] == session
    expected = truth[(truth["participant"] == participant) & of_session]
    found = table[table["level"] == "muscle"].merge(
        expected, on=["muscle", "side"], suffixes=("", "_true"), validate="1:1"
    )
    assert len(found) == 22
    assert (found["erosion"] == "in_plane").all()
    np.testing.assert_allclose(found["ff_mean"], found["ff_percent"], atol=0.3)
    np.testing.assert_allclose(found["volume_ml"], found["volume_ml_true"], rtol=0.01)
    np.testing.assert_array_equal(found["n_voxels"], found["n_voxels_true"])


def test_it_is_small_enough_to_be_committed(dataset):
    files = [p for p in dataset.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert sum(p.stat().st_size for p in files) < MAX_BYTES


def test_one_participant_made_again_is_the_committed_one(dataset, monkeypatch, tmp_path):
    """The whole dataset takes 15 s; ``make_example --check`` compares it all."""
    only = [p for p in example_people() if p.label == "03"]
    monkeypatch.setattr(make_example, "example_people", lambda: only)
    make_example.make_dataset(tmp_path)
    made = [p.relative_to(tmp_path) for p in tmp_path.rglob("sub-03*") if p.is_file()]
    assert len(made) == 5
    for path in made:
        assert same_content(tmp_path / path, dataset / path), path


@pytest.mark.parametrize("part", [".", "derivatives/truth"])
def test_the_official_validator_finds_no_error(dataset, tmp_path, part):
    program = shutil.which("bids-validator-deno", path=Path(sys.executable).parent)
    if program is None:
        pytest.skip("bids-validator-deno is not installed")
    copy = tmp_path / "dataset"
    shutil.copytree(dataset / part, copy, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run([program, str(copy)], capture_output=True, text=True, check=False)
    told = done.stdout + done.stderr
    assert "[ERROR]" not in told, told
    assert done.returncode == 0, told


def test_it_says_that_nobody_was_scanned(dataset):
    for name in ("dataset_description.json", "README"):
        text = (dataset / name).read_text(encoding="utf-8")
        assert "phantom" in text
        assert "imulated" in text
    people = pd.read_csv(dataset / "participants.tsv", sep="\t")
    assert (people["diagnosis"] == "phantom").all()
    assert list(people["participant_id"]) == ["sub-01", "sub-02", "sub-03", "sub-04"]
