"""Unit tests of `scripts/test`."""
