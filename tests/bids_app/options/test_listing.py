"""What ``run.py --list`` prints."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bids_app.errors import AppError, ExitCode
from bids_app.options.listing import MOST_COLUMNS, listing


def test_muscles_as_a_table(repository: Path) -> None:
    lines = listing("muscles").splitlines()
    with (repository / "pipelines" / "anatomy" / "muscles.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert lines[0].split() == ["name", "region", "abbreviation", "index"]
    assert set(lines[1]) == {"-", " "}
    assert [line.split() for line in lines[2:]] == [
        [row["name"], row["region"], row["abbreviation"], row["index"]] for row in rows
    ]


def test_columns_are_aligned_and_lines_do_not_end_in_spaces() -> None:
    lines = listing("scales").splitlines()
    starts = [lines[0].index(name) for name in ("name", "lowest", "highest", "description")]
    assert starts[0] == 0
    for line in lines:
        assert line == line.rstrip()
        if line[0] == " ":  # the rest of a description
            assert line.index(line.split()[0]) == starts[-1]
            continue
        assert all(line[start - 1] == " " and line[start] != " " for start in starts[1:])


@pytest.mark.parametrize("what", ["models", "muscles", "scales"])
def test_only_addresses_are_longer_than_a_terminal_is_wide(what: str) -> None:
    long = [line.strip() for line in listing(what).splitlines() if len(line) > MOST_COLUMNS]
    assert all(line.startswith("https://") and " " not in line for line in long)


def test_scales_as_a_table() -> None:
    lines = listing("scales").splitlines()
    assert [line.split()[:3] for line in lines[2:] if line[0] != " "] == [
        ["0-4", "0.0", "4.0"],
        ["0-5", "0.0", "5.0"],
        ["1-4", "1.0", "4.0"],
        ["2a2b", "0.0", "4.0"],
        ["0-3", "0.0", "3.0"],
        ["FF", "0.0", "100.0"],
    ]


def test_muscles_as_json() -> None:
    rows = json.loads(listing("muscles", as_json=True))
    vastus = next(row for row in rows if row["name"] == "vastus_lateralis")
    assert vastus["region"] == "thigh"
    assert isinstance(vastus["index"], int)
    assert {"index", "name", "region", "abbreviation", "color"} <= set(vastus)


def test_scales_as_json() -> None:
    rows = {row["name"]: row for row in json.loads(listing("scales", as_json=True))}
    assert rows["1-4"]["grades"] == [1, 2, 3, 4]
    assert rows["FF"]["grades"] == []
    assert rows["FF"]["highest"] == 100.0


def test_models_as_a_table_and_json() -> None:
    lines = listing("models").splitlines()
    assert lines[0].split() == ["name", "version", "region"]
    assert lines[1] == "    source; licence"
    assert lines[4] == "    included; Apache-2.0"
    rows = {row["name"]: row for row in json.loads(listing("models", as_json=True))}
    assert [line.split()[0] for line in lines[3:] if not line.startswith(" ")] == list(rows)
    assert rows["thigh11"]["region"] == "thigh"
    assert rows["thigh11"]["source"] == "included"


def test_a_damaged_registry_is_an_error_of_the_app(tmp_path: Path) -> None:
    registry = tmp_path / "registry.json"
    registry.write_text("{", encoding="utf-8")
    with pytest.raises(AppError) as caught:
        listing("models", registry=registry)
    assert caught.value.message.startswith(f"The model registry {registry} is not valid JSON: ")
    assert caught.value.exit_code is ExitCode.UNAVAILABLE


@pytest.mark.parametrize("what", ["models", "muscles", "scales"])
def test_listing_needs_no_heavy_package(repository: Path, what: str) -> None:
    program = (
        "import sys; from bids_app.options.listing import listing\n"
        f"listing({what!r})\n"
        "heavy = {'torch', 'pandas', 'numpy', 'scipy', 'bids', 'skimage', 'SimpleITK'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.fixture
def models(tmp_path: Path, trained: Path) -> Path:
    """A folder with a good model between two damaged ones."""
    folder = tmp_path / "models"
    for name in ("a", "b", "c"):
        shutil.copytree(trained / "models" / "first", folder / name)
    (folder / "a" / "model.json").write_text("{")
    (folder / "c" / "model.json").write_text("{}")
    return folder


def test_damaged_models_are_listed_with_the_reason(models: Path) -> None:
    text = listing("models", diagnosis_models=models)
    good, damaged = text.split("\n\n")[1:]
    rows_of_good = [line.split()[0] for line in good.splitlines() if not line.startswith(" ")]
    assert rows_of_good == ["name", "-----", "first"]
    words = damaged.split()
    assert words[:2] == ["folder", "damaged"]
    joined = " ".join(words)
    assert f"{models / 'a'} {models / 'a' / 'model.json'} is not valid JSON" in joined
    assert f"{models / 'c'} {models / 'c' / 'model.json'} is no description" in joined
    rows = json.loads(listing("models", as_json=True, diagnosis_models=models))[-3:]
    assert ["damaged" in row for row in rows] == [True, False, True]


def test_a_damaged_model_that_was_named_itself_is_an_error(models: Path) -> None:
    with pytest.raises(AppError, match="is not valid JSON") as caught:
        listing("models", diagnosis_models=models / "a")
    assert caught.value.exit_code == ExitCode.UNAVAILABLE
