"""Values of sidecar fields, which converters and people write as they like."""


def field_number(value: object) -> float | None:
    """Return a field that holds one number, which ``true`` is not; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)
