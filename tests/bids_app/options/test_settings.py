"""Settings: choices that exclude each other, what is stored with a run."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from bids_app.errors import AppError, ExitCode
from bids_app.options.settings import Settings


def test_settings_become_plain_json() -> None:
    settings = Settings(
        Path("/in"),
        Path("/out"),
        "participant",
        participant_label=("01", "02"),
        derivatives={"expert": Path("/masks")},
        mem=8.0,
    )
    stored = json.loads(json.dumps(settings.as_dict(), allow_nan=False))
    assert stored["bids_dir"] == "/in"
    assert stored["participant_label"] == ["01", "02"]
    assert stored["derivatives"] == {"expert": "/masks"}
    assert stored["work_dir"] is None
    assert stored["mem"] == 8.0
    assert list(stored) == [f.name for f in fields(Settings)]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"bids_dir": Path("/elsewhere")}, True),
        ({"nprocs": 4}, True),
        ({"verbosity": 2}, True),
        ({"participant_label": ("01",)}, True),
        ({"erode": False}, False),
        ({"model": "other"}, False),
        ({"fat_fraction_units": "percent"}, False),
        ({"derivatives": {"expert": Path("/masks")}}, False),
    ],
)
def test_only_choices_that_change_numbers_are_scientific(
    change: dict[str, Any], same: bool
) -> None:
    base: dict[str, Any] = {
        "bids_dir": Path("/in"),
        "output_dir": Path("/out"),
        "analysis_level": "participant",
    }
    changed = Settings(**(base | change)).scientific()
    assert (changed == Settings(**base).scientific()) is same
    json.dumps(changed)


@pytest.mark.parametrize("name", ["raw", "", "my masks", "a:b", "über"])
def test_names_of_derivatives_that_no_bids_uri_can_hold_are_refused(name: str) -> None:
    with pytest.raises(AppError) as caught:
        Settings(Path("/in"), Path("/out"), "participant", derivatives={name: Path("/masks")})
    assert caught.value.message == f"{name!r} cannot be the name of a folder in --derivatives."
    assert caught.value.hint == "Use letters, digits, '-' and '_'; 'raw' is the input dataset."
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"executor": "dask"}, "--executor dask needs one cluster."),
        (
            {"executor": "dask", "dask_scheduler": "tcp://h:1", "dask_cluster": {"jobs": 1}},
            "--executor dask needs one cluster.",
        ),
        ({"executor": "dask", "dask_scheduler": "tcp://h:1"}, "--executor dask needs --work-dir."),
        ({"dask_scheduler": "tcp://h:1"}, "A Dask cluster is used with --executor dask."),
        ({"dask_cluster": {"jobs": 1}}, "A Dask cluster is used with --executor dask."),
    ],
)
def test_a_cluster_is_described_once_and_only_for_dask(
    choices: dict[str, Any], message: str
) -> None:
    with pytest.raises(AppError) as caught:
        Settings(Path("in"), Path("out"), "participant", **choices)
    assert caught.value.message == message
    assert caught.value.exit_code is ExitCode.USAGE
