"""A scan that is certain of the sign of the phase settles those that are not."""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from bids_app.participant import echo_series
from bids_app.participant.shared_sign import is_open, scan_origin, settled_signs
from bids_app.running import executors
from pipelines.water_fat.separation.decision import PhaseSign
from tests.bids_app.participant.test_echo_series import ECHOES_MS, FIELD_T, echo_images
from tests.bids_app.small_dataset import make_label_maps, write_image


def shown(scan: str, sign: str, log_odds: float, **more: object) -> Mapping[str, Any]:
    about = {"Origin": "a, b", "Scan": scan, "Sign": sign, "LogOdds": log_odds}
    return {**about, "Decisive": log_odds > 4.6, "Decided": log_odds > 2, **more}


@pytest.mark.parametrize(
    ("fields", "origin"),
    [
        ({"Manufacturer": "Siemens ", "ConversionSoftware": "dcm2niix"}, "siemens, dcm2niix"),
        ({"Manufacturer": "Siemens"}, ""),
        ({"Manufacturer": 3, "ConversionSoftware": "x"}, ""),
        ({"Manufacturer": " ", "ConversionSoftware": "x"}, ""),
    ],
)
def test_origin(fields: dict[str, Any], origin: str) -> None:
    assert scan_origin(fields) == origin


def test_the_surest_of_the_decisive_scans_speaks() -> None:
    signs = [shown("x", "reversed", 5), shown("y", "reversed", 9), shown("z", "as modelled", 4)]
    (prior,) = settled_signs(signs).values()
    assert (prior.sign, prior.log_odds, prior.source) == ("reversed", 9, "y")


def test_scans_that_contradict_each_other_settle_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("myomids"), "propagate", True)
    assert settled_signs([shown("x", "reversed", 5), shown("y", "as modelled", 9)]) == {}
    assert "both signs of the phase: x, y" in caplog.text


def test_only_an_open_scan_of_the_same_origin_is_processed_again() -> None:
    settled = settled_signs([shown("x", "reversed", 9)])
    unsure = shown("y", "as modelled", 1)
    assert is_open(unsure, settled)
    assert not is_open(shown("x", "reversed", 9), settled)
    assert not is_open({**unsure, "Origin": "c, d"}, settled)
    assert not is_open({**unsure, "SettledBy": "x"}, settled)


def test_a_thigh_settles_a_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = ("hand", "thigh")
    make_label_maps(tmp_path / "truth", labels)
    echoes = echo_images()
    fields = {
        "EchoTime": list(ECHOES_MS),
        "MagneticFieldStrength": FIELD_T,
        "Manufacturer": "GE",
        "ConversionSoftware": "dcm2niix",
    }
    for label in labels:
        folder = tmp_path / "in" / f"sub-{label}" / "mr-anat"
        folder.mkdir(parents=True)
        stem = folder / f"sub-{label}"
        write_image(Path(f"{stem}_MEGRE.nii.gz"), np.abs(echoes).astype(np.float32))
        phase = np.angle(echoes).astype(np.float32)
        write_image(Path(f"{stem}_part-phase_MEGRE.nii.gz"), phase)
        Path(f"{stem}_MEGRE.json").write_text(json.dumps(fields))
    priors: list[str | None] = []
    separate = echo_series.separate

    def sure_of_the_second(*scan: Any, options: Any) -> Any:
        # The hand comes first and shows nothing; the thigh is certain.
        priors.append(None if options.prior_sign is None else options.prior_sign.source)
        sure = len(priors) == 2
        found = PhaseSign("reversed" if sure else "as modelled", 12.0 if sure else 0.3)
        return replace(separate(*scan, options=options), phase_sign=found)

    monkeypatch.setattr(echo_series, "separate", sure_of_the_second)
    # Processes of their own would know nothing of this function.
    monkeypatch.setattr(executors, "_ProcessExecutor", lambda *_: executors._run_here)
    command = [str(tmp_path / "in"), str(tmp_path / "out"), "participant", "--nprocs", "1"]
    command += ["--derivatives", f"truth={tmp_path / 'truth'}"]
    assert main(command) == ExitCode.OK
    assert priors == [None, None, "sub-thigh_MEGRE.nii.gz"]
    sidecar = tmp_path / "out/sub-hand/mr-quant/sub-hand_FF.json"
    assert json.loads(sidecar.read_text())["PhaseSign"]["SettledBy"] == "sub-thigh_MEGRE.nii.gz"
    assert "1 session(s) again" in capsys.readouterr().err
    # What was settled is complete: nothing is done a third time.
    assert main(command) == ExitCode.OK
    assert len(priors) == 3
