"""Fixtures for the tests of all distributions; `tests/support/store_fixtures.py` describes them."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["store_fixtures"]

# By default Hypothesis fails a test that takes long once, or whose examples take long to make: a
# busy machine is enough for that.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
