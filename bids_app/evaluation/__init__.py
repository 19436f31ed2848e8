"""What ``python -m bids_app.evaluate`` is made of: pairing of files, reading, figures."""
