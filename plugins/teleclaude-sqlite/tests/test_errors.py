"""The classification of failures, each caused for real."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import aiosqlite
import pytest
from sqlalchemy import text

from teleclaude.backends import ErrorKind

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from teleclaude.backends import Backend
    from teleclaude_sqlite.settings import SqliteSettings


async def failure(connection: AsyncConnection, *statements: str) -> BaseException:
    """Run statements and give the exception of the last."""
    *before, last = statements
    if not connection.in_transaction():
        await connection.execution_options(isolation_level="AUTOCOMMIT")
    for statement in before:
        await connection.execute(text(statement))
    with pytest.raises(Exception) as caught:  # noqa: PT011
        await connection.execute(text(last))
    return caught.value


async def connect_failure(backend: Backend, settings: SqliteSettings) -> ErrorKind:
    engine = backend.create_engine(settings)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        await engine.connect()
    await engine.dispose()
    return backend.classify_error(caught.value)


TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL UNIQUE CHECK (v <> 'bad'))"


@pytest.mark.parametrize(
    ("statements", "kind"),
    [
        ([TABLE, "INSERT INTO t VALUES (1, NULL)"], ErrorKind.INTEGRITY),
        ([TABLE, "INSERT INTO t VALUES (1, 'bad')"], ErrorKind.INTEGRITY),
        ([TABLE, "INSERT INTO t VALUES (1, 'a'), (2, 'a')"], ErrorKind.INTEGRITY),
        ([TABLE, "INSERT INTO t VALUES (1, 'a'), (1, 'b')"], ErrorKind.INTEGRITY),
        (
            [TABLE, "CREATE TABLE c (t INTEGER REFERENCES t)", "INSERT INTO c VALUES (9)"],
            ErrorKind.INTEGRITY,
        ),
        (["SELECT * FROM nonexistent"], ErrorKind.MISSING_TABLE),
        ([TABLE, "SELECT nonexistent FROM t"], ErrorKind.MISSING_TABLE),
        ([TABLE, "PRAGMA query_only = ON", "INSERT INTO t VALUES (1, 'a')"], ErrorKind.READ_ONLY),
        (
            [
                "CREATE TABLE f (x)",
                "PRAGMA max_page_count = 10",
                "INSERT INTO f VALUES (zeroblob(1000000))",
            ],
            ErrorKind.FULL,
        ),
        (["SELECT json('{')"], ErrorKind.OTHER),
        (["SELEC"], ErrorKind.OTHER),
    ],
)
async def test_statements(
    backend: Backend, engine: AsyncEngine, statements: list[str], kind: ErrorKind
) -> None:
    """What a statement can do wrong by itself."""
    async with engine.connect() as connection:
        assert backend.classify_error(await failure(connection, *statements)) is kind


async def test_busy(backend: Backend, engine: AsyncEngine, path: Path) -> None:
    """Somebody else's write lock is BUSY."""
    async with engine.connect() as connection:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            error = await failure(connection, "PRAGMA busy_timeout = 10", "CREATE TABLE a (x)")
            other.execute("ROLLBACK")
    assert backend.classify_error(error) is ErrorKind.BUSY


async def test_a_snapshot_that_is_too_old(
    backend: Backend, engine: AsyncEngine, path: Path
) -> None:
    """SQLITE_BUSY_SNAPSHOT, an extended code, is BUSY too."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in ("CREATE TABLE a (x)", "BEGIN", "SELECT * FROM a"):
            await connection.execute(text(statement))
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("INSERT INTO a VALUES (1)")
        error = await failure(connection, "INSERT INTO a VALUES (2)")
        await connection.execute(text("ROLLBACK"))
    assert backend.classify_error(error) is ErrorKind.BUSY


async def test_locked(backend: Backend, engine: AsyncEngine) -> None:
    """A table that a SELECT of the same connection still reads is locked: BUSY."""
    async with engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert isinstance(raw, aiosqlite.Connection)
        await raw.execute("CREATE TABLE a (x)")
        await raw.execute("INSERT INTO a VALUES (1), (2)")
        cursor = await raw.execute("SELECT * FROM a")
        await cursor.fetchone()
        with pytest.raises(sqlite3.OperationalError, match="locked") as caught:
            await raw.execute("DROP TABLE a")
        await cursor.close()
    assert backend.classify_error(caught.value) is ErrorKind.BUSY


async def test_interrupted(backend: Backend, engine: AsyncEngine) -> None:
    """A statement that was interrupted ran too long: TIMEOUT."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    async with engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert isinstance(raw, aiosqlite.Connection)
        running = asyncio.ensure_future(failure(connection, endless))
        while not running.done():
            await raw.interrupt()
            await asyncio.sleep(0.01)
    assert backend.classify_error(await running) is ErrorKind.TIMEOUT


async def test_a_damaged_page(backend: Backend, engine: AsyncEngine, path: Path) -> None:
    """A file whose pages are overwritten is CORRUPT when they are read."""
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE a (x)"))
        await connection.execute(text("INSERT INTO a VALUES (zeroblob(50000))"))
    await engine.dispose()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    async with engine.connect() as connection:
        error = await failure(connection, "SELECT sum(length(x)) FROM a")
    assert backend.classify_error(error) is ErrorKind.CORRUPT


async def test_a_closed_connection(backend: Backend, engine: AsyncEngine) -> None:
    """A connection that was closed behind the pool's back: UNREACHABLE, nothing was sent."""
    async with engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert isinstance(raw, aiosqlite.Connection)
        await raw.close()
        error = await failure(connection, "SELECT 1")
    assert backend.classify_error(error) is ErrorKind.UNREACHABLE


async def test_files(backend: Backend, settings: SqliteSettings, path: Path) -> None:
    """What can be wrong with the file itself."""

    def at(place: Path) -> SqliteSettings:
        return settings.model_copy(update={"path": place})

    assert await connect_failure(backend, settings) is ErrorKind.MISSING_DATABASE
    missing = path.parent / "missing" / "x.db"
    assert await connect_failure(backend, at(missing)) is ErrorKind.MISSING_DATABASE
    assert await connect_failure(backend, at(path.parent)) is ErrorKind.DENIED
    path.write_text("this is no database, but a text of some length" * 100)
    assert await connect_failure(backend, settings) is ErrorKind.CORRUPT
    below = path / "x.db"
    with pytest.raises(OSError, match="cannot be created") as caught:
        backend.prepare_storage(at(below))
    assert backend.classify_error(caught.value) is ErrorKind.DENIED


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, ErrorKind.FULL),
        (errno.EDQUOT, ErrorKind.FULL),
        (errno.EROFS, ErrorKind.READ_ONLY),
        (errno.EACCES, ErrorKind.DENIED),
        (errno.EPERM, ErrorKind.DENIED),
        (errno.ENOENT, ErrorKind.MISSING_DATABASE),
        (errno.ENOTDIR, ErrorKind.DENIED),
        (errno.EIO, ErrorKind.OTHER),
    ],
)
def test_operating_system(backend: Backend, number: int, kind: ErrorKind) -> None:
    """What the operating system says about a file, which a test run as root cannot cause."""
    assert backend.classify_error(OSError(number, os.strerror(number))) is kind


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("no such table"), ZeroDivisionError()])
def test_what_is_not_sqlites(backend: Backend, error: Exception) -> None:
    """Other people's exceptions are not judged."""
    assert backend.classify_error(error) is ErrorKind.OTHER
