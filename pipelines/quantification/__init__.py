"""Masks and a fat fraction map in, per-muscle table and slice profiles out."""
