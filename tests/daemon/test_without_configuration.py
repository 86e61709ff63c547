"""The daemon where nobody has configured anything, and where it cannot start."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from daemon_process import daemon

if TYPE_CHECKING:
    from pathlib import Path


async def test_starts_with_no_configuration_at_all(tmp_path: Path) -> None:
    """In an empty home directory it makes its database, readable by its owner only."""
    async with daemon(None, home=tmp_path) as process:
        await process.until("ready")
        assert (await process.stop()).code == 0
    database = tmp_path / ".teleclaude" / "teleclaude.db"
    assert database.stat().st_mode & 0o777 == 0o600
    assert database.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("below", ["file/x/teleclaude.db", "file", "directory"])
async def test_place_that_cannot_hold_a_database(tmp_path: Path, below: str) -> None:
    """A path below a file, a file that is no database, a directory: one sentence, nothing made."""
    (tmp_path / "file").write_text("this is not a database, and must stay what it is")
    (tmp_path / "directory").mkdir()
    before = sorted(tmp_path.rglob("*"))
    path = str(tmp_path / below)
    async with daemon(None, home=tmp_path, TELECLAUDE_DB_PATH=path) as process:
        end = await process.end()
    assert end.code == 5
    assert end.complaint.startswith(f"error: The database {path} ")
    assert end.complaint.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text().endswith("must stay what it is")


async def test_no_room_for_the_database(tmp_path: Path) -> None:
    """Where writing fails it says so and leaves no half-made schema behind."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        async with daemon(None, home=tmp_path) as process:
            end = await process.end()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert end.code == 5
    assert "could not be written" in end.complaint
    assert end.complaint.count("\n") == 1
    async with daemon(None, home=tmp_path) as process:
        await process.until("schema created")


async def test_bad_configuration(tmp_path: Path) -> None:
    """A misspelt key stops it before anything is made."""
    (tmp_path / "teleclaude.yml").write_text("database:\n  pth: /tmp/x.db\n")
    async with daemon(None, home=tmp_path) as process:
        end = await process.end()
    assert end.code == 3
    assert "teleclaude.yml:2: database.pth" in end.complaint
    assert "Did you mean 'path'?" in end.complaint
    assert not (tmp_path / ".teleclaude").exists()
