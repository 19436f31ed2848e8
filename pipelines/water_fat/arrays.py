"""Names for the arrays this package passes around."""

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Spacing = npt.NDArray[np.float64]
