"""Left, right or one limb: call :func:`splitting.split_sides`."""
