"""Why the ensemble answers as it does: exact SHAP values, interactions and their clusters."""
