"""Simulated cohort of muscle scores: written-down patterns, no patient's data."""
