"""Every cell of ``group_scores.tsv`` is computed again from ``group_trace.tsv``.

The steps are written here a second time, as docs/group.md tells them, from the files alone: the
trace, the ranges of grades in ``group_summary.json``, the tables of scales and of people, and for
every value the very cell it was read from.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from bids_app.group import level
from pipelines.diagnosis.simulation.score_files import score_files
from pipelines.diagnosis.simulation.simulate import simulate_cohort
from pipelines.harmonization.scores.scales import scales
from tests.bids_app.doubtful_dataset import make_doubtful
from tests.bids_app.score_study import write_study
from tools.simulate_cohort import write_dataset

Row = dict[Any, Any]

# Tables have six digits.
TOLERANCE = 2e-3

# Half grades, groups and parts of a muscle, one side only, and a muscle that is no feature.
ODD_SCORES = (
    "participant_id\tquadriceps_L\tquadriceps_R\tvastus_lateralis_L\tadductors_undivided\t"
    "semitendinosus_R\ttrapezius_L\tgastrocnemius\n"
    "sub-01\t2\t3\t1.5\t0\t3\t1\t2\n"
    "sub-02\t3\tn/a\tn/a\t1\t0\tn/a\t3\n"
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_doubtful(tmp_path_factory.mktemp("traced"))
    for name, dataset in score_files(simulate_cohort(samples=40, least_patients=2)).items():
        write_dataset(root / "studies" / name, name, dataset, {"samples": 40, "seed": 0})
    write_study(root / "studies" / "odd", scores=ODD_SCORES, sidecar={"Scale": "0-3"})
    return root


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", keep_default_na=False, na_values=["n/a"])


@pytest.fixture(
    scope="module",
    params=[
        {},
        {"method": "paper", "order": "sides_first", "relative": False, "coverage": 0.5},
        {"method": "dither"},
        {"method": "dither", "order": "sides_first"},
        {"method": "ranks", "combine": "mean", "include_failed": True},
    ],
    ids=str,
)
def written(
    request: pytest.FixtureRequest, sources: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """Results of the group level of several studies, scales and scans, with some choices."""
    chosen: dict[str, Any] = request.param
    out = tmp_path_factory.mktemp("written")
    rare = {key: value for key, value in chosen.items() if key in {"relative", "coverage"}}
    config = {"harmonization_options": rare} | {
        name: chosen[key]
        for key, name in (
            ("method", "harmonization"),
            ("order", "asymmetry_order"),
            ("combine", "combine"),
            ("include_failed", "include_failed"),
        )
        if key in chosen
    }
    if chosen.get("method") == "dither":
        config["scale_thresholds"] = str(write_ranges(out / "ranges.tsv"))
    (out / "settings.yaml").write_text(json.dumps(config))
    studies = [f"{path.name}={path}" for path in sorted((sources / "studies").iterdir())]
    options = ["--derivatives", f"own={sources / 'out'}", "--study", *studies]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(level, "_audit", lambda *_: {})
        command = [str(sources / "in"), str(out), "group", *options]
        assert main([*command, "--config-file", str(out / "settings.yaml")]) == ExitCode.OK
    return out, chosen


def write_ranges(path: Path) -> Path:
    """Write of every scale which fat fractions its grades stand for, in ranges of equal width."""
    rows = ["scale\tgrade\tlower\tupper"]
    for name, scale in scales().items():
        width = 100 / max(len(scale.grades), 1)
        rows += [
            f"{name}\t{grade}\t{n * width:g}\t{(n + 1) * width:g}"
            for n, grade in enumerate(scale.grades)
        ]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_every_value_stands_in_the_cell_that_is_named(
    written: tuple[Path, dict[str, Any]], sources: Path
) -> None:
    trace = read(written[0] / "group_trace.tsv")
    for row in trace[["source", "row", "column", "value"]].drop_duplicates().itertuples():
        study, _, path = row.source.removeprefix("bids:").partition(":")
        root = sources / "out" if study == "own" else sources / "studies" / study
        assert float(cells(root / path)[row.row - 2][row.column]) == pytest.approx(row.value)


@cache
def cells(path: Path) -> list[dict[str, str]]:
    header, *rows = [line.split("\t") for line in path.read_text().splitlines()]
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_every_cell_is_computed_again(written: tuple[Path, dict[str, Any]], sources: Path) -> None:
    out, chosen = written
    table = read(out / "group_scores.tsv").set_index("sample")
    trace = read(out / "group_trace.tsv")
    how = json.loads((out / "group_summary.json").read_text())["Harmonization"]
    assert how["options"]["method"] == chosen.get("method", "paper")
    used = by(trace[trace["used"]].to_dict("records"), "sample")
    found = {name: features(rows, how) for name, rows in used.items()}
    assert set(found) <= set(table.index)
    compared = 0
    for sample, row in table.iterrows():
        own = found.get(str(sample), {})
        for name in [*how["muscles"], "mean_involvement", "asymmetry_mean", "asymmetry_sd"]:
            value = own.get(name, np.nan)
            assert row[name] == pytest.approx(value, abs=TOLERANCE, nan_ok=True), (sample, name)
            compared += not np.isnan(value)
        described(row, str(sample), trace[trace["sample"] == sample], sources)
    # Neither the comparison nor the cohort is empty, and it has every scale.
    assert compared > 10 * len(table)
    assert set(table["scale"]) == set(scales())


def by(rows: list[Row], column: str) -> dict[str, list[Row]]:
    """Sort rows by their value in a column."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row[column]), []).append(row)
    return found


