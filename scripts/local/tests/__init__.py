"""Unit tests; `python -m unittest discover -s scripts/local/tests -t scripts` runs them from the repository's root."""
