"""The app: everything that knows people, files and processes."""
