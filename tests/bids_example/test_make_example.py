import dataclasses
import gzip
import json
import shutil
import subprocess
import sys

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bids_example.code import make_example
from bids_example.code.body import Scan
from bids_example.code.example_people import example_people
from bids_example.code.make_example import differences, main, make_dataset


def small_people():
    """Two people on a grid that takes no time: one with two sessions, one with an FF map."""
    scan = Scan(shape=(64, 44, 3), spacing=(6.0, 6.0, 90.0), orientation="LPS")
    return [
        dataclasses.replace(
            person,
            sessions=tuple(dataclasses.replace(s, scan=scan) for s in person.sessions),
        )
        for person in example_people()
        if person.label in ("02", "03")
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "example"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make_example, "example_people", small_people)
        make_dataset(root)
    return root


@pytest.fixture
def small(made, monkeypatch, tmp_path):
    """A copy that a test may change, while the program makes the small dataset only."""
    monkeypatch.setattr(make_example, "example_people", small_people)
    return shutil.copytree(made, tmp_path / "example")


def test_files_of_a_small_dataset(small):
    found = {p.relative_to(small).as_posix() for p in small.rglob("*") if p.is_file()}
    truth = "derivatives/truth"
    labels = [
        "sub-02/ses-1/mr-quant/sub-02_ses-1",
        "sub-02/ses-2/mr-quant/sub-02_ses-2",
        "sub-03/mr-quant/sub-03",
    ]
    expected = {
        ".bidsignore",
        "README",
        "dataset_description.json",
        "participants.json",
        "participants.tsv",
        f"{truth}/.bidsignore",
        f"{truth}/README",
        f"{truth}/dataset_description.json",
        f"{truth}/truth_muscles.json",
        f"{truth}/truth_muscles.tsv",
    }
    for extension in (".nii.gz", ".json"):
        expected |= {f"{labels[i]}_{kind}{extension}" for i in (0, 1) for kind in "WF"}
        expected.add(f"{labels[2]}_FF{extension}")
    for extension in (".nii.gz", ".json", ".tsv"):
        expected |= {f"{truth}/{stem}_desc-muscles_dseg{extension}" for stem in labels}
    assert found == expected


def test_a_second_run_gives_the_same_bytes(small, tmp_path):
    again = tmp_path / "again"
    make_dataset(again)
    for path in (p for p in small.rglob("*") if p.is_file()):
        assert (again / path.relative_to(small)).read_bytes() == path.read_bytes(), path


def test_gzip_headers_hold_no_time(small):
    header = (small / "sub-03/mr-quant/sub-03_FF.nii.gz").read_bytes()[:8]
    assert header[4:8] == bytes(4)


def test_check_finds_nothing_in_what_was_made(small, capsys):
    assert main(["--check", str(small)]) == 0
    assert capsys.readouterr().out == f"{small} is what the program makes.\n"


def test_check_names_every_difference(small, capsys):
    (small / "README").unlink()
    (small / "notes.txt").write_text("mine", encoding="utf-8")
    (small / "code").mkdir()
    (small / "code" / "phantom.py").touch()  # the program itself is not compared
    image = small / "sub-03/mr-quant/sub-03_FF.nii.gz"
    content = bytearray(gzip.decompress(image.read_bytes()))
    content[-1] ^= 1
    image.write_bytes(gzip.compress(bytes(content)))
    assert differences(small) == [
        "README: missing",
        "notes.txt: not part of the dataset",
        "sub-03/mr-quant/sub-03_FF.nii.gz: different content",
    ]
    assert main(["--check", str(small)]) == 1
    told = capsys.readouterr().out
    assert "is not what the program makes:\n  README: missing\n" in told
    assert f"python -m bids_example.code.make_example {small}" in told


def test_check_forgives_another_compression(small):
    image = small / "sub-03/mr-quant/sub-03_FF.nii.gz"
    packed = image.read_bytes()
    image.write_bytes(gzip.compress(gzip.decompress(packed), compresslevel=1))
    assert image.read_bytes() != packed
    assert differences(small) == []


def test_making_says_how_many_files(small, capsys):
    assert main([str(small)]) == 0
    assert capsys.readouterr().out == f"Made 29 files in {small}.\n"


def test_fat_fraction_map_of_a_console(small):
    image = nib.load(small / "sub-03/mr-quant/sub-03_FF.nii.gz")
    permille = np.asarray(image.dataobj)
    assert image.get_data_dtype() == np.int16
    assert permille.min() == 0
    assert 900 < np.percentile(permille[permille > 0], 95) <= 1000
    assert (permille == 0).mean() > 0.3
    sidecar = json.loads((small / "sub-03/mr-quant/sub-03_FF.json").read_text(encoding="utf-8"))
    assert "Units" not in sidecar
    assert sidecar["PulseSequenceType"] == "FF Map"


def test_images_say_where_they_are(small):
    image = nib.load(small / "sub-02/ses-1/mr-quant/sub-02_ses-1_W.nii.gz")
    assert nib.aff2axcodes(image.affine) == ("L", "P", "S")
    assert image.header.get_xyzt_units()[0] == "mm"
    assert int(image.header["sform_code"]) == int(image.header["qform_code"]) == 1
    np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-4)


def test_truth_labels_are_named(small):
    stem = small / "derivatives/truth/sub-03/mr-quant/sub-03_desc-muscles_dseg"
    table = pd.read_csv(stem.with_suffix(".tsv"), sep="\t")
    values = set(np.unique(np.asarray(nib.load(stem.with_suffix(".nii.gz")).dataobj)).tolist())
    assert set(table["index"]) == values - {0}
    row = table.set_index("index").loc[2012]
    assert row.to_dict() == {
        "name": "right_sartorius",
        "abbreviation": "SA",
        "color": "#f2896d",
        "muscle": "sartorius",
        "side": "right",
        "region": "thigh",
    }


def test_people_of_the_example():
    people = {p.label: p for p in example_people()}
    assert list(people) == ["01", "02", "03", "04"]
    assert [s.label for s in people["02"].sessions] == ["1", "2"]
    first, second = (s.body for s in people["02"].sessions)
    # The disease progresses in every muscle, in the same body.
    assert all(second.fat_percent[m] > first.fat_percent[m] for m in first.fat_percent)
    assert first.seed == second.seed
    for person in people.values():
        for session in person.sessions:
            assert len(session.body.fat_percent) == 22
    healthy = people["01"].sessions[0].body.fat_percent
    assert max(healthy.values()) < 10
    assert min(healthy.values()) > 4  # far above the noise floor of 0.8 %
    uneven = people["03"].sessions[0].body.fat_percent
    assert uneven["semimembranosus", "left"] - uneven["semimembranosus", "right"] == 44


def test_run_as_a_module(repository):
    """The way the Makefile calls it."""
    done = subprocess.run(
        [sys.executable, "-m", "bids_example.code.make_example", "--help"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "--check" in done.stdout
