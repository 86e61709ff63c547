"""The backend does what every backend must do."""

import pytest

from teleclaude.testing.conformance import *  # noqa: F403


@pytest.fixture(scope="session")
def database_settings(tmp_path_factory):
    """The settings of an empty database."""
    return {"engine": "minimal", "path": str(tmp_path_factory.mktemp("minimal") / "data.db")}
