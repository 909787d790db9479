"""Unit tests; `python -m unittest discover -s scripts/audit/tests -t scripts` runs them from the repository's root."""
