"""Runs the tool: `python -m local`."""

import sys

from .cli import main

sys.exit(main(sys.argv[1:]))
