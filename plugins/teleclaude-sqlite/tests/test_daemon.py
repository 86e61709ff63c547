"""The daemon beside a process that does not let go of the file."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from daemon_process import daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def locked_file(tmp_path: Path) -> Iterator[Path]:
    """An empty database that somebody is writing to."""
    path = tmp_path / "data.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        yield path


async def test_can_be_stopped_while_it_waits_for_the_file(
    locked_file: Path, tmp_path: Path
) -> None:
    """Waiting to make the schema does not keep it from stopping in time."""
    async with daemon(None, home=tmp_path, TELECLAUDE_DB_PATH=str(locked_file)) as process:
        await process.until("instance lock taken")
        await asyncio.sleep(1)  # until it waits for the file, of which nothing tells
        end = await process.stop()
    assert (end.code, end.complaint) == (0, "")
    assert end.seconds < 2
