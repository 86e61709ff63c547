"""Fixtures for the tests of all distributions; `tests/support/store_fixtures.py` describes them."""

pytest_plugins = ["store_fixtures"]