def agree(rows: list[Row], column: str, value: float) -> bool:
    """Tell whether a column holds a value in all of these rows."""
    return all(row[column] == pytest.approx(value, abs=TOLERANCE) for row in rows)


def features(rows: list[Row], how: dict[str, Any]) -> dict[str, float]:
    """Compute the features of a sample from the used rows of the trace."""
    scale, options = str(rows[0]["scale"]), how["options"]
    both: dict[str, float] = {}
    numbers: dict[str, float] = {}
    differences = []
    for muscle, own in by(rows, "muscle").items():
        numbers[muscle] = float(own[0]["random_number"])
        sides = by(own, "side")
        merged = {side: merge(part) for side, part in sides.items()}
        if options["order"] == "scale_first":
            scored = {s: to_percent(v, scale, numbers[muscle], how) for s, v in merged.items()}
            assert all(agree(part, "side_0_100", scored[side]) for side, part in sides.items())
            both[muscle] = joined(scored)
        else:
            scored = merged
            both[muscle] = to_percent(joined(merged), scale, numbers[muscle], how)
        if "left" in scored and "right" in scored:
            differences.append(abs(scored["left"] - scored["right"]))
        assert agree(own, "score_0_100", both[muscle])
    result = relative(both, numbers, options)
    result["mean_involvement"] = sum(both.values()) / len(both)
    if differences:
        result["asymmetry_mean"] = float(np.mean(differences))
        result["asymmetry_sd"] = float(np.std(differences))
    return result


def merge(part: list[Row]) -> float:
    """Return the score of a muscle and side: the mean of the scores that serve it."""
    scores = []
    for own in by(part, "scored_muscle").values():
        assert sum(row["weight"] for row in own) == pytest.approx(1)
        scores.append(sum(row["value"] * row["weight"] for row in own))
        assert agree(own, "score", scores[-1])
    merged = sum(scores) / len(scores)
    assert agree(part, "merged_score", merged)
    return float(merged)


def joined(sides: dict[str, float]) -> float:
    if "mean" in sides:
        return sides["mean"]
    return sum(sides.values()) / len(sides)


def to_percent(score: float, scale: str, number: float, how: dict[str, Any]) -> float:
    about = scales()[scale]
    if how["options"]["method"] != "dither":
        return 100 * (score - about.lowest) / (about.highest - about.lowest)
    if not about.grades:
        blurred = score + number - 0.5
        return 100 - abs(100 - abs(blurred))
    edges = how["thresholds"][scale]
    grade = score - about.grades[0]
    below, share = int(min(grade, len(edges) - 3)), grade - int(min(grade, len(edges) - 3))
    low, high = (
        edges[below + end] + share * (edges[below + 1 + end] - edges[below + end]) for end in (0, 1)
    )
    return low + number * (high - low)


def relative(
    both: dict[str, float], numbers: dict[str, float], options: dict[str, Any]
) -> dict[str, float]:
    """Compare each muscle with the others of the patient."""
    if options["method"] == "ranks":
        order = sorted(both, key=lambda name: (round(both[name], 3), numbers[name]))
        last = max(len(order) - 1, 1)
        return {n: 100 * (2 * rank - len(order) + 1) / last for rank, n in enumerate(order)}
    if not options["relative"]:
        return dict(both)
    total = sum(both.values())
    if len(both) == 1:
        return {}
    return {name: own - (total - own) / (len(both) - 1) for name, own in both.items()}


def described(row: pd.Series, sample: str, rows: pd.DataFrame, sources: Path) -> None:
    """Compare what a row says of the sample with the trace and with the tables of people."""
    study, _, session = sample.partition("/")
    assert row["study"] == study
    assert session.startswith(f"sub-{row['participant']}")
    counted = rows[rows["weight"] > 0]
    assert {row["scale"]} == set(counted["scale"])
    seen = set(counted["side"])
    if {"left", "right"} <= seen:
        assert row["sides"] == "bilateral"
    else:
        assert row["sides"] == ("average" if "mean" in seen else "unilateral")
    failed = {name for text in rows["failed_lights"].dropna() for name in text.split(", ")}
    assert failed == set(str(row["failed_lights"]).split(", ")) - {"nan"}
    source = str(rows["source"].iloc[0]).removeprefix("bids:").partition(":")[0]
    root = sources / "in" if source == "own" else sources / "studies" / source
    person = read(root / "participants.tsv").set_index("participant_id")
    about = person.loc[session.partition("_")[0]]
    for column in ("sex", "diagnosis", "site"):
        expected = about.get(column, np.nan)
        assert row[column] == expected or (pd.isna(row[column]) and pd.isna(expected))
