"""Compare label images with a reference: ``python -m bids_app.evaluation``."""
