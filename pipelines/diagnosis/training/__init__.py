"""How an ensemble is found: folds, search, nested validation, refit; start at ``nested``."""
