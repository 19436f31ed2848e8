#!/usr/bin/env python3
"""Fat fraction and volume of the phantom, measured with its true masks, against its known truth.

phantom_recovery.py [OUTPUT_DIR]
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[1]
EXAMPLE = REPOSITORY / "bids_example"
TRUTH = EXAMPLE / "derivatives" / "truth"

# What the measurement must reach: points of fat fraction, percent of volume.
MAX_FF_ERROR, MAX_VOLUME_ERROR = 0.3, 1.0


def main() -> int:
    """Measure the phantom and print the errors per session; 1 if a limit is exceeded."""
    with tempfile.TemporaryDirectory() as temporary:
        output_dir = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary) / "out"
        command = [sys.executable, REPOSITORY / "run.py", EXAMPLE, output_dir, "participant"]
        subprocess.run([*map(str, command), "--derivatives", f"truth={TRUTH}"], check=True)
        errors = recovery_errors(output_dir)
    summary = errors.groupby(["participant", "session"])[["ff", "volume"]].agg(
        ff_mean=("ff", "mean"),
        ff_worst=("ff", lambda e: e.abs().max()),
        volume_worst=("volume", lambda e: e.abs().max()),
    )
    print("\nphantom, true masks: errors of fat fraction (points) and volume (%)")
    print(summary.round(3).to_string())
    worst_ff, worst_volume = errors["ff"].abs().max(), errors["volume"].abs().max()
    print(f"worst muscle: fat fraction {worst_ff:.3f} points (limit {MAX_FF_ERROR}),")
    print(f"              volume {worst_volume:.3f} % (limit {MAX_VOLUME_ERROR})")
    return int(worst_ff > MAX_FF_ERROR or worst_volume > MAX_VOLUME_ERROR)


def recovery_errors(output_dir: Path) -> pd.DataFrame:
    """Return measured minus true values of every muscle of every session.

    Parameters
    ----------
    output_dir : Path
        Results of the participant level on ``bids_example``.

    Returns
    -------
    DataFrame
        ``participant``, ``session``, ``muscle``, ``side``, ``ff`` (points) and ``volume``
        (percent of the true one).
    """
    keys = ["participant", "session", "muscle", "side"]
    truth = pd.read_table(TRUTH / "truth_muscles.tsv", keep_default_na=False, dtype=str)
    tables = []
    for path in sorted(output_dir.glob("sub-*/**/*_stats.tsv")):
        table = pd.read_table(path, na_values="n/a", keep_default_na=False)
        table = table[table["level"] == "muscle"]
        entities = dict(part.split("-", 1) for part in path.name.split("_")[:-1])
        session = entities.get("ses", "n/a")
        tables.append(table.assign(participant=entities["sub"], session=session))
    joined = truth.merge(pd.concat(tables), on=keys, suffixes=("_true", ""), validate="1:1")
    if len(joined) != len(truth):
        raise SystemExit(f"{len(truth) - len(joined)} muscles of the truth were not measured")
    return joined[keys].assign(
        ff=joined["ff_mean"] - joined["ff_percent"].astype(float),
        volume=100 * (joined["volume_ml"] / joined["volume_ml_true"].astype(float) - 1),
    )


if __name__ == "__main__":
    sys.exit(main())
