"""Fixtures of the core's own tests that need a database; each runs once for every engine.

They are those of the conformance kit, on databases that `provisioner` makes. An environment with
one backend runs the tests on that one, and where a backend is installed its tests cannot be
skipped.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

import pytest

from provisioning import make_provisioner
from teleclaude.backends import installed_backends
from teleclaude.testing.fixtures import (
    backend,
    break_all,
    clock,
    config,
    databases,
    db,
    empty,
    execute,
    migrated,
    migrated_config,
    open_db,
    open_schema,
    own_environment,
    revisions,
    statements,
    uses_lane,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning import Provisioner, Section
    from teleclaude.config import Config
    from teleclaude.testing.databases import Databases

__all__ = [
    "backend",
    "break_all",
    "clock",
    "config",
    "databases",
    "db",
    "empty",
    "execute",
    "migrated",
    "migrated_config",
    "open_db",
    "open_schema",
    "own_environment",
    "revisions",
    "statements",
    "uses_lane",
]

ENGINES = sorted(
    os.environ.get("TELECLAUDE_TEST_ONLY", "").split()
    or {backend.engine for backend in installed_backends()}
)
"""All that are installed, unless others of the same run test the rest."""


class Configure(Protocol):
    """Loads the configuration that a `database:` section makes."""

    def __call__(self, section: Section, **changes: object) -> Config: ...


@pytest.fixture(scope="session", params=ENGINES)
def provisioner(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Provisioner]:
    """Databases of one engine."""
    provisioner = make_provisioner(request.param, tmp_path_factory.mktemp("databases"))
    yield provisioner
    provisioner.close()


@pytest.fixture
def database_settings(provisioner: Provisioner) -> Iterator[Section]:
    """The `database:` section of an empty database of the test's own."""
    section = provisioner.section()
    yield section
    provisioner.drop(section)


@pytest.fixture
def configure(databases: Databases, own_environment: None) -> Configure:  # noqa: ARG001
    """Give a function that writes and loads a configuration."""

    def configure(section: Section, **changes: object) -> Config:
        return databases.load({**section, **changes})

    return configure
