"""Exact SHAP values and interactions of boosted trees, compiled.

Its face, for the folder above: ``flatten_booster`` and ``tile_rows`` (trees and samples as they are
walked), ``explain_tile`` and ``explain_pairs_tile`` (the walk).
"""
