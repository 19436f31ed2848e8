"""The cohort: gather tables, harmonize, train, apply; start at :mod:`level`."""
