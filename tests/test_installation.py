"""What is tested is what was installed, and nothing else is installed; tox says what that is."""

from __future__ import annotations

import os
import sysconfig
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from teleclaude.backends import installed_backends, load_backend

EXPECTED = sorted(os.environ.get("TELECLAUDE_TEST_ENGINES", "").split())
POSTGRES_DRIVERS = ("asyncpg", "psycopg", "psycopg2", "psycopg2cffi", "pg8000", "aiopg")

pytestmark = pytest.mark.skipif(not EXPECTED, reason="only tox knows what ought to be installed")


def test_the_engines_of_the_environment_are_installed() -> None:
    """Exactly the engines this environment is for are found, so that no test is left out."""
    assert [backend.engine for backend in installed_backends()] == EXPECTED


@pytest.mark.parametrize("engine", EXPECTED)
def test_an_installed_engine_loads(engine: str) -> None:
    """Every engine of this environment is complete with what is installed here."""
    assert load_backend(engine).engine == engine


def test_the_tests_run_on_installed_wheels() -> None:
    """The core and the backends are imported from site-packages, not from the source tree."""
    modules = ["teleclaude", *(backend.entry_point.module for backend in installed_backends())]
    files = [Path(str(import_module(module).__file__)) for module in modules]
    site_packages = Path(sysconfig.get_path("purelib"))
    assert [file for file in files if not file.is_relative_to(site_packages)] == []


def test_no_driver_is_installed_that_no_engine_needs() -> None:
    """Where only SQLite is wanted there is no PostgreSQL driver, neither ours nor another."""
    needed = ["asyncpg"] if "postgresql" in EXPECTED else []
    assert [driver for driver in POSTGRES_DRIVERS if find_spec(driver)] == needed
