"""Spellings of options that people know from other BIDS Apps, turned into ours."""

from collections.abc import Iterator, Sequence

from bids_app.options.settings import OPTIONS

# Of fMRIPrep, MRIQC, the example app and QSIPrep, with hyphens for underscores.
_OTHER_NAMES = {
    "--skip-bids-validator": "--skip-bids-validation",
    "--participant-labels": "--participant-label",
    "--session-labels": "--session-label",
    "--nthreads": "--nprocs",
    "--n-cpus": "--nprocs",
    "--n-procs": "--nprocs",
    "--omp-threads": "--omp-nthreads",
    "--verbose": "-v",
}
# Amounts of memory without a unit of their own; a bare --mem means MB in one app and GB in another.
_MEMORY_UNITS = {"--mem-mb": "MB", "--mem-gb": "GB"}

_OURS = frozenset(flag for option in OPTIONS for flag in option.flags)


def usual_spellings(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with every known option in our spelling."""
    return list(_usual(iter(arguments)))


def _usual(arguments: Iterator[str]) -> Iterator[str]:
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        hyphens = flag.replace("_", "-")
        if not flag.startswith("--") or flag in _OURS:
            yield argument
        elif hyphens in _MEMORY_UNITS:
            amount = value if equals else next(arguments, "")
            yield from ("--mem", f"{amount}{_MEMORY_UNITS[hyphens]}")
        elif hyphens in _OURS:
            yield f"{hyphens}{equals}{value}"
        else:
            yield f"{_OTHER_NAMES.get(hyphens, flag)}{equals}{value}"
