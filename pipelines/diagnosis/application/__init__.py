"""Scores in, ranked and explained answers out; call :func:`apply.apply_model`."""
