"""Runs the tool: `python3 -m suite`."""

import sys

from .cli import main

sys.exit(main(sys.argv[1:]))
