"""Check the sides of labels that came with sides of their own."""

import numpy as np

from pipelines.anatomy.vocabulary import SIDES, Side, label_values
from pipelines.arrays import Affine, UInt16
from pipelines.quality import Check
from pipelines.segmentation.sides.limb_side import limb_axes, limb_chirality
from pipelines.segmentation.sides.sections import find_sections


def check_given_sides(labels: UInt16, affine: Affine) -> Check:
    """Compare the sides that labels state with where they lie and with anatomy.

    Parameters
    ----------
    labels : ndarray of uint16, shape (x, y, z)
        Labels with sides, our values, in canonical orientation.
    affine : ndarray of shape (4, 4)
        Their affine, mm.

    Returns
    -------
    Check
        ``sides``: fails if left labels lie right of right ones, warns if medial muscles of a limb
        do not lie as in a limb of its side. Its value is the number of muscles on the wrong side.
    """
    exchanged = _exchanged(labels, affine)
    if exchanged:
        text = (
            f"Left and right are exchanged in the labels of {', '.join(exchanged)}: the left one "
            "lies on the patient's right. Check the label map and its header."
        )
        return Check("sides", "fail", text, float(len(exchanged)), "muscles", 0.0)
    present = {label_values()[int(value)][1] for value in np.unique(labels[labels > 0])}
    turned = [side for side in SIDES if side in present and _is_turned(labels, affine, side)]
    if not turned:
        text = "The sides that the labels state agree with where they lie."
        return Check("sides", "pass", text, 0.0, "muscles", 0.0)
    text = (
        f"Medial muscles of the {' and '.join(turned)} limb do not lie as in a limb of that side. "
        "Check left and right, and the labels."
    )
    return Check("sides", "warn", text, 0.0, "muscles", 0.0)


def _exchanged(labels: UInt16, affine: Affine) -> list[str]:
    """Return the muscles whose left label lies right of the right one."""
    voxels = np.nonzero(labels)
    values = labels[voxels]
    x = np.stack(voxels, axis=1) @ affine[0, :3]
    size = np.bincount(values)
    mean = np.bincount(values, x) / np.maximum(size, 1)
    centre = {label_values()[int(value)]: mean[value] for value in np.flatnonzero(size)}
    return [
        muscle.name
        for (muscle, side), left in centre.items()
        if side == "left" and (muscle, "right") in centre and left > centre[muscle, "right"]
    ]


def _is_turned(labels: UInt16, affine: Affine, side: Side) -> bool:
    """Tell whether the muscles of a limb lie as in a limb of the other side."""
    named = {
        value: muscle.name
        for value, (muscle, own) in label_values().items()
        if own == side and muscle.name in limb_axes()
    }
    turn = limb_chirality(find_sections(labels, affine, named), named)
    return turn is not None and (turn > 0) != (side == "left")
