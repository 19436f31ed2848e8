"""Read tables of muscle scores as people write them; call :func:`reading.read_scores`."""
