"""How functions of this package are compiled."""

import os
from typing import Any

import numba

# Lets a complex number be added in one step, which a fifth of the search's time depends on. numba
# leaves it off by default because LLVM had faults there; XGBoost and shap are the tests' oracles.
numba.config.SLP_VECTORIZE = 1  # type: ignore[attr-defined]

# Machine code is kept only where the user says, never beside the source.
_CACHE = bool(os.environ.get("NUMBA_CACHE_DIR"))


def compiled(function: Any) -> Any:
    """Compile a function on its first call; it runs without Python's lock.

    Division by zero gives inf or NaN as in numpy; products may be fused with sums.
    """
    decorate = numba.njit(nogil=True, error_model="numpy", fastmath={"contract"}, cache=_CACHE)
    return decorate(function)
