"""Fixtures for the tests of all distributions; `tests/support/store_fixtures.py` describes them."""

from hypothesis import settings

pytest_plugins = ["store_fixtures"]

# By default Hypothesis fails a test that takes long once, which a busy machine is enough for.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
