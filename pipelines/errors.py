"""Errors the science raises; the app turns each class into one exit code.

The scientific packages know no exit codes. They say what is wrong (the message) and what a
person can do about it (the hint), and leave the rest to the caller.
"""

# Characters of a cell or name that a message shows.
MOST_SHOWN = 60


class PipelineError(Exception):
    """Base of every error a pipeline function raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong, naming the array, table or file.
    hint : str, optional
        What to do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DataError(PipelineError):
    """An image or table holds values the method cannot work on."""


class ModelError(PipelineError):
    """A segmentation or diagnosis model is missing, damaged, untrusted or does not fit the data."""


class DeviceError(PipelineError):
    """The requested computing device cannot be had."""


class MissingPackageError(PipelineError):
    """A package that belongs to an extra is needed and not installed."""


def escaped(text: str) -> str:
    """Return a text with everything escaped that is not printed: it can break no line of a log."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else _escape(sign) for sign in text)


def _escape(sign: str) -> str:
    if "\udc80" <= sign <= "\udcff":  # a byte of a file name that is no UTF-8
        return f"\\x{ord(sign) - 0xDC00:02x}"
    return sign.encode("unicode_escape").decode("ascii")


def shortened(text: object) -> str:
    """Return what a message shows of somebody's text: of a long one, the beginning."""
    whole = str(text)
    return whole if len(whole) <= MOST_SHOWN else f"{whole[: MOST_SHOWN - 1]}…"


def quoted(text: object) -> str:
    """Return somebody's text between quotation marks, as :func:`shortened` shows it."""
    return repr(shortened(text))
