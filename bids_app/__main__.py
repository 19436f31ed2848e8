"""``python -m bids_app``: the same command as ``myomids`` and ``run.py``."""

from bids_app.door import main

if __name__ == "__main__":
    raise SystemExit(main())
