import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.water_fat.separation.options import SeparationOptions
from tests.pipelines.water_fat.separation.conftest import MakeScan, Scan


def bipolar_notes(scan: Scan) -> list[str]:
    return [note for note in scan.separated().notes if "Bipolar" in note]


@pytest.mark.parametrize("name", ["4pt-3T", "6pt-3T-long"])
@pytest.mark.parametrize("ramp", [(0.1, 0.0, 0.0), (0.5, 1.2, 0.0), (1.4, -3.0, 1.0)])
def test_a_ramp_is_found_and_removed(
    name: str, ramp: tuple[float, float, float], make_scan: MakeScan
) -> None:
    scan = make_scan(name, bipolar=ramp)
    result = scan.separated()
    assert any("Bipolar readout: every second echo is off by" in note for note in result.notes)
    assert result.precession == "as modelled"
    assert max(map(abs, scan.errors(result.ff).values())) < 1.0


def test_sign_and_alternation_are_found_together(make_scan: MakeScan) -> None:
    scan = make_scan("6pt-3T-long", bipolar=(0.5, 1.2, 0.0))
    mirrored = Scan(scan.phantom, scan.protocol, scan.echoes.conj())
    result = mirrored.separated()
    assert result.precession == "reversed"
    assert max(map(abs, scan.errors(result.ff).values())) < 0.6


@pytest.mark.parametrize("spectrum", ["ismrm-6", "hamilton-9"])
def test_a_monopolar_readout_is_left_alone(spectrum: str, make_scan: MakeScan) -> None:
    assert bipolar_notes(make_scan("6pt-3T-long", spectrum=spectrum)) == []


def test_a_curved_alternation_is_refused(make_scan: MakeScan) -> None:
    scan = make_scan("6pt-3T-short")
    x = np.linspace(-1, 1, 160)[:, None, None, None]
    scan.echoes[..., 1::2] *= np.exp(1.2j * np.cos(3 * x))
    with pytest.raises(DataError, match="not by the straight ramp of a bipolar readout") as error:
        scan.separated()
    assert "use a monopolar one" in error.value.hint


@pytest.mark.parametrize(
    ("name", "reason"), [("3pt-3T-short", "three echoes"), ("5pt-1.5T-uneven", "unevenly spaced")]
)
def test_a_declared_alternation_that_cannot_be_seen_is_refused(
    name: str, reason: str, make_scan: MakeScan
) -> None:
    with pytest.raises(DataError, match=f"cannot be corrected with {reason}"):
        make_scan(name).separated(SeparationOptions(readout="bipolar"))


def test_declared_monopolar_is_believed(make_scan: MakeScan) -> None:
    slight = make_scan("6pt-3T-short", bipolar=(0.25, 0.0, 0.0))
    result = slight.separated(SeparationOptions(readout="monopolar"))
    assert not any("Bipolar" in note for note in result.notes)
    assert {c.name: c.level for c in result.checks}["model_residual"] == "fail"
    strong = make_scan("6pt-3T-short", bipolar=(0.5, 1.2, 0.0))
    with pytest.raises(DataError, match="No field map explains the echoes"):
        strong.separated(SeparationOptions(readout="monopolar"))
