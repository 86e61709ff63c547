"""Backups and housekeeping."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import teleclaude.migrations
from teleclaude.errors import StoreError, StoreUnavailableError
from teleclaude.migrations import Migrator
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude_sqlite import upkeep

if TYPE_CHECKING:
    from teleclaude.config import Config

OURS = Path(teleclaude.migrations.__file__).parent / "versions"

MORE = """
from alembic import op
revision, down_revision = "more", "0001"
def upgrade():
    op.execute("CREATE TABLE more (x)")
def downgrade():
    op.execute("DROP TABLE more")
"""


DAMAGE = (
    "CREATE TABLE damaged (a, b)",
    "CREATE INDEX i ON damaged (a)",
    "INSERT INTO damaged VALUES (1, 2)",
    "PRAGMA writable_schema = ON",
    "UPDATE sqlite_master SET sql = 'CREATE INDEX i ON damaged (b)' WHERE name = 'i'",
)
"""Makes an index that does not fit its table."""


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


async def test_a_backup_while_others_write(file_config: Config, tmp_path: Path) -> None:
    """The copy is consistent although transactions go on: their two halves agree in it."""
    async with Db(file_config) as db:
        stop = asyncio.Event()

        async def write() -> None:
            number = 0
            while not stop.is_set():
                async with db.transaction() as tx:
                    await tx.settings.set("first", str(number))
                    await tx.settings.set("second", str(number))
                number += 1

        writer = asyncio.create_task(write())
        for number in range(5):
            copy = tmp_path / f"copy-{number}.db"
            given = await file_config.backend.backup(db._engine, file_config.database, copy)
            assert given == copy
            values = rows(copy, "SELECT value FROM system_settings ORDER BY key")
            assert len(set(values)) <= 1
            assert rows(copy, "PRAGMA integrity_check") == [("ok",)]
        stop.set()
        await writer
    assert not list(tmp_path.glob("*.partial*"))


async def test_a_backup_that_fails_leaves_nothing(file_config: Config, tmp_path: Path) -> None:
    """Where the copy cannot be written or the database is damaged, there is no half copy."""
    async with Db(file_config) as db:
        with pytest.raises(OSError, match="No such file or directory"):
            await file_config.backend.backup(
                db._engine, file_config.database, tmp_path / "missing" / "copy.db"
            )
    with closing(sqlite3.connect(file_config.database.location)) as damaged, damaged:
        for sql in DAMAGE:
            damaged.execute(sql)
    db = Db(file_config)
    with pytest.raises(StoreError, match="The backup of the database is damaged"):
        await file_config.backend.backup(db._engine, file_config.database, tmp_path / "copy.db")
    await db.close()
    assert not list(tmp_path.glob("copy*"))


async def test_a_migration_makes_a_backup_first(file_config: Config, tmp_path: Path) -> None:
    """Before an existing database is changed, there is a complete copy of it, and only then."""
    async with Db(file_config) as db:
        await db.settings.set("key", "value")
    directory = tmp_path / "more"
    directory.mkdir()
    (directory / "more.py").write_text(MORE)
    engine = file_config.backend.create_engine(file_config.database)
    migrator = Migrator(
        file_config.backend, file_config.database, engine, metadata, versions=(OURS, directory)
    )
    done = await migrator.upgrade()
    assert done.backup is not None
    assert done.backup.parent == Path(file_config.database.location).parent
    assert done.backup.name.startswith("teleclaude.db.backup-")
    assert rows(done.backup, "SELECT key, value FROM system_settings") == [("key", "value")]
    assert rows(done.backup, "SELECT version_num FROM alembic_version") == [("0001",)]
    assert rows(done.backup, "SELECT count(*) FROM sqlite_master WHERE name = 'more'") == [(0,)]
    assert (await migrator.upgrade()).backup is None
    again = (await migrator.downgrade("0001")).backup
    assert again is not None
    assert rows(again, "SELECT version_num FROM alembic_version") == [("more",)]
    assert len(list(tmp_path.glob("*.backup-*"))) == 2
    await engine.dispose()


async def test_maintenance(file_config: Config) -> None:
    """Housekeeping moves the write-ahead log into the database and says how much."""
    async with Db(file_config) as db:
        await db.settings.set("key", "x" * 100_000)
        done = await db.maintain()
        assert "statistics refreshed" in done
        moved, _, pages, *_ = done[1].split()
        assert int(moved) == int(pages) > 20
        path = Path(file_config.database.location)
        with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as connection:
            size = connection.execute("SELECT length(value) FROM system_settings").fetchone()
        assert size == (100_000,)


async def test_maintenance_of_what_is_gone(file_config: Config) -> None:
    """Housekeeping of a database that vanished is a clear error."""
    db = Db(file_config)
    Path(file_config.database.location).unlink()
    with pytest.raises(StoreUnavailableError, match="There is no database"):
        await db.maintain()
    await db.close()


@pytest.mark.usefixtures("file_config")
@pytest.mark.parametrize("moment", ["copying", "complete"])
async def test_a_cancelled_backup_ends_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Cancelled while it copies or just after, it leaves neither a file nor a complaint."""
    copying, go_on = threading.Event(), threading.Event()
    copy = upkeep._copy

    def slow(database: Path, destination: Path, stop: threading.Event) -> Path:
        return copy(database, destination, threading.Event() if moment == "complete" else stop)

    def wait(*_: object) -> None:
        copying.set()
        assert go_on.wait(20)

    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
    monkeypatch.setattr(upkeep, "_copy", slow)
    monkeypatch.setattr(upkeep, "_require_space", wait)
    destination = tmp_path / "copy.db"
    task = asyncio.ensure_future(upkeep.backup(tmp_path / "teleclaude.db", destination))
    await asyncio.to_thread(copying.wait, 20)
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not list(tmp_path.glob("copy.db*"))
    del task
    gc.collect()
    assert complaints == []


async def test_a_cancelled_backup_stops_and_leaves_nothing(file_config: Config) -> None:
    """Cancelled at any moment it stops soon, leaves no file, and the database goes on working."""
    backend, settings = file_config.backend, file_config.database
    async with Db(file_config) as db:
        await db.settings.set("large", "x" * 50_000_000)
        directory = Path(settings.location).parent
        before = {path.name for path in directory.iterdir()}
        for delay in (0, 0.001, 0.003, 0.006, 0.01):
            task = asyncio.ensure_future(backend.backup(db._engine, settings))
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.wait([task], timeout=5)
            assert task.cancelled()
            assert {path.name for path in directory.iterdir()} == before
        await db.settings.set("key", "value")


async def test_its_own_files_are_recognised(file_config: Config, tmp_path: Path) -> None:
    """A copy is told from other files by its first bytes, however few there are."""
    await upkeep.backup(file_config.database.path, tmp_path / "copy")  # type: ignore[attr-defined]
    beginning = (tmp_path / "copy").read_bytes()[:512]
    assert "teleclaude.db-wal" in str(file_config.backend.native_backup(beginning))
    for other in (b"", beginning[:15], b"x" + beginning, b"PGDMP"):
        assert file_config.backend.native_backup(other) is None
