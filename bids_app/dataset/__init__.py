"""What a MIDS or BIDS tree holds, and which of its scans are used; start at :mod:`sessions`."""
