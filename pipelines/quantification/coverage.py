"""Whether the image stack holds the whole muscle."""

import numpy as np
import numpy.typing as npt


def truncation(slices: npt.NDArray[np.intp], stack_slices: int) -> tuple[bool, bool]:
    """Tell at which ends of the stack a muscle is cut.

    A muscle that still has a cross-section in the last slice of the stack goes on beyond it, as
    far as anyone can know; its volume and length are those of the imaged part.

    Parameters
    ----------
    slices : ndarray of int
        Slices that hold the muscle, rising from distal to proximal (inferior to superior).
    stack_slices : int
        Number of slices of the stack.

    Returns
    -------
    proximal, distal : bool
        Cut at the top, cut at the bottom.
    """
    return bool(slices[-1] == stack_slices - 1), bool(slices[0] == 0)
