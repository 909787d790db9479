"""Unit tests; `python -m unittest discover -s scripts/benchmark/tests -t scripts` runs them from the repository's "
"root."""
