"""The built distributions; tox builds them and says where they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "TELECLAUDE_TEST_DISTRIBUTIONS"


@pytest.fixture(scope="session")
def distributions() -> Path:
    """The directory that holds a wheel and a source distribution of each package."""
    if VARIABLE not in os.environ:
        pytest.skip(f"{VARIABLE} does not name a directory of distributions (tox -e package)")
    return Path(os.environ[VARIABLE])
