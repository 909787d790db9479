"""Runs the tool: `python -m audit`."""

import sys

from .cli import main

sys.exit(main(sys.argv[1:]))
