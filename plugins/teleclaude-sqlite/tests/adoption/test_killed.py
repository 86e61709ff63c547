"""After `kill -9` in the middle of an adoption there is the old database or the adopted one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .conftest import DATA, LAST, content, execute, rows_of, store

if TYPE_CHECKING:
    from teleclaude.store import Db

SCRIPT = Path(__file__).with_name("killed_process.py")
OLD = DATA / "legacy" / f"{LAST}.db"


async def outcome(path: Path, before: str) -> str:
    """Say what is there after the process died, having looked at all of it."""
    assert execute(path, "PRAGMA integrity_check") == [("ok",)]
    if content(path) == before:
        return "old"
    rows = rows_of(path)
    assert rows["alembic_version"] == [{"version_num": "0001"}]
    assert {name: len(found) for name, found in rows.items() if name in TABLES} == TABLES
    async with store(path) as db:
        assert await db.migrator.check() == []
    return "adopted"


TABLES = {
    "sessions": 8,
    "hook_outbox": 8,
    "pending_message_deletions": 2,
    "memory_observations": 5,
    "quarantine": 42,
}


async def adopt_again(db: Db) -> None:
    await db.migrator.upgrade()
    await db.open()
    assert (await db.sessions.get("plain")).computer_name == "mac"


@pytest.mark.parametrize(("way", "deaths"), [("statements", 20), ("bytes", 15)])
async def test_nothing_in_between(tmp_path: Path, way: str, deaths: int) -> None:
    """Killed between and in its statements, or in the middle of a write, it is all or nothing."""
    command = [sys.executable, SCRIPT, OLD, tmp_path, way]
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=100)
    before = content(OLD)
    *killed, finished = sorted(tmp_path.iterdir())
    assert len(killed) >= deaths
    outcomes = [await outcome(place / "teleclaude.db", before) for place in killed]
    assert "old" in outcomes
    assert sorted(outcomes, reverse=True) == outcomes  # from some moment on, it is adopted
    assert await outcome(finished / "teleclaude.db", before) == "adopted"
    for place in (killed[len(killed) // 2], killed[-1]):
        async with store(place / "teleclaude.db") as db:
            await adopt_again(db)
