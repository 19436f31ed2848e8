#!/usr/bin/env python3
"""Train the thigh model from a folder of label maps.

Example
-------
Train on every map but those of five people, then write the model folder::

    python tools/train_thigh_model.py --labels LABELS --work WORK --model MODEL \
        --hold-out 057 003 049 034 014

Stop it at any time; the same command goes on where it stopped. Start it on a machine without a GPU
with ``MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592``: glibc otherwise
returns large buffers to the system after every operation, which makes training several times
slower.
"""

import argparse
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipelines.errors import PipelineError

logger = logging.getLogger("train_thigh_model")


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--labels", type=Path, required=True, help="folder of NIfTI label maps")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints and logs")
    parser.add_argument("--model", type=Path, required=True, help="model folder to write")
    parser.add_argument(
        "--hold-out", nargs="*", default=[], metavar="PERSON", help="people kept out"
    )
    parser.add_argument(
        "--subject-pattern", help="regular expression; its first group is the person"
    )
    parser.add_argument(
        "--start-from",
        type=Path,
        help="checkpoint, of a training or a model, whose weights to start from",
    )
    parser.add_argument(
        "--real-cases",
        type=Path,
        help="table of labelled real scans to mix in: person, water, fat, labels, label_map",
    )
    parser.add_argument(
        "--real-share", type=float, default=0.35, help="share of real slices among the samples"
    )
    parser.add_argument("--variants", type=int, default=1, help="completions of each label map")
    parser.add_argument("--epochs", type=int, default=90)
    parser.add_argument("--steps", type=int, default=80, help="steps per epoch")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--base-features", type=int, default=16)
    parser.add_argument("--max-features", type=int, default=256)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--generators", type=int, default=1, help="processes that draw samples")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        train(options)
    except PipelineError as error:
        print(f"{error.message}\n{error.hint}", file=sys.stderr)
        return 1
    return 0


def train(options: argparse.Namespace) -> None:
    """Complete the label maps, train, export and evaluate."""
    from pipelines.segmentation.training.session import TrainingOptions, run_session

    fields = TrainingOptions.__dataclass_fields__
    chosen = {k: v for k, v in vars(options).items() if k in fields and v is not None}
    figures = run_session(TrainingOptions(**chosen))
    print(figures.to_string(index=False, float_format="%.3f"))


if __name__ == "__main__":
    sys.exit(main())
