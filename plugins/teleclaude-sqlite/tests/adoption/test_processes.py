"""Adoptions by the daemon, by two processes at once, and beside others who use the file."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from daemon_process import daemon
from teleclaude.errors import SchemaOutdatedError
from teleclaude.testing.processes import store_process

from .conftest import LAST, backups, content, execute, store

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import TakeOld


async def test_the_daemon_adopts_when_it_starts(take: TakeOld, tmp_path: Path) -> None:
    """`teleclaude run` says what it converted, where the copy is and what has no place."""
    path = take(LAST)
    options = ("--log-format", "json")
    async with daemon(None, *options, home=tmp_path, TELECLAUDE_DB_PATH=str(path)) as process:
        await process.until("ready")
        end = await process.stop()
    assert (end.code, end.complaint) == (0, "")
    (adopted,) = [one for one in process.events() if one["event"] == "database adopted"]
    assert adopted["backup"] == str(backups(path)[0])
    assert adopted["found"] == f"a database of an earlier TeleClaude at level {LAST}"
    assert (adopted["rows"], adopted["quarantined"]) == (48, 24)
    listed = [one for one in process.events() if one["event"] == "put into quarantine"]
    assert len(listed) == 20
    assert {"table": "agent_availability", "original": '"tomorrow 9am"'}.items() <= next(
        one for one in listed if one["key"] == "words"
    ).items()


async def test_the_daemon_says_why_it_refuses(take: TakeOld, tmp_path: Path) -> None:
    """A database it cannot adopt ends the daemon with the exit code of its family."""
    path = take(LAST, "INSERT INTO schema_migrations (version) VALUES ('018_add_wings')")
    async with daemon(None, home=tmp_path, TELECLAUDE_DB_PATH=str(path)) as process:
        end = await process.end()
    assert end.code == 6
    assert "018_add_wings" in end.complaint


async def test_two_processes_adopt_once(take: TakeOld) -> None:
    """Two processes that find an old database at the same moment both succeed; one adopts it."""
    path = take(LAST)
    async with store(path) as db:
        config = path.with_name("teleclaude.yml")
        async with store_process("upgrade", config) as one, store_process("upgrade", config) as two:
            assert [await one.said(), await two.said()] == ["ready", "ready"]
            await asyncio.gather(one.finish(), two.finish())
        assert len(backups(path)) == 1
        assert await db.migrator.check() == []
    assert execute(path, "SELECT count(*) FROM sessions") == [(8,)]


async def test_nobody_writes_between_the_copy_and_the_conversion(
    take: TakeOld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the old program writes while the copy is made waits, and is not lost unnoticed."""
    path = take(LAST)
    refused: list[str] = []
    async with store(path) as db:
        backup = db._backend.backup

        async def backup_beside_a_writer(*arguments: object) -> object:
            made = await backup(*arguments)  # type: ignore[arg-type]
            with closing(sqlite3.connect(path, timeout=0)) as other:
                try:
                    other.execute("UPDATE sessions SET title = 'late'")
                except sqlite3.OperationalError as error:
                    refused.append(str(error))
            return made

        monkeypatch.setattr(db._backend, "backup", backup_beside_a_writer)
        await db.migrator.upgrade()
    assert refused == ["database is locked"]


async def test_a_cancelled_adoption_leaves_no_trace(take: TakeOld) -> None:
    """Cancelled at any statement, an adoption leaves neither a change nor a copy."""
    path = take(LAST)
    before = content(path)
    cancelled = 0
    async with store(path) as db:
        left = 0

        @event.listens_for(db._engine.sync_engine, "before_cursor_execute")
        def cancel(*_: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                task.cancel()

        for moment in range(8, 1000, 13):
            left = moment
            task = asyncio.ensure_future(db.migrator.upgrade())
            await asyncio.wait([task])
            if not task.cancelled():
                break
            cancelled += 1
            assert content(path) == before
            assert backups(path) == []
        assert task.result().adoption is not None
        assert cancelled > 5
        assert await db.migrator.check() == []


async def test_readers_see_the_old_rows_until_the_end(take: TakeOld) -> None:
    """A reader that has begun before the adoption finishes undisturbed, and then sees the new."""
    path = take(LAST)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        count = "SELECT count(*) FROM schema_migrations"
        assert reader.execute(count).fetchone() == (18,)
        async with store(path) as db:
            await db.migrator.upgrade()
        assert reader.execute(count).fetchone() == (18,)
        reader.execute("COMMIT")
        assert reader.execute("SELECT * FROM alembic_version").fetchone() == ("0001",)


async def test_an_old_database_is_not_opened(take: TakeOld) -> None:
    """Without the adoption, the store refuses to work on it and says what to do."""
    path = take(LAST)
    async with store(path) as db:
        with pytest.raises(SchemaOutdatedError, match="teleclaude db upgrade"):
            await db.open()
