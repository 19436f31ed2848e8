"""The door of the app as a program: it heeds signals before it imports anything else of ours."""

from bids_app.running.signals import ignore_signals, leave_on_signals


def main() -> int:
    """Run MyoMIDS with the arguments of the process; return the exit code."""
    leave_on_signals()
    from bids_app.cli import main as run

    code = run()
    ignore_signals()
    return code
