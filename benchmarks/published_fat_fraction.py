#!/usr/bin/env python3
"""Our fat fractions of two real patients beside those their authors published.

The dataset holds water and fat images of both thighs and ``published_ff.tsv``, the authors' mean
fat fraction (0-1) of eleven muscles, left and right together, over masks of their own network
(github.com/Hirriririir/Rapid-automatic-fat-quantification-for-thigh-muscle-degeneration).

Usage: published_fat_fraction.py DATASET [OUTPUT_DIR] [run.py options]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from scipy import stats

REPOSITORY = Path(__file__).resolve().parents[1]

# The authors' abbreviations.
MUSCLES = {
    "SA": "sartorius",
    "RF": "rectus_femoris",
    "VL": "vastus_lateralis",
    "VI": "vastus_intermedius",
    "VM": "vastus_medialis",
    "AM": "adductor_magnus",
    "GR": "gracilis",
    "BL": "biceps_femoris_long_head",
    "ST": "semitendinosus",
    "SM": "semimembranosus",
    "BB": "biceps_femoris_short_head",
}


def main() -> None:
    """Run the participant level and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("output_dir", type=Path, nargs="?")
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        output_dir = arguments.output_dir or Path(temporary) / "out"
        seconds, peak_mb = run_participant_level(arguments.dataset, output_dir, options)
        published = pd.read_table(arguments.dataset / "published_ff.tsv", index_col=0)
        for participant in published.index:
            print_comparison(participant, published.loc[participant], output_dir)
    sessions = len(published)
    print(f"\nwall time {seconds:.1f} s for {sessions} sessions ({seconds / sessions:.1f} s each)")
    print(f"peak memory {peak_mb:.0f} MB")


def run_participant_level(
    dataset: Path, output_dir: Path, options: list[str]
) -> tuple[float, float]:
    """Run MyoMIDS as a user would; return wall time (s) and peak memory (MB)."""
    command = [sys.executable, REPOSITORY / "run.py", dataset, output_dir, "participant"]
    start = time.perf_counter()
    subprocess.run([*map(str, command), "--resource-monitor", *options], check=True)
    peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return time.perf_counter() - start, peak_kb / 1e3


def print_comparison(participant: str, published: "pd.Series[float]", output_dir: Path) -> None:
    """Print both fat fractions of every muscle and how far they are apart."""
    table = output_dir / participant / "mr-quant" / f"{participant}_desc-muscles_stats.tsv"
    measured = both_sides(pd.read_table(table, na_values="n/a"))
    frame = pd.DataFrame(
        {
            "published": [100 * published[short] for short in MUSCLES],
            "ours": [measured.get(name, float("nan")) for name in MUSCLES.values()],
        },
        index=list(MUSCLES.values()),
    )
    frame["difference"] = frame["ours"] - frame["published"]
    correlation = stats.spearmanr(frame["published"], frame["ours"]).statistic
    print(f"\n{participant}: fat fraction, percent, left and right together")
    print(frame.round(1).to_string())
    print(
        f"mean absolute difference {frame['difference'].abs().mean():.2f} points, "
        f"largest {frame['difference'].abs().max():.2f}, rank correlation {correlation:.2f}"
    )


def both_sides(table: pd.DataFrame) -> dict[str, float]:
    """Join left and right of each muscle: mean over the whole mask, as the authors did."""
    muscles = table[table["level"] == "muscle"]
    joined = muscles.groupby("muscle")[["ff_mean_uneroded", "volume_ml"]].apply(
        lambda rows: (rows["ff_mean_uneroded"] * rows["volume_ml"]).sum() / rows["volume_ml"].sum()
    )
    return {str(name): float(value) for name, value in joined.items()}


if __name__ == "__main__":
    main()
