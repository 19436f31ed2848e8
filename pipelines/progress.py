"""How a long computation tells how far it is."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with the number of units done and the number of all."""
