"""The PostgreSQL backend does what every backend must do."""

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
