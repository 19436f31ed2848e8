"""How good a diagnosis model is: figures with their n, interval and spread over folds."""
