"""How functions of this folder are compiled."""

import os
from typing import Any

import numba

# Machine code is kept only where the user says, never beside the source.
_CACHE = bool(os.environ.get("NUMBA_CACHE_DIR"))


def compiled(function: Any) -> Any:
    """Compile a function on its first call; it runs without Python's lock.

    Division by zero gives inf or NaN as in numpy; products may be fused with sums.
    """
    decorate = numba.njit(nogil=True, error_model="numpy", fastmath={"contract"}, cache=_CACHE)
    return decorate(function)
