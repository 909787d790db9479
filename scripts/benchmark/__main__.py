"""Runs the tool: `python -m benchmark`."""

import sys

from .cli import main

sys.exit(main(sys.argv[1:]))
