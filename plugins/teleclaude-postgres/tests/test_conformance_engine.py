"""The PostgreSQL backend does it without its statement lane, too: the engine is the other way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from teleclaude.testing.conformance import *  # noqa: F403 - that is how the kit is used

if TYPE_CHECKING:
    from collections.abc import Mapping

    from postgres_provisioning import PostgresProvisioner


@pytest.fixture(scope="session")
def database_settings(provisioner: PostgresProvisioner) -> Mapping[str, object]:
    """An empty database on a throw-away server."""
    return provisioner.section()


@pytest.fixture
def uses_lane() -> bool:
    """Run every statement through the engine."""
    return False
