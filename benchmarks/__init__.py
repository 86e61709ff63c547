"""Benchmarks of the store: a program of its own, not part of what is installed; see README.md."""
