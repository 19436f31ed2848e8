"""One session from scans to results; start at :mod:`level`, then :mod:`session`, :mod:`stack`."""
