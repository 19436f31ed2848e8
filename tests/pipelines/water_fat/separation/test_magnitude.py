from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.water_fat.separation.separate import SeparationResult, separate
from tests.pipelines.water_fat.limb_kinds import KINDS, make_limb
from tests.pipelines.water_fat.multi_echo_phantom import (
    MARROW,
    PROTOCOLS,
    SUBCUTANEOUS,
    signal,
)
from tests.pipelines.water_fat.separation.conftest import MakeScan


@pytest.mark.parametrize("name", ["6pt-3T-short", "8pt-1.5T"])
def test_residual_of_many_echoes_resolves_the_ambiguity(name: str, make_scan: MakeScan) -> None:
    scan = make_scan(name)
    result = scan.separated(phase=False)
    assert result.method == "multi-echo magnitude fit"
    errors = scan.errors(result.ff)
    clear = {level: error for level, error in errors.items() if level <= 40 or level >= 80}
    assert max(map(abs, clear.values())) < 1.5
    wrong = np.abs(result.ff - scan.phantom.ff) > 35
    assert wrong[scan.phantom.tissue].mean() < 0.01


def test_three_magnitudes_keep_muscle_lean_and_call_known_fat_fat(make_scan: MakeScan) -> None:
    scan = make_scan("3pt-3T-in-opposed")
    result = scan.separated(phase=False)
    errors = scan.errors(result.ff)
    assert max(abs(error) for level, error in errors.items() if level <= 30) < 2
    labels = scan.phantom.labels
    for tissue in (SUBCUTANEOUS, MARROW):
        assert np.nanmedian(result.ff[labels == tissue]) > 85
    # Muscles of much fat look like muscles of little. That is marked, but for the purest.
    for level in (60, 70, 80, 90):
        assert result.doubtful[(scan.phantom.ff == level) & (labels >= 10)].mean() > 0.9
    assert any("three magnitudes cannot decide" in note for note in result.notes)


def decided_by_magnitudes(
    kind: str, name: str, spectrum: str = "ismrm-6"
) -> tuple[SeparationResult, float]:
    """Return the separation of a limb's magnitudes and the share of its muscle off by 30 points."""
    protocol = PROTOCOLS[name]
    limb = make_limb(kind, field_strength_t=protocol.field_strength_t, slices=3)
    echoes = np.abs(500 * signal(limb, protocol.echo_times_ms, spectrum=spectrum))
    result = separate(echoes, None, protocol.echo_times_ms, limb.affine, protocol.field_strength_t)
    muscle = np.isin(limb.labels, limb.muscles) & np.isfinite(result.ff)
    return result, float((np.abs(result.ff - limb.ff)[muscle] > 30).mean())


@pytest.mark.parametrize("name", ["3pt-3T-in-opposed", "3pt-1.5T", "4pt-3T", "6pt-3T-short"])
@pytest.mark.parametrize("kind", KINDS)
def test_magnitudes_of_every_limb_are_right_or_undecided(kind: str, name: str) -> None:
    result, wrong = decided_by_magnitudes(kind, name, "hamilton-9")
    check = {c.name: c for c in result.checks}["water_fat_decision"]
    assert check.level == ("warn" if result.decided else "fail")
    assert wrong < 0.1 or not result.decided


@pytest.mark.parametrize("name", ["3pt-3T-in-opposed", "4pt-3T", "6pt-3T-short"])
@pytest.mark.parametrize("kind", ["thigh", "thin shell", "no shell", "calf"])
def test_lean_limbs_are_decided_whatever_their_layer(kind: str, name: str) -> None:
    result, wrong = decided_by_magnitudes(kind, name)
    assert result.decided
    assert wrong < 0.06


@pytest.mark.parametrize("name", ["3pt-3T-in-opposed", "4pt-3T", "6pt-3T-short"])
def test_muscle_that_fat_has_replaced_is_undecided_if_the_spectrum_differs(name: str) -> None:
    result, _ = decided_by_magnitudes("fat replaced", name, "measured")
    assert not result.decided


def test_magnitude_fits_are_flagged(make_scan: MakeScan) -> None:
    result = make_scan("6pt-3T-short").separated(phase=False)
    check = {c.name: c for c in result.checks}["separation_method"]
    assert check.level == "warn"
    assert "magnitudes without phase" in check.text
    assert result.b0 is None
    assert result.precession == "not used"


def test_two_points_of_water_dominant_tissue(make_scan: MakeScan) -> None:
    scan = make_scan("2pt-3T")
    result = scan.separated(phase=False)
    assert result.method == "two-point magnitude"
    errors = scan.errors(result.ff)
    # R2* is assumed to be 33 1/s; it is 20-80 in the phantom.
    assert max(abs(error) for level, error in errors.items() if level <= 30) < 4
    muscle = scan.phantom.labels >= 10
    assert result.doubtful[muscle & (result.ff > 40)].all()
    assert result.doubtful[muscle & (scan.phantom.ff == 60)].mean() > 0.95
    assert result.doubtful[muscle & (scan.phantom.ff == 20)].mean() < 0.01
    assert result.r2star is None
    assert "valid up to 40 % fat" in result.notes[0]


def test_phase_of_two_echoes_is_not_used_and_that_is_said(make_scan: MakeScan) -> None:
    scan = make_scan("2pt-3T")
    result = scan.separated()
    assert result.method == "two-point magnitude"
    assert result.notes[0] == "Two echoes: the phase was not used."


def test_two_echoes_at_other_angles_are_refused(make_scan: MakeScan) -> None:
    scan = make_scan("2pt-3T")
    with pytest.raises(DataError, match=r"main fat peak is at 172 and 63 degrees"):
        separate(np.abs(scan.echoes), None, (1.2, 1.9), scan.phantom.affine, 3.0)


@pytest.mark.parametrize(
    ("name", "slices"), [("gethigh", slice(4, 6)), ("siemenscalf3d", slice(44, 47))]
)
def test_real_magnitudes_are_separated_and_flagged(
    name: str, slices: slice, shared_data: Path
) -> None:
    folder = shared_data / "three-echo" / f"sub-{name}" / "mr-anat"
    image = nib.load(folder / f"sub-{name}_MEGRE.nii.gz")
    magnitude = np.asarray(image.dataobj)[:, :, slices]
    result = separate(magnitude, None, (3.45, 4.60, 5.75), image.affine, 3.0)
    assert result.method == "multi-echo magnitude fit"
    levels = {check.name: check.level for check in result.checks}
    assert levels["separation_method"] == levels["doubtful_voxels"] == "warn"
    assert result.swaps["shell_ff"].min() > 70
    # No phase, no certainty: most tissue of a limb with some fat is marked.
    assert result.doubtful[result.body].mean() > 0.3
