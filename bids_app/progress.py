"""Bars that show how far a long computation is, and how long it will still take."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Progress = Callable[[int, int], None]


@contextmanager
def progress_bar(what: str, unit: str) -> Iterator[Progress]:
    """Show a bar on a terminal, and nothing elsewhere.

    Yields
    ------
    callable
        To be told how many units are done, and how many there are.
    """
    with tqdm(total=None, desc=what, unit=unit, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress
