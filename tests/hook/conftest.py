"""Databases without a password in their configuration, for which there can be a manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioning import Provisioner, Section


@pytest.fixture
def database_settings(provisioner: Provisioner, tmp_path: Path) -> Iterator[Section]:
    """The `database:` section of an empty database of the test's own."""
    section = dict(provisioner.section())
    if "password" in section:  # of the server that the environment names
        file = tmp_path / "password"
        file.write_text(str(section.pop("password")))
        section["password_file"] = str(file)
    yield section
    provisioner.drop(section)
