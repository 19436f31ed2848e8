"""Diagnosis from muscle scores: training, evaluation, explanation, models and their use."""
