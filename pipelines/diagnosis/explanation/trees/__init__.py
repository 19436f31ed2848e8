"""Exact SHAP values of boosted trees, compiled; called by the folder above."""
