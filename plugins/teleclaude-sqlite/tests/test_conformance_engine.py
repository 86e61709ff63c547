"""The SQLite backend does it without its statement lane, too: the engine is the other way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from teleclaude.testing.conformance import *  # noqa: F403 - that is how the kit is used

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture(scope="session")
def database_settings(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, object]:
    """An empty database: a file that is not there yet."""
    path = tmp_path_factory.mktemp("conformance") / "teleclaude.db"
    return {"engine": "sqlite", "path": str(path)}


@pytest.fixture
def uses_lane() -> bool:
    """Run every statement through the engine."""
    return False
