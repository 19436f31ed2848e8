"""What the features give away beside the disease; call :func:`leakage.leakage_audit`."""
