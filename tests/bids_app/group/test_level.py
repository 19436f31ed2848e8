"""The group level without a model: what is gathered, harmonized and written."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from bids_app.files import group_files
from tests.bids_app.score_study import MUSCLES, PEOPLE, SCORES, people_text, score_text, write_study
from tests.bids_app.small_dataset import MUSCLE_FF, make_dataset, make_label_maps

OWN = ("01", "02")


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", keep_default_na=False, na_values=["n/a"])


def run(dataset: Path, out: Path, *options: str) -> int:
    return main([str(dataset), str(out), "group", *options])


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the group level on four people scored 0-4."""
    root = tmp_path_factory.mktemp("scored")
    assert run(write_study(root / "in"), root / "out") == ExitCode.OK
    return root / "out"


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the participant level on two phantoms; the dataset lies beside them."""
    root = tmp_path_factory.mktemp("processed")
    dataset = make_dataset(root / "in", OWN)
    (dataset / "participants.tsv").write_text(
        "participant_id\tsex\tage\tdiagnosis\nsub-01\tF\t30\tn/a\nsub-02\tM\t50\tDYSF\n"
    )
    maps = make_label_maps(root / "truth", OWN)
    command = [str(dataset), str(root / "out"), "participant", "--derivatives", f"truth={maps}"]
    assert main(command) == ExitCode.OK
    return root


def test_every_score_is_gathered_with_its_place(scored: Path) -> None:
    table = read(scored / "group_muscles.tsv")
    given = [value for row in SCORES for value in row]
    assert len(table) == len(given) - given.count("n/a")
    first = table[table["sample"] == "raw/sub-02"]
    assert first["score"].tolist() == [float(value) for value in SCORES[1]]
    assert first["muscle"].tolist() == [m for m in MUSCLES for _ in "LR"]
    assert first["side"].tolist() == ["left", "right"] * len(MUSCLES)
    assert set(first["row"]) == {3}
    assert first["column"].iloc[0] == "vastus_lateralis_L"
    assert set(table["source"]) == {"bids:raw:phenotype/mri.tsv"}
    assert table["session"].isna().all()


def test_features_are_those_worked_out_by_hand(scored: Path) -> None:
    """0-4 to 0-100, mean of sides, minus the mean of the other muscles."""
    table = read(scored / "group_scores.tsv").set_index("sample")
    percent = {
        muscle: 100 / 4 * (float(SCORES[1][2 * i]) + float(SCORES[1][2 * i + 1])) / 2
        for i, muscle in enumerate(MUSCLES)
    }
    for muscle, own in percent.items():
        others = [value for name, value in percent.items() if name != muscle]
        expected = own - sum(others) / len(others)
        assert table.loc["raw/sub-02", muscle] == pytest.approx(expected, abs=1e-3)
    differences = [
        25 * abs(float(SCORES[1][2 * i]) - float(SCORES[1][2 * i + 1])) for i in range(4)
    ]
    assert table.loc["raw/sub-02", "mean_involvement"] == pytest.approx(sum(percent.values()) / 4)
    assert table.loc["raw/sub-02", "asymmetry_mean"] == pytest.approx(sum(differences) / 4)
    assert table["sex"].fillna("n/a").tolist() == [person[1] for person in PEOPLE]
    assert table["diagnosis"].fillna("n/a").tolist() == [person[3] for person in PEOPLE]
    assert pd.isna(table.loc["raw/sub-03", "soleus"])
    assert pd.isna(table.loc["raw/sub-01", "gluteus_maximus"])


def test_large_tables_are_compressed_and_the_page_is_the_same(
    scored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert run(scored.parent / "in", out) == ExitCode.OK
    plain, page = read(out / "group_trace.tsv"), section(out, "harmonization")
    monkeypatch.setattr(group_files, "MOST_PLAIN_ROWS", 3)
    assert run(scored.parent / "in", out) == ExitCode.OK
    assert not (out / "group_trace.tsv").exists()
    assert (out / "group_trace.json").is_file()
    packed = out / "group_trace.tsv.gz"
    assert packed.read_bytes()[4:8] == bytes(4)  # no time, so that equal tables are equal files
    pd.testing.assert_frame_equal(read(packed), plain)
    assert section(out, "harmonization") == page
    assert 'href="group_trace.tsv.gz"' in (out / "group.html").read_text()
    monkeypatch.undo()
    assert run(scored.parent / "in", out) == ExitCode.OK
    assert not packed.exists()


def section(out: Path, name: str) -> str:
    """Return one section of the page of the cohort."""
    page = (out / "group.html").read_text()
    return page.partition(f'<section id="{name}">')[2].partition("</section>")[0]


def test_a_feature_can_be_traced_to_its_cells(scored: Path) -> None:
    trace = read(scored / "group_trace.tsv")
    rows = trace[(trace["sample"] == "raw/sub-04") & (trace["muscle"] == "soleus")]
    assert rows["row"].tolist() == [5, 5]
    assert rows["column"].tolist() == ["soleus_L", "soleus_R"]
    assert rows["score"].tolist() == [0.0, 1.0]
    assert set(rows["score_0_100"]) == {12.5}
    features = read(scored / "group_scores.tsv").set_index("sample")
    assert rows["relative"].iloc[0] == pytest.approx(features.loc["raw/sub-04", "soleus"], abs=1e-3)


def test_sidecars_describe_exactly_the_columns(scored: Path) -> None:
    for path in scored.glob("group_*.tsv"):
        described = json.loads(path.with_suffix(".json").read_text())
        columns = list(read(path).columns)
        assert [name for name in described if name in columns] == columns
        assert set(described) - set(columns) == {"TableDescription", "GeneratedBy"}
        assert all(described[name]["Description"] for name in columns)


def test_no_file_names_a_folder_of_the_machine(scored: Path) -> None:
    for path in scored.glob("group*"):
        assert str(scored.parent) not in path.read_text()


def test_the_page_needs_no_other_file_and_counts_the_cohort(scored: Path) -> None:
    page = (scored / "group.html").read_text()
    assert "<b>4</b> samples" in page
    assert "<b>4</b> patients" in page
    assert "4 samples are too few for a leakage audit" in page
    assert "Not a medical device" in page
    assert 'src="' not in page


def test_our_own_results_are_fat_fractions_with_people(
    processed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(processed / "in", processed / "out") == ExitCode.OK
    table = read(processed / "out" / "group_muscles.tsv")
    assert set(table["scale"]) == {"FF"}
    assert set(table["muscle"]) == {"rectus_femoris", "semitendinosus"}
    assert len(table) == 2 * 2 * len(OWN)
    assert table["score"].to_numpy() == pytest.approx(MUSCLE_FF, abs=0.5)
    stats = "sub-02/mr-quant/sub-02_desc-muscles_stats.tsv"
    assert set(table["source"]) == {f"bids:raw:{stats}", f"bids:raw:{stats.replace('02', '01')}"}
    people = read(processed / "out" / "group_scores.tsv").set_index("sample")
    assert people.loc["raw/sub-02", ["sex", "age", "diagnosis"]].tolist() == ["M", 50.0, "DYSF"]
    assert "phantom data, no person was scanned" in (processed / "out" / "group.html").read_text()


def test_results_of_other_folders_are_gathered_with_the_people_of_their_dataset(
    processed: Path, tmp_path: Path
) -> None:
    other = write_study(tmp_path / "in")
    options = ["--derivatives", f"lab={processed / 'out'}", "--participant-label", "02"]
    assert run(other, tmp_path / "out", *options) == ExitCode.OK
    people = read(tmp_path / "out" / "group_scores.tsv").set_index("sample")
    assert list(people.index) == ["lab/sub-02", *(f"raw/{person[0]}" for person in PEOPLE)]
    assert people.loc["lab/sub-02", ["sex", "age"]].tolist() == ["M", 50.0]
    links = json.loads((tmp_path / "out" / "dataset_description.json").read_text())["DatasetLinks"]
    assert set(links) == {"raw", "lab"}


def test_one_output_folder_under_two_names_is_refused(
    processed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = processed / "out"
    options = ["--derivatives", f"a={folder}", "--derivatives", f"b={folder}"]
    assert run(tmp_path, tmp_path / "out", *options) == ExitCode.BAD_DATA
    error = capsys.readouterr().err
    assert "bids:a:sub-01/" in error
    assert "and bids:b:sub-01/" in error
    assert "are the same table." in error


def test_a_study_named_in_participants_tsv_is_the_study(tmp_path: Path) -> None:
    header, *rows = people_text().splitlines()
    named = [
        f"{header}\tstudy",
        *(f"{row}\tleeds" for row in rows[:2]),
        *(f"{r}\tn/a" for r in rows[2:]),
    ]
    dataset = write_study(tmp_path / "in", people="\n".join(named) + "\n")
    assert run(dataset, tmp_path / "out") == ExitCode.OK
    table = read(tmp_path / "out" / "group_scores.tsv")
    assert table["study"].tolist() == ["leeds", "leeds", "raw", "raw"]
    assert table["age"].tolist()[:2] == [34.0, 41.0]


def test_ages_of_sessions_come_before_those_of_participants(tmp_path: Path) -> None:
    lines = score_text().splitlines()
    scores = [lines[0].replace("participant_id", "participant_id\tsession_id")]
    scores += [lines[1].replace("sub-01", f"sub-01\tses-{visit}") for visit in ("a", "b")]
    dataset = write_study(tmp_path / "in", scores="\n".join(scores) + "\n")
    (dataset / "sub-01").mkdir()
    (dataset / "sub-01" / "sub-01_sessions.tsv").write_text("session_id\tage\nses-a\t36\n")
    assert run(dataset, tmp_path / "out") == ExitCode.OK
    table = read(tmp_path / "out" / "group_scores.tsv").set_index("sample")
    assert table["age"].to_dict() == {"raw/sub-01_ses-a": 36.0, "raw/sub-01_ses-b": 34.0}
    assert table["session"].tolist() == ["a", "b"]


def test_a_muscle_map_teaches_names(tmp_path: Path) -> None:
    dataset = write_study(tmp_path / "in", scores=score_text().replace("gracilis", "slender one"))
    (tmp_path / "map.tsv").write_text("source_name\tmuscle\nslender one\tgracilis\nsoleus\tn/a\n")
    options = ["--muscle-map", str(tmp_path / "map.tsv")]
    assert run(dataset, tmp_path / "out", *options) == ExitCode.OK
    muscles = set(read(tmp_path / "out" / "group_muscles.tsv")["muscle"])
    assert muscles == {"vastus_lateralis", "gracilis", "semitendinosus"}


def test_rare_options_of_harmonization_are_used_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = write_study(tmp_path / "in")
    config = tmp_path / "settings.yaml"
    config.write_text("harmonization_options: {coverage: 0.9}\n")
    options = ["--config-file", str(config), "--harmonization", "ranks"]
    assert run(dataset, tmp_path / "out", *options) == ExitCode.OK
    scores = read(tmp_path / "out" / "group_scores.tsv")
    assert "gracilis" in scores
    assert "soleus" not in scores
    config.write_text("harmonization_options: {coverge: 0.9}\n")
    assert run(dataset, tmp_path / "out", *options) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert "Harmonization has no option 'coverge'." in error
    assert "coverage" in error


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ("draws: many", "Harmonization draws cannot be 'many'."),
        ("draws: true", "Harmonization draws cannot be True."),
        ("draws: 0", "Number of draws 0 is below 1."),
        ("seed: 1.5", "Harmonization seed cannot be 1.5."),
        ("coverage: half", "Harmonization coverage cannot be 'half'."),
        ("relative: 1", "Harmonization relative cannot be 1."),
        ("method: [ranks]", "Harmonization method ['ranks'] is unknown."),
        ("thresholds: {0-4: [1, 2]}", "Harmonization has no option 'thresholds'."),
    ],
)
def test_impossible_options_of_harmonization_are_usage_errors(
    choices: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text(f"harmonization_options: {{{choices}}}\n")
    dataset = write_study(tmp_path / "in")
    options = ["--config-file", str(config)]
    assert run(dataset, tmp_path / "out", *options) == ExitCode.USAGE
    assert message in capsys.readouterr().err


def test_thresholds_that_nothing_would_use_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"0-4\t{g}\t{20 * g}\t{20 * g + 20}\n" for g in range(5))
    (tmp_path / "t.tsv").write_text(f"scale\tgrade\tlower\tupper\n{rows}")
    dataset, options = write_study(tmp_path / "in"), ["--scale-thresholds", str(tmp_path / "t.tsv")]
    assert run(dataset, tmp_path / "out", *options) == ExitCode.USAGE
    assert "--scale-thresholds has no effect without dither." in capsys.readouterr().err
    assert run(dataset, tmp_path / "out", *options, "--harmonization", "dither") == ExitCode.OK


def test_files_of_an_earlier_result_do_not_stay_behind(processed: Path, tmp_path: Path) -> None:
    dataset = write_study(tmp_path / "in")
    assert run(dataset, tmp_path / "out") == ExitCode.OK
    stale = tmp_path / "out" / "group_stale.tsv"
    marker = tmp_path / "out" / "logs" / "complete" / "group.json"
    content = json.loads(marker.read_text())
    stale.write_text("x\n")
    content["Files"]["group_stale.tsv"] = "0"
    marker.write_text(json.dumps(content))
    assert run(dataset, tmp_path / "out") == ExitCode.OK
    assert not stale.exists()


def test_a_dry_run_lists_tables_and_writes_nothing(
    processed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_study(tmp_path / "in")
    out = tmp_path / "out"
    options = [
        "--derivatives",
        f"lab={processed / 'out'}",
        "--study",
        f"leeds={other}",
        "--dry-run",
    ]
    assert run(tmp_path, out, *options) == ExitCode.OK
    said = capsys.readouterr().out
    assert f"lab: 2 complete session(s) in {processed / 'out'}" in said
    assert "phenotype/mri.tsv: 4 row(s), scale 0-4" in said
    assert said.splitlines()[-1] == "dry run: nothing was written"
    assert not out.exists()


def test_a_result_that_was_edited_is_refused(processed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(processed / "out", copy)
    stats = copy / "sub-01" / "mr-quant" / "sub-01_desc-muscles_stats.tsv"
    stats.write_text(stats.read_text().replace("rectus_femoris", "sartorius"))
    assert run(tmp_path, tmp_path / "out", "--derivatives", f"lab={copy}") == ExitCode.BAD_DATA


def test_sessions_that_are_not_complete_are_left_out_and_named(
    processed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(processed / "out", copy)
    (copy / "logs" / "complete" / "sub-01.json").rename(copy / "logs" / "failed-sub-01.json")
    (copy / "logs" / "failed").mkdir()
    (copy / "logs" / "failed" / "sub-01.json").write_text("{}")
    assert run(tmp_path, tmp_path / "out", "--derivatives", f"lab={copy}") == ExitCode.OK
    assert set(read(tmp_path / "out" / "group_scores.tsv")["sample"]) == {"lab/sub-02"}
    assert "1 session(s) failed and are left out: sub-01." in capsys.readouterr().err
    assert "failed and are left out" in (tmp_path / "out" / "group.html").read_text()


def test_nothing_to_gather_is_said_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    assert run(tmp_path / "in", tmp_path / "out") == ExitCode.NOTHING_SELECTED
    error = capsys.readouterr().err
    assert "There is nothing to gather" in error
    assert "--study NAME=PATH" in error
    assert run(tmp_path / "in", tmp_path / "out", "--study", "x=/nowhere") == ExitCode.INPUT_MISSING
    assert "x=/nowhere does not exist" in capsys.readouterr().err


def test_pages_are_written_again_from_the_files(
    scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = write_study(tmp_path / "in")
    assert run(dataset, tmp_path / "out", "--reports-only") == ExitCode.INPUT_MISSING
    assert "holds no results of the group level" in capsys.readouterr().err
    page = scored / "group.html"
    page.unlink()
    assert run(dataset, scored, "--reports-only") == ExitCode.OK
    assert "<b>4</b> samples" in page.read_text()


def test_text_of_a_table_never_becomes_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    dataset = write_study(tmp_path / "in", people=people_text().replace("DYSF", evil))
    assert run(dataset, tmp_path / "out") == ExitCode.OK
    page = (tmp_path / "out" / "group.html").read_text()
    assert evil not in page
    assert "&lt;script&gt;alert(1)" in page


def test_no_image_code_is_loaded(repository: Path, tmp_path: Path) -> None:
    dataset = write_study(tmp_path / "in")
    program = (
        "import sys; from bids_app.cli import main\n"
        f"code = main([{str(dataset)!r}, {str(tmp_path / 'out')!r}, 'group'])\n"
        "heavy = {'torch', 'bids', 'nibabel', 'SimpleITK', 'nnunetv2', 'openvino', 'skimage'}\n"
        "print(code, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, check=True
    )
    assert done.stdout == "0 []\n"
