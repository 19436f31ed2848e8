"""The version of MyoMIDS, kept alone so that reading it imports nothing."""

__version__ = "0.4.0"
