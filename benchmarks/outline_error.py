#!/usr/bin/env python3
"""What a wrong outline costs: fat fraction, volume, features, and the answers of an ensemble.

Outlines of muscles are made wrong (eroded, dilated, shifted, taking in a neighbour, an end cut) so
that each has a Dice coefficient of 0.95 to 0.75, and their fat fraction is measured as the app
measures it. The errors found are then given to simulated patients, muscle by muscle, from measured
muscles of about the same fat fraction, and an ensemble answers with and without them.

- Phantom: ``bids_example`` with its true outlines.
- Real: two patients' thighs with the labels of the authors' network; where it errs is not known.
- Simulated: patients' patterns are invented; how hard they are to tell was chosen.

Usage: outline_error.py [OUTPUT_DIR] [--real DATASET] [--quick]
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.outline_answers import (  # noqa: E402
    ALL_KINDS,
    SIDES_ALIKE,
    answer_changes,
    measured_patients,
    remeasured,
    train,
    with_bounds,
)
from benchmarks.outline_perturbation import KINDS, Scene, perturb, scene_of  # noqa: E402
from bids_app.files.images import load_labels, load_volume  # noqa: E402
from pipelines.anatomy.vocabulary import label_values  # noqa: E402
from pipelines.arrays import Bool, Floating  # noqa: E402
from pipelines.diagnosis.simulation.simulate import PUBLISHED_SAMPLES, simulate_cohort  # noqa: E402
from pipelines.diagnosis.simulation.tables import read_tables  # noqa: E402
from pipelines.geometry import to_canonical, voxel_sizes  # noqa: E402
from pipelines.harmonization.scaling import leave_one_out, side_mean  # noqa: E402
from pipelines.quantification.erosion import select_voxels  # noqa: E402
from pipelines.quantification.options import QuantificationOptions  # noqa: E402
from pipelines.segmentation.evaluation.biomarkers import mean_inside  # noqa: E402
from pipelines.segmentation.evaluation.overlap import Overlap  # noqa: E402

EXAMPLE = REPOSITORY / "bids_example"
LABELS_ENDING = "_desc-muscles_dseg.nii.gz"
DICE = (0.95, 0.90, 0.85, 0.80, 0.75)
# Grades by the simulated readers' bins; scale 1-4 has the four grades of 0-3, counted from 1.
GRADES = {"0-4": "0-4", "0-3": "1-4"}
QUICK_PARTICIPANTS, QUICK_SAMPLES, LEAST_PATIENTS = ("01", "04"), 400, 6
FAT_FRACTIONS, MIXED_SCALES = "fat fractions", "mixed scales"
REMEASURED = "measured again"
# Columns of the tables for people: how they are written, and what of.
COLUMNS = {
    "outlines": ("{}", ("source",)),
    "Dice": ("{:.2f}", ("target",)),
    "wrong by, mm": ("{:.1f}", ("mm",)),
    "FF bias": ("{:+.1f}", ("ff_bias",)),
    "FF mean abs": ("{:.1f}", ("ff_mean_abs",)),
    "FF worst": ("{:.1f}", ("ff_worst",)),
    "volume bias, %": ("{:+.0f}", ("volume_bias",)),
    "volume mean abs, %": ("{:.0f}", ("volume_mean_abs",)),
    "0-4 changed, %": ("{:.0f}", ("changed_0-4",)),
    "0-3 changed, %": ("{:.0f}", ("changed_0-3",)),
    "feature mean abs": ("{:.1f}", ("feature_mean_abs",)),
    "first answer changed, %": ("{:.0f} [{:.0f}, {:.0f}]", with_bounds("top1_changed")),
    "balanced accuracy, points": (
        "{:+.1f} [{:+.1f}, {:+.1f}]",
        with_bounds("balanced_accuracy_change"),
    ),
    "P(true), points": ("{:+.1f} [{:+.1f}, {:+.1f}]", with_bounds("true_probability_change")),
}
# One kind of error in all muscles of a session.
SETS = ["source", "session", "kind", "variant", "target"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; write the tables too if there is a folder for them."""
    given = _parser().parse_args(arguments)
    masks = pd.concat(
        [
            pd.DataFrame(wrong_outlines(source, dataset, labels, given.quick))
            for source, (dataset, labels) in _sources(given).items()
        ],
        ignore_index=True,
    )
    summary = summarize(masks)
    answers = pd.DataFrame(
        changed_answers(masks, QUICK_SAMPLES if given.quick else PUBLISHED_SAMPLES)
    )
    text = report(masks, summary, answers)
    print(text)
    if given.output_dir:
        given.output_dir.mkdir(parents=True, exist_ok=True)
        for name, table in (("masks", masks), ("summary", summary), ("answers", answers)):
            path = given.output_dir / f"outline_error_{name}.tsv"
            table.to_csv(path, sep="\t", index=False, na_rep="n/a", float_format="%.4g")
        (given.output_dir / "outline_error.md").write_text(text, encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output_dir", type=Path, nargs="?", help="for the tables")
    parser.add_argument(
        "--real",
        type=Path,
        metavar="DATASET",
        help="real images with derivatives/authors; by default $MYOMIDS_TEST_DATA/ideal-thigh",
    )
    parser.add_argument("--quick", action="store_true", help="two phantom sessions, few patients")
    return parser


def _sources(given: argparse.Namespace) -> dict[str, tuple[Path, Path]]:
    """Return dataset and labels by source."""
    sources = {"phantom": (EXAMPLE, EXAMPLE / "derivatives" / "truth")}
    real = given.real
    if not (real or given.quick) and "MYOMIDS_TEST_DATA" in os.environ:
        real = Path(os.environ["MYOMIDS_TEST_DATA"]) / "ideal-thigh"
    return sources | ({"real": (real, real / "derivatives" / "authors")} if real else {})


def wrong_outlines(
    source: str, dataset: Path, labels: Path, quick: bool
) -> Iterator[dict[str, object]]:
    """Run the app on a dataset with its outlines, and measure every muscle in wrong ones."""
    command = [sys.executable, REPOSITORY / "run.py", dataset]
    with tempfile.TemporaryDirectory() as temporary:
        options = ["--derivatives", f"labels={labels}", "--work-dir", f"{temporary}/work"]
        if quick:
            options += ["--participant-label", *QUICK_PARTICIPANTS]
        output_dir = Path(temporary) / "out"
        subprocess.run([*map(str, command), output_dir, "participant", *options], check=True)
        for path in sorted(output_dir.glob(f"sub-*/**/*{LABELS_ENDING}")):
            session = path.name.removesuffix(LABELS_ENDING)
            for row in session_outlines(path, path.with_name(f"{session}_FF.nii.gz")):
                yield {"source": source, "session": session, **row}


def session_outlines(labels_path: Path, ff_path: Path) -> Iterator[dict[str, object]]:
    """Measure every muscle of a session in wrong outlines."""
    stored = load_labels(labels_path)
    labels, affine, _ = to_canonical(stored.data, stored.affine)
    ff, _, _ = to_canonical(load_volume(ff_path).data, stored.affine)
    known = label_values()
    for value in np.unique(labels[labels > 0]).tolist():
        muscle, side = known[value]
        scene, around = scene_of(labels, ff, value, voxel_sizes(affine))
        for row in scene_rows(scene, around):
            yield {"muscle": muscle.name, "side": side, **row}


def scene_rows(scene: Scene, ff: Floating) -> Iterator[dict[str, object]]:
    """Measure one muscle in its wrong outlines; ``ff`` and its errors as the app measures them."""
    reference = _measured_ff(scene, scene.mask, ff)
    whole = mean_inside(ff, scene.mask)
    for target in DICE:
        for outline in perturb(scene, target):
            shared = int(np.count_nonzero(scene.mask & outline.mask))
            overlap = Overlap(scene.voxels, int(np.count_nonzero(outline.mask)), shared)
            yield {
                "kind": outline.kind,
                "variant": outline.variant,
                "target": target,
                "dice": overlap.dice,
                "mm": outline.mm,
                "volume_error_pct": 100.0 * overlap.size_error / scene.voxels,
                "ff": reference,
                "ff_error": _measured_ff(scene, outline.mask, ff) - reference,
                "ff_error_uneroded": mean_inside(ff, outline.mask) - whole,
            }


def _measured_ff(scene: Scene, mask: Bool, ff: Floating) -> float:
    selected, _, _ = select_voxels(mask, scene.tissue, scene.sizes, QuantificationOptions())
    return mean_inside(ff, selected)


def changed_answers(masks: pd.DataFrame, samples: int) -> Iterator[dict[str, object]]:
    """Have ensembles answer for simulated patients with the errors found in each source."""
    learnt_from = {
        FAT_FRACTIONS: measured_patients(samples, 0, LEAST_PATIENTS).scores(),
        MIXED_SCALES: simulate_cohort(samples, 0, least_patients=LEAST_PATIENTS).native,
    }
    patients = measured_patients(samples, 1, LEAST_PATIENTS)
    for name, native in learnt_from.items():
        ensemble = train(native)
        yield {"trained_on": name, "kind": REMEASURED, **remeasured(ensemble, patients)}
        for source, rows in masks.groupby("source", sort=False):
            for row in answer_changes(ensemble, patients, rows):
                yield {"trained_on": name, "source": source, **row}


def summarize(masks: pd.DataFrame) -> pd.DataFrame:
    """Return the cost by source, kind and Dice; in kind ``all`` every kind counts the same."""
    rows = masks.assign(feature_error=_feature_errors(masks), **_changed_grades(masks))
    rows = rows.assign(ff_abs=rows["ff_error"].abs(), volume_abs=rows["volume_error_pct"].abs())
    by_kind = rows.groupby(["source", "kind", "target"], sort=False).agg(
        outlines=("dice", "size"),
        dice=("dice", "mean"),
        mm=("mm", "median"),
        ff_bias=("ff_error", "mean"),
        ff_mean_abs=("ff_abs", "mean"),
        ff_worst=("ff_abs", "max"),
        ff_uneroded_mean_abs=("ff_error_uneroded", lambda errors: errors.abs().mean()),
        volume_bias=("volume_error_pct", "mean"),
        volume_mean_abs=("volume_abs", "mean"),
        **{f"changed_{scale}": (f"changed_{scale}", "mean") for scale in GRADES},
        feature_mean_abs=("feature_error", lambda errors: errors.abs().mean()),
    )
    together = by_kind.groupby(["source", "target"], sort=False).mean()
    worst = by_kind.groupby(["source", "target"], sort=False)
    together = together.assign(outlines=worst["outlines"].sum(), ff_worst=worst["ff_worst"].max())
    together = together.assign(mm=np.nan, kind=ALL_KINDS).reset_index()
    table = pd.concat([together, by_kind.reset_index()])
    table = table.sort_values(["source", "kind", "target"], ascending=[True, True, False])
    return table[["source", "kind", "target", *by_kind.columns]].reset_index(drop=True)


def _changed_grades(masks: pd.DataFrame) -> dict[str, "pd.Series[float]"]:
    """Return by scale whether the grade of the fat fraction changes, 0 or 100 (percent)."""
    after = (masks["ff"] + masks["ff_error"]).to_numpy()
    found = {}
    for scale, bins in GRADES.items():
        edges = read_tables().thresholds[bins]
        grades = [np.searchsorted(edges, ff) for ff in (masks["ff"].to_numpy(), after)]
        found[f"changed_{scale}"] = pd.Series(100.0 * (grades[0] != grades[1]), masks.index)
    return found


def _feature_errors(masks: pd.DataFrame) -> "pd.Series[float]":
    """Return the error of each muscle's feature (points), all muscles of a session being wrong.

    The feature is the mean of the sides minus the mean of the other muscles, as the ensemble sees
    it; both sides of a muscle get the same.
    """
    return pd.concat([_features_of(rows) for _, rows in masks.groupby(SETS, sort=False)])


def _features_of(rows: pd.DataFrame) -> "pd.Series[float]":
    wide = rows.assign(after=rows["ff"] + rows["ff_error"]).pivot(
        index="muscle", columns="side", values=["ff", "after"]
    )
    sides = pd.MultiIndex.from_product([["ff", "after"], ["left", "right", "mean"]])
    values = wide.reindex(columns=sides).to_numpy(np.float64).reshape(len(wide), 2, 3)
    before, after = leave_one_out(side_mean(values.transpose(1, 0, 2)))
    change = pd.Series(after - before, index=wide.index)
    return rows["muscle"].map(change).astype(float)


def report(masks: pd.DataFrame, summary: pd.DataFrame, answers: pd.DataFrame) -> str:
    """Write the tables for people."""
    parts = ["# What a wrong outline costs", "\n".join(_measured_on(masks, answers))]
    for kind in (ALL_KINDS, SIDES_ALIKE, *KINDS):
        parts += [f"## {kind}", _markdown(_for_people(summary, answers, kind))]
    return "\n\n".join(parts) + "\n"


def _measured_on(masks: pd.DataFrame, answers: pd.DataFrame) -> Iterator[str]:
    for source, rows in masks.groupby("source", sort=False):
        muscles = rows.drop_duplicates(["session", "muscle", "side"])
        yield (
            f"- {source}: {len(muscles)} muscles of {rows['session'].nunique()} sessions, fat "
            f"fraction {rows['ff'].min():.1f}-{rows['ff'].max():.1f} %"
        )
    for _, row in answers[answers["kind"] == REMEASURED].iterrows():
        yield (
            f"- {row['patients']} simulated patients, {row['samples']} samples; ensemble trained "
            f"on {row['trained_on']}: balanced accuracy {row['balanced_accuracy']:.1f} %, "
            f"P(true) {row['true_probability']:.1f} %; another measurement in the same outlines "
            f"changes the first answer in {row['top1_changed']:.1f} %"
        )


def _for_people(summary: pd.DataFrame, answers: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Join the figures of one kind; answers of the ensemble that learnt from fat fractions."""
    keys = ["source", "kind", "target"]
    own = answers[(answers["trained_on"] == FAT_FRACTIONS) & (answers["kind"] == kind)]
    rows = own.merge(summary, how="left", on=keys, validate="1:1")
    columns = {
        name: [pattern.format(*values) for values in rows[list(of)].to_numpy().tolist()]
        for name, (pattern, of) in COLUMNS.items()
        if rows[list(of)].notna().all(axis=None)
    }
    return pd.DataFrame(columns)


def _markdown(table: pd.DataFrame) -> str:
    rows = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
