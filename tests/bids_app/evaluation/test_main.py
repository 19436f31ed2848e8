"""The comparison of two folders, from the command line to the tables."""

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bids_app.errors import ExitCode
from bids_app.evaluation.__main__ import main, parse_options
from pipelines.anatomy.vocabulary import muscles
from tests.bids_app.mids_tree import AFFINE, make_tree, nifti_bytes

SARTORIUS, GRACILIS = muscles()["sartorius"], muscles()["gracilis"]
TABLE = (
    "index\tname\tmuscle\tside\n"
    f"{SARTORIUS.value('left')}\tx\tsartorius\tleft\n{GRACILIS.value('right')}\ty\tgracilis\tright\n"
)
CASE = "sub-01/mr-quant/sub-01"


def labels(first: int = 1, *, gracilis: bool = True) -> np.ndarray:
    """A sartorius of 4 x 3 x 2 voxels that starts at `first`, and a gracilis."""
    image = np.zeros((12, 8, 4), np.uint16)
    image[first : first + 4, 2:5, 1:3] = SARTORIUS.value("left")
    if gracilis:
        image[9:11, 2:5, 1:3] = GRACILIS.value("right")
    return image


def fat() -> np.ndarray:
    """Fat fraction that rises by 10 points per voxel from left to right."""
    rising = 10 * np.arange(12, dtype=np.float32)[:, None, None]
    return np.ascontiguousarray(np.broadcast_to(rising.clip(0, 100), (12, 8, 4)))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A reference, labels one voxel aside of it that miss the gracilis, and where results go."""
    reference = {"dseg.tsv": TABLE, f"{CASE}_desc-manual_dseg.nii.gz": labels()}
    evaluated = {
        f"{CASE}_desc-muscles_dseg.tsv": TABLE,
        f"{CASE}_desc-muscles_dseg.nii.gz": labels(2, gracilis=False),
        f"{CASE}_FF.nii.gz": fat(),
    }
    return (
        make_tree(tmp_path / "reference", reference),
        make_tree(tmp_path / "evaluated", evaluated),
        tmp_path / "out" / "evaluation",
    )


def run(folders: tuple[Path, Path, Path], *options: str) -> int:
    return main([*map(str, folders), *options])


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


def refused(capsys, code: ExitCode, *words: str) -> None:
    """Check that the last lines say what is wrong and name the code."""
    printed = capsys.readouterr().err
    for word in words:
        assert word in printed
    last = printed.strip().splitlines()[-1]
    assert last.endswith(f"exit code {int(code)} ({code.name})")


class TestResults:
    def test_tables(self, folders, capsys):
        assert run(folders) == ExitCode.OK
        sartorius, gracilis = read(folders[2] / "evaluation_muscles.tsv")
        assert (sartorius["case"], sartorius["muscle"], sartorius["side"]) == (
            "sub-01",
            "sartorius",
            "left",
        )
        assert (sartorius["status"], gracilis["status"]) == ("compared", "absent")
        # 3 of 4 columns are shared; voxels of 1 x 2 x 10 mm.
        assert float(sartorius["dice"]) == 0.75
        assert float(sartorius["volume_reference_ml"]) == pytest.approx(24 * 0.02)
        # Fat fractions 10, 20, 30, 40 % against 20, 30, 40, 50 %.
        assert float(sartorius["ff_reference"]) == 25
        assert float(sartorius["ff_error"]) == 10
        assert sartorius["t2_error"] == gracilis["dice"] == gracilis["ff_error"] == "n/a"
        printed = capsys.readouterr().err.strip().splitlines()
        assert "INFO    dice: 0.75 (n = 1)" in printed
        assert "INFO    absent: 1 of 2 muscles (50.00 %)" in printed
        assert printed[-1].endswith("exit code 0 (OK)")

    def test_summary_and_figures(self, folders):
        assert run(folders) == ExitCode.OK
        summary = read(folders[2] / "evaluation_summary.tsv")
        overall = {row["metric"]: row for row in summary if row["scope"] == "all"}
        assert overall["dice"]["absence_rate"] == "50"
        assert overall["ff_error"]["g20_plus_mean"] == "10"
        assert overall["ff_error"]["p_value"] == "n/a"
        assert "t2_error" not in overall
        figures = sorted(path.name for path in folders[2].glob("*.svg"))
        assert figures == ["bland_altman_ff.svg", "bland_altman_volume.svg"]
        figure = (folders[2] / "bland_altman_ff.svg").read_text()
        assert "bias 10.00" in figure
        assert "fat fraction: evaluated - reference (%)" in figure

    def test_json_describes_every_column(self, folders):
        run(folders)
        for table in ("muscles", "summary"):
            described = json.loads((folders[2] / f"evaluation_{table}.json").read_text())
            assert set(read(folders[2] / f"evaluation_{table}.tsv")[0]) <= described.keys()
            assert described["Reference"] == str(folders[0])
            assert described["GeneratedBy"][0]["Name"] == "MyoMIDS"

    def test_the_same_input_gives_the_same_files(self, folders):
        run(folders)
        first = {path.name: path.read_bytes() for path in folders[2].iterdir()}
        run(folders)
        assert {path.name: path.read_bytes() for path in folders[2].iterdir()} == first

    def test_figures_of_an_earlier_evaluation_go(self, folders):
        run(folders)
        (folders[1] / f"{CASE}_FF.nii.gz").unlink()
        assert run(folders) == ExitCode.OK
        assert [p.name for p in folders[2].glob("*.svg")] == ["bland_altman_volume.svg"]
        assert "mean volume of reference" in (folders[2] / "bland_altman_volume.svg").read_text()

    def test_other_maps(self, folders, tmp_path):
        t2 = fat()
        t2[4] = 0
        maps = {f"{CASE}_T2map.nii.gz": t2, "plain/sub-01_x-ratio.nii.gz": fat()}
        make_tree(tmp_path / "maps", maps)
        pattern = tmp_path / "maps" / "plain" / "*.nii.gz"
        assert run(folders, "--map", f"T2={tmp_path / 'maps'}", f"MTR={pattern}") == ExitCode.OK
        sartorius, _ = read(folders[2] / "evaluation_muscles.tsv")
        assert float(sartorius["mtr_error"]) == 10
        # T2 of 0 is no value: means of 10, 20, 30 and of 20, 30, 50.
        assert float(sartorius["t2_error"]) == pytest.approx(100 / 3 - 20, rel=1e-5)

    def test_stored_orientation_does_not_matter(self, folders):
        flip = np.diag([-1.0, 1.0, 1.0, 1.0])
        flip[0, 3] = 11
        for folder in folders[:2]:
            for path in folder.rglob("*.nii.gz"):
                data = {"manual": labels(), "muscles": labels(2, gracilis=False)}
                image = next((data[d] for d in data if d in path.name), fat())
                path.write_bytes(gzip.compress(nifti_bytes(image[::-1].copy(), AFFINE @ flip)))
        assert run(folders) == ExitCode.OK
        sartorius, _ = read(folders[2] / "evaluation_muscles.tsv")
        assert (sartorius["side"], sartorius["dice"], sartorius["ff_error"]) == (
            "left",
            "0.75",
            "10",
        )

    def test_plain_names_and_named_label_maps(self, tmp_path):
        image = np.where(labels() == SARTORIUS.value("left"), 1, 0).astype(np.uint8)
        table = tmp_path / "mine.tsv"
        table.write_text("value\tlabel\tmuscle\tside\n1\tSA\tsartorius\tleft\n")
        reference = make_tree(tmp_path / "a", {"case1.nii.gz": image, "case2.nii.gz": image})
        evaluated = make_tree(tmp_path / "b", {"case1.nii.gz": image, "case1_FF.nii.gz": fat()})
        named = ("--reference-labels", str(table), "--evaluated-labels", str(table))
        assert run((reference, evaluated, tmp_path / "c"), *named) == ExitCode.OK
        (row,) = read(tmp_path / "c" / "evaluation_muscles.tsv")
        assert (row["case"], row["dice"], row["ff_reference"]) == ("case1", "1", "25")

    def test_unpaired_files_are_named(self, folders, capsys):
        odd = folders[1] / "sub-02/sub-02_dseg.nii.gz"
        make_tree(folders[1], {"sub-02/sub-02_dseg.nii.gz": None})
        assert run(folders) == ExitCode.OK
        assert f"{odd} has no counterpart; it is left out." in capsys.readouterr().err
        described = json.loads((folders[2] / "evaluation_muscles.json").read_text())
        assert described["Unpaired"] == [str(odd)]

    def test_missing_map_of_one_case_is_said(self, folders, tmp_path, capsys):
        other = make_tree(tmp_path / "maps", {"sub-02_MTRmap.nii.gz": None})
        assert run(folders, "--map", f"MTR={other}") == ExitCode.OK
        assert "sub-01: no MTR map; its errors are n/a." in capsys.readouterr().err


class TestRefusals:
    def test_other_grid_names_both_files(self, folders, capsys):
        path = folders[1] / f"{CASE}_desc-muscles_dseg.nii.gz"
        path.write_bytes(gzip.compress(nifti_bytes(labels()[:-1].copy())))
        assert run(folders) == ExitCode.BAD_DATA
        reference = folders[0] / f"{CASE}_desc-manual_dseg.nii.gz"
        refused(
            capsys,
            ExitCode.BAD_DATA,
            f"{path} (11 x 8 x 4 voxels",
            f"{reference} (12 x 8 x 4 voxels",
            "are not on the same grid",
        )
        assert not list(folders[2].glob("*.tsv"))

    def test_fractions_are_refused(self, folders, capsys):
        path = folders[1] / f"{CASE}_FF.nii.gz"
        path.write_bytes(gzip.compress(nifti_bytes(fat() / 100)))
        assert run(folders) == ExitCode.BAD_DATA
        refused(capsys, ExitCode.BAD_DATA, f"{path} holds fractions, not percent", "by 100")

    @pytest.mark.parametrize("which", [0, 1])
    def test_empty_folder(self, folders, tmp_path, which, capsys):
        (tmp_path / "empty").mkdir()
        chosen = list(folders)
        chosen[which] = tmp_path / "empty"
        assert run(tuple(chosen)) == ExitCode.INPUT_MISSING
        refused(capsys, ExitCode.INPUT_MISSING, f"{tmp_path / 'empty'} holds no label image.")

    def test_absent_folder(self, folders, tmp_path, capsys):
        assert run((tmp_path / "nowhere", *folders[1:])) == ExitCode.INPUT_MISSING
        refused(capsys, ExitCode.INPUT_MISSING, f"{tmp_path / 'nowhere'} cannot be read")

    def test_no_pairs(self, folders, tmp_path, capsys):
        other = make_tree(tmp_path / "other", {"sub-09_dseg.nii.gz": None})
        assert run((folders[0], other, folders[2])) == ExitCode.NOTHING_SELECTED
        refused(capsys, ExitCode.NOTHING_SELECTED, "sub-09_dseg.nii.gz", "belongs to one of")

    def test_no_lookup(self, folders, capsys):
        (folders[0] / "dseg.tsv").unlink()
        assert run(folders) == ExitCode.BAD_DATA
        words = "Nothing says what the values of", "--reference-labels"
        refused(capsys, ExitCode.BAD_DATA, *words, "sub-01_desc-manual_dseg.tsv")

    def test_two_candidates(self, folders, capsys):
        make_tree(folders[1], {f"{CASE}_desc-other_dseg.nii.gz": None})
        assert run(folders) == ExitCode.BAD_DATA
        refused(capsys, ExitCode.BAD_DATA, "Several images fit", "desc-other_dseg.nii.gz")

    def test_two_references_of_one_scan(self, folders, capsys):
        make_tree(folders[0], {f"{CASE}_desc-second_dseg.nii.gz": None})
        assert run(folders) == ExitCode.BAD_DATA
        refused(capsys, ExitCode.BAD_DATA, "Several images fit", "desc-second_dseg.nii.gz")

    def test_map_not_found(self, folders, tmp_path, capsys):
        place = tmp_path / "none" / "*.nii.gz"
        assert run(folders, "--map", f"T2={place}") == ExitCode.INPUT_MISSING
        refused(
            capsys, ExitCode.INPUT_MISSING, f"--map T2={place} finds no image", "*_T2map.nii.gz"
        )

    def test_output_is_input(self, folders, capsys):
        assert run((*folders[:2], folders[1])) == ExitCode.USAGE
        refused(capsys, ExitCode.USAGE, "The output folder is an input folder")

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["a"], "required: evaluated_dir, output_dir"),
            (["a", "b", "c", "--map", "R2=d"], "'R2=d' is not of the form"),
            (["a", "b", "c", "--map", "FF="], "NAME one of FF, T2, MTR"),
            (["a", "b", "c", "--map", "FF=d", "--map", "FF=e"], "--map names a biomarker twice"),
            (["a", "b", "c", "--wrong"], "unrecognized arguments: --wrong"),
        ],
    )
    def test_usage(self, arguments, words, capsys):
        assert main(arguments) == ExitCode.USAGE
        refused(capsys, ExitCode.USAGE, words)

    def test_output_is_a_file(self, folders, tmp_path, capsys):
        (tmp_path / "file").write_text("")
        assert run((*folders[:2], tmp_path / "file")) == ExitCode.CANNOT_CREATE
        refused(capsys, ExitCode.CANNOT_CREATE, f"{tmp_path / 'file'} cannot be written to")

    def test_writing_fails(self, folders, capsys):
        make_tree(folders[2], {"evaluation_summary.tsv/": None})
        assert run(folders) == ExitCode.IO_FAILURE
        refused(capsys, ExitCode.IO_FAILURE, "Writing the results failed")

    def test_labels_without_any_label(self, folders, capsys):
        path = folders[1] / f"{CASE}_desc-muscles_dseg.nii.gz"
        path.write_bytes(gzip.compress(nifti_bytes(np.zeros((12, 8, 4), np.uint16))))
        assert run(folders) == ExitCode.BAD_DATA
        refused(capsys, ExitCode.BAD_DATA, f"{path} is blank")


class TestPairing:
    """Which of several evaluated label images is taken for one reference."""

    @pytest.mark.parametrize(
        ("reference", "evaluated", "paired"),
        [
            ("sub-01_dseg", ["sub-01_acq-x_desc-muscles_dseg"], True),
            ("sub-01_acq-x_dseg", ["sub-01_acq-y_dseg"], False),
            ("sub-01_acq-x_dseg", ["sub-01_acq-x_dseg", "sub-01_dseg"], True),
            ("sub-01_ses-1_dseg", ["sub-01_dseg"], False),
            ("sub-01_dseg", ["sub-1_dseg"], False),
            ("sub-01_dseg", ["sub-01_label-SA_dseg", "sub-01_dseg"], True),
            ("knee_dseg", ["knee_dseg", "ankle_dseg"], True),
        ],
    )
    def test_names(self, tmp_path, reference, evaluated, paired, caplog):
        image = labels()
        roots = [
            make_tree(tmp_path / "a", {f"{reference}.nii.gz": image, f"{reference}.tsv": TABLE}),
            make_tree(
                tmp_path / "b",
                {
                    name: content
                    for stem in evaluated
                    for name, content in ((f"{stem}.nii.gz", image), (f"{stem}.tsv", TABLE))
                },
            ),
        ]
        code = run((*roots, tmp_path / "c"))
        assert code == (ExitCode.OK if paired else ExitCode.NOTHING_SELECTED)


def test_options_are_read():
    options = parse_options(["a", "b", "c", "--map", "FF=d", "T2=e*", "--evaluated-labels", "m"])
    assert options.maps == {"FF": "d", "T2": "e*"}
    assert (options.reference_labels, options.evaluated_labels) == (None, "m")


def test_help_imports_nothing_heavy(repository):
    code = (
        "import sys; from bids_app.evaluation.__main__ import parse_options\n"
        "try: parse_options(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'bids', 'nibabel', 'matplotlib', 'torch'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "python -m bids_app.evaluation" in done.stdout
