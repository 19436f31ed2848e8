#!/usr/bin/env python3
"""MyoMIDS: ``run.py BIDS_DIR OUTPUT_DIR {participant,group}``; see ``run.py --help``."""

import sys

from bids_app.door import main

if __name__ == "__main__":
    sys.exit(main())
