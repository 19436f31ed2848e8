"""Quality checks of a separation, in words for the report."""

from pipelines.quality import Check
from pipelines.water_fat.separation.solution import Solution
from pipelines.water_fat.separation.t1_correction import T1Weighting

# Share of the tissue (percent) that may be doubtful without a warning.
DOUBTFUL_PERCENT = 2.0
# Amplitude (percent) that the model may leave over: 2-3 % are normal (spectrum, field strength),
# wrong phase or echo times leave more.
RESIDUAL_PERCENT = 5.0
# Points that T1 weighting may add to a fat fraction of 20 % without a warning.
T1_POINTS = 3.0
_T1_EXAMPLE = 20.0


def separation_checks(
    solution: Solution, weighting: T1Weighting | None, *, t1_corrected: bool
) -> list[Check]:
    """Judge a separation."""
    checks = [_check_method(solution), _check_doubtful(solution)]
    if solution.decision is not None:
        checks.insert(0, solution.decision.check())
    if solution.residual is not None:
        checks.append(_check_residual(100 * solution.residual))
    if weighting is not None:
        checks.append(_check_t1(weighting, t1_corrected=t1_corrected))
    return checks


def _check_method(solution: Solution) -> Check:
    if solution.method == "two-point magnitude":
        text = (
            "Water and fat come from two magnitude echoes: fat fractions above 40 % and those of "
            "subcutaneous fat cannot be used."
        )
        return Check("separation_method", "warn", text)
    if solution.method == "multi-echo magnitude fit":
        text = (
            "Water and fat come from magnitudes without phase: tissue of much fat may be taken for "
            "tissue of little, and the reverse. Phase images would settle it."
        )
        return Check("separation_method", "warn", text)
    text = f"Water and fat were separated with magnitude and phase ({solution.method})."
    return Check("separation_method", "pass", text)


def _check_doubtful(solution: Solution) -> Check:
    share = 100.0 * float(solution.doubtful.mean())
    text = f"In {share:.1f} % of the tissue water and fat may be exchanged or out of range"
    level = "warn" if share > DOUBTFUL_PERCENT else "pass"
    text += "; look at the map of doubtful voxels." if level == "warn" else "."
    return Check(
        "doubtful_voxels", "warn" if level == "warn" else "pass", text, share, "%", DOUBTFUL_PERCENT
    )


def _check_residual(percent: float) -> Check:
    text = f"The signal model leaves {percent:.1f} % of the signal over"
    if percent <= RESIDUAL_PERCENT:
        return Check("model_residual", "pass", text + ".", percent, "%", RESIDUAL_PERCENT)
    text += (
        "; echo times, their order, the field strength or the phase may be wrong, or the limb "
        "moved."
    )
    return Check("model_residual", "fail", text, percent, "%", RESIDUAL_PERCENT)


def _check_t1(weighting: T1Weighting, *, t1_corrected: bool) -> Check:
    bias = weighting.bias(_T1_EXAMPLE)
    text = f"T1 weighting adds {bias:.1f} points to a fat fraction of {_T1_EXAMPLE:.0f} %"
    if t1_corrected:
        return Check("t1_weighting", "pass", text + "; it was corrected.", bias, "points")
    if bias <= T1_POINTS:
        return Check("t1_weighting", "pass", text + ".", bias, "points", T1_POINTS)
    text += "; a smaller flip angle, a longer repetition time or the T1 correction avoids it."
    return Check("t1_weighting", "warn", text, bias, "points", T1_POINTS)
