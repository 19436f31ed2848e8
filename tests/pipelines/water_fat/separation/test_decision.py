"""Which of two is fat: limbs of all kinds, both phase signs, and what is said when unsure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.water_fat.separation.decision import (
    CERTAIN,
    DECIDED,
    Decision,
    LimbDecision,
    PriorSign,
)
from pipelines.water_fat.separation.model import EchoModel
from pipelines.water_fat.separation.options import SeparationOptions
from pipelines.water_fat.separation.pure_tissue import find_contradictions, log_odds
from pipelines.water_fat.separation.separate import SeparationResult, separate
from pipelines.water_fat.separation.spectra import fat_spectrum
from tests.pipelines.water_fat.limb_kinds import KINDS, make_limb
from tests.pipelines.water_fat.multi_echo_phantom import signal

IN_OPPOSED = (3.45, 4.60, 5.75)


def separated(
    kind: str,
    spectrum: str,
    *,
    reverse: bool = False,
    options: SeparationOptions | None = None,
) -> tuple[SeparationResult, float]:
    """Return the separation of a limb and the share of its muscle off by 30 points."""
    phantom = make_limb(kind, slices=3)
    echoes = 500 * signal(phantom, IN_OPPOSED, spectrum=spectrum)
    phase = np.angle(echoes.conj() if reverse else echoes)
    result = separate(np.abs(echoes), phase, IN_OPPOSED, phantom.affine, 3.0, options=options)
    muscle = np.isin(phantom.labels, phantom.muscles) & np.isfinite(result.ff)
    return result, float((np.abs(result.ff - phantom.ff)[muscle] > 30).mean())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reverse", [False, True])
def test_every_kind_of_limb_is_right_with_either_sign(kind: str, reverse: bool) -> None:
    result, wrong = separated(kind, "ismrm-6", reverse=reverse)
    if kind == "fat replaced" and not result.decided:
        return  # It is rare, so the evidence must be strong; without it nothing is claimed.
    assert result.decided
    assert wrong < 0.001
    assert result.precession == ("reversed" if reverse else "as modelled")


@pytest.mark.parametrize("kind", KINDS)
def test_with_fat_that_differs_from_the_spectrum_it_is_right_or_said(kind: str) -> None:
    result, wrong = separated(kind, "measured")
    check = {c.name: c for c in result.checks}["water_fat_decision"]
    assert result.decided == (check.level != "fail")
    assert wrong < 0.001 or not result.decided


def test_the_sign_of_another_scan_settles_what_this_one_leaves_open() -> None:
    thigh, _ = separated("thigh", "ismrm-6", reverse=True)
    assert thigh.phase_sign.decisive
    alone, wrong = separated("fat replaced", "ismrm-6", reverse=True)
    assert not alone.decided
    assert wrong > 0.9
    prior = PriorSign(thigh.phase_sign.sign, thigh.phase_sign.log_odds, "sub-thigh")
    settled, wrong = separated(
        "fat replaced", "ismrm-6", reverse=True, options=SeparationOptions(prior_sign=prior)
    )
    assert wrong < 0.001
    assert settled.precession == "reversed"
    # What the scan itself says about the sign does not change.
    assert settled.phase_sign.log_odds < 2
    assert "The phase sign is that of sub-thigh." in settled.notes


def test_a_decisive_scan_contradicts_the_sign_of_another() -> None:
    prior = PriorSign("reversed", 5.0, "sub-hand")
    result, wrong = separated("thigh", "ismrm-6", options=SeparationOptions(prior_sign=prior))
    assert wrong < 0.001
    assert result.precession == "as modelled"
    assert any("contradicts that of sub-hand" in note for note in result.notes)


@settings(max_examples=25, deadline=None)
@given(
    r2star=st.floats(15, 100),
    first=st.floats(1.0, 4.0),
    spacings=st.lists(st.floats(0.8, 2.4), min_size=2, max_size=5),
    field=st.sampled_from([1.5, 2.89, 3.0]),
)
def test_pure_water_never_contradicts_water(
    r2star: float, first: float, spacings: list[float], field: float
) -> None:
    times = np.cumsum([first, *spacings]) / 1000
    model = EchoModel.of(times, field, fat_spectrum())
    power = 9 * (500 * np.exp(-r2star * times)) ** 2
    found = find_contradictions(power.astype(np.float32)[:, None], np.array([9]), model, 8.0)
    assert not found.not_water.any()


@pytest.mark.parametrize("spectrum", ["ismrm-6", "hamilton-9", "triplett-10"])
def test_pure_fat_of_any_spectrum_contradicts_water_at_in_and_opposed_phase(spectrum: str) -> None:
    times = np.array(IN_OPPOSED) / 1000
    model = EchoModel.of(times, 3.0, fat_spectrum())
    fat = np.abs(fat_spectrum(spectrum).phasor(times, 3.0)) * 300 * np.exp(-50 * times)
    power = np.repeat((9 * fat**2)[:, None], 40, axis=1).astype(np.float32)
    found = find_contradictions(power, np.full(40, 9), model, 5.0)
    assert found.not_water.all()
    everything = np.ones(40, np.bool_)
    # 40 of 40 blocks: far beyond what outliers explain, so the limit.
    assert log_odds(found, np.ones(40, np.float32), everything) == 6.0
    assert log_odds(found, np.zeros(40, np.float32), everything) == -6.0
    # Mixed tissue says nothing.
    assert log_odds(found, np.full(40, 0.5, np.float32), everything) == 0.0


@pytest.mark.parametrize(
    ("odds", "level", "decided"), [(5.0, "pass", True), (3.0, "warn", True), (1.5, "fail", False)]
)
def test_check_follows_the_probability_of_the_worst_large_limb(
    odds: float, level: str, decided: bool
) -> None:
    limbs = (
        LimbDecision("left limb", 0.6, {"marrow": odds}, odds),
        LimbDecision("right limb", 0.38, {"marrow": 6.0}, 6.0),
        LimbDecision("piece of tissue", 0.02, {}, 0.0),
    )
    decision = Decision(limbs)
    check = decision.check()
    assert (check.level, decision.decided) == (level, decided)
    assert decision.probability == pytest.approx(1 / (1 + np.exp(-odds)))
    assert (CERTAIN, DECIDED) == (0.99, 0.9)


def test_a_decision_that_rests_on_the_prior_says_so() -> None:
    weak = Decision((LimbDecision("single limb", 1.0, {"lean_prior": 2.3, "marrow": 0.5}, 2.8),))
    strong = Decision((LimbDecision("single limb", 1.0, {"lean_prior": 2.3, "marrow": 3.0}, 5.3),))
    assert any("Without the assumption" in note for note in weak.notes)
    assert not any("Without the assumption" in note for note in strong.notes)
