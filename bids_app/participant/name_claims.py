"""Compare what file names say of side and body part with what was found in the images."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.arrays import UInt16
from pipelines.quality import Check

if TYPE_CHECKING:
    import pandas as pd

# Values of lat-, in lower case.
_SIDES: Mapping[str, frozenset[str]] = {
    "l": frozenset({"left"}),
    "left": frozenset({"left"}),
    "r": frozenset({"right"}),
    "right": frozenset({"right"}),
    "b": frozenset({"left", "right"}),
    "both": frozenset({"left", "right"}),
    "bilateral": frozenset({"left", "right"}),
}
# Values of bp- that mean one part of the body, in lower case; others ("legs", "lowerlimb") may
# mean several.
_PARTS: Mapping[str, str] = {
    **dict.fromkeys(("thigh", "thighs", "upperleg", "upperlegs", "femur"), "thigh"),
    **dict.fromkeys(("calf", "calves", "lowerleg", "lowerlegs", "shank", "shanks"), "calf"),
    **dict.fromkeys(("pelvis", "hip", "hips"), "pelvis"),
    **dict.fromkeys(("abdomen", "chest", "thorax", "trunk", "spine", "lspine", "tspine"), "trunk"),
    **dict.fromkeys(("head", "brain", "neck", "cspine"), "head"),
    **dict.fromkeys(("arm", "upperarm", "forearm", "hand", "shoulder"), "arm"),
    **dict.fromkeys(("foot", "feet", "ankle"), "foot"),
}


def check_name_claims(
    entities: Mapping[str, str], labels: UInt16, parts: "pd.DataFrame | None"
) -> list[Check]:
    """Compare ``lat-`` and ``bp-`` of a stack's name with its labels; what was found stays.

    ``labels`` are in our values, so that their last digit is the side; ``parts`` are those of a
    review (:func:`pipelines.segmentation.review.body_parts.judge_slices`).
    """
    checks = []
    laterality = entities.get("laterality", "")
    claimed = _SIDES.get(laterality.casefold())
    digits = {int(digit) for digit in set((labels[labels > 0] % 10).tolist())}
    found = {side for digit, side in ((1, "left"), (2, "right")) if digit in digits}
    if claimed and found:
        checks.append(_compared("name_side", f"lat-{laterality}", claimed == found, _words(found)))
    word = entities.get("bodypart") or entities.get("bodypart_bop") or ""
    part = _PARTS.get(word.casefold())
    if part is not None and parts is not None and not parts.empty:
        thigh = bool((parts["part"] == "thigh").any())
        seen = "a thigh" if thigh else "not a thigh"
        checks.append(_compared("name_body_part", f"bp-{word}", (part == "thigh") == thigh, seen))
    return checks


def _compared(name: str, claim: str, agrees: bool, found: str) -> Check:
    if agrees:
        return Check(name, "pass", f"The file name says {claim}, and so do the labels.")
    text = (
        f"The file name says {claim}, but by the arrangement of its muscles the image shows "
        f"{found}. The results say what was found; check the name and the scan."
    )
    return Check(name, "warn", text)


def _words(sides: set[str]) -> str:
    return "both limbs" if len(sides) > 1 else f"the {next(iter(sides))} limb"
