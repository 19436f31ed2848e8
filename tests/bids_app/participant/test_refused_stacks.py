"""A stack whose images are refused does not take the others of its session with it."""

import json
from pathlib import Path

import numpy as np
import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from tests.bids_app.small_dataset import make_dataset, make_label_maps, write_image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a session of one sound stack and one with a fat fraction map of nonsense."""
    folder = make_dataset(tmp_path / "in") / "sub-01" / "mr-quant"
    make_label_maps(tmp_path / "truth")
    names = sorted(folder.glob("*.nii.gz"))
    for name in names:
        stem = name.name.removeprefix("sub-01_")
        name.rename(folder / f"sub-01_acq-sound_{stem}")
    echoes = np.full((20, 20, 4, 3), -5, np.float32)
    echoes[5:10, 5:10] = 9
    write_image(folder / "sub-01_acq-broken_MEGRE.nii.gz", echoes)
    fields = {"EchoTime": [3.45, 4.6, 5.75], "MagneticFieldStrength": 3}
    (folder / "sub-01_acq-broken_MEGRE.json").write_text(json.dumps(fields))
    return tmp_path


def run(root: Path, *options: str) -> int:
    maps = ["--derivatives", f"truth={root / 'truth'}"]
    return main([str(root / "in"), str(root / "out"), "participant", *maps, *options])


def test_the_others_have_results_and_the_page_says_what_was_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root) == ExitCode.PARTIAL
    out = root / "out"
    assert [path.name for path in out.glob("sub-01/mr-quant/*stats.tsv")] == [
        "sub-01_acq-sound_desc-muscles_stats.tsv"
    ]
    page = (out / "sub-01.html").read_text()
    assert "acq-broken" in page
    assert "holds negative values" in page
    assert str(root) not in page
    assert "lacks 1 refused stack" in capsys.readouterr().err
    # A second run has nothing to do, and does not call the session whole.
    assert run(root) == ExitCode.PARTIAL
    assert run(root, "--reports-only") == ExitCode.OK
    assert (out / "sub-01.html").read_text() == page


def test_a_session_of_refused_stacks_alone_fails(root: Path) -> None:
    for path in (root / "in").rglob("*acq-sound*"):
        path.unlink()
    assert run(root) == ExitCode.BAD_DATA
    assert not (root / "out" / "sub-01.html").exists()
