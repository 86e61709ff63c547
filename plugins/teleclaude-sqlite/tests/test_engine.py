"""The engine and its connections."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from contextlib import AsyncExitStack, closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from teleclaude.errors import StoreError, StoreUnavailableError
from teleclaude.store import Db, RetryPolicy
from teleclaude.testing.polling import until
from teleclaude_sqlite.engine import POOL_SIZE
from teleclaude_sqlite.settings import SqliteSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from teleclaude.backends import Backend
    from teleclaude.config import Config

AUTOCOMMIT = {"isolation_level": "AUTOCOMMIT"}
PRAGMAS = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout", "cache_size")


async def test_pragmas_on_every_connection(
    backend: Backend, settings: SqliteSettings, engine: AsyncEngine
) -> None:
    """Every connection of the pool is set up, not only the first."""
    changes = {"busy_timeout": 1.5, "synchronous": "full", "cache_size": 3}
    other = backend.create_engine(settings.model_copy(update=changes))
    for one, expected in (
        (engine, ("wal", 1, 1, 5000, -16 * 1024)),
        (other, ("wal", 1, 2, 1500, -3 * 1024)),
    ):
        async with AsyncExitStack() as stack:
            for _ in range(POOL_SIZE):
                connection = await stack.enter_async_context(one.connect())
                await connection.execution_options(**AUTOCOMMIT)
                values = [await connection.scalar(text(f"PRAGMA {name}")) for name in PRAGMAS]
                assert tuple(values) == expected
    await other.dispose()


async def test_foreign_keys_are_enforced(engine: AsyncEngine) -> None:
    """A row without its parent is refused, and a cascade deletes."""
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE p (id INTEGER PRIMARY KEY)"))
        await connection.execute(text("CREATE TABLE c (p INTEGER REFERENCES p ON DELETE CASCADE)"))
        await connection.execute(text("INSERT INTO p VALUES (1)"))
        await connection.execute(text("INSERT INTO c VALUES (1)"))
        with pytest.raises(SQLAlchemyError, match="FOREIGN KEY"):
            await connection.execute(text("INSERT INTO c VALUES (2)"))
        await connection.execute(text("DELETE FROM p"))
        assert (await connection.execute(text("SELECT count(*) FROM c"))).scalar_one() == 0


async def test_ddl_is_transactional(engine: AsyncEngine) -> None:
    """CREATE TABLE and savepoints belong to the transaction like everything else."""
    async with engine.connect() as connection:
        await connection.execute(text("CREATE TABLE a (x)"))
        async with connection.begin_nested() as savepoint:
            await connection.execute(text("CREATE TABLE b (x)"))
            await savepoint.rollback()
        await connection.execute(text("SELECT * FROM a"))
        with pytest.raises(SQLAlchemyError, match="no such table: b"):
            await connection.execute(text("SELECT * FROM b"))
        await connection.rollback()
        with pytest.raises(SQLAlchemyError, match="no such table: a"):
            await connection.execute(text("SELECT * FROM a"))


@pytest.fixture
def traced() -> Iterator[Callable[[AsyncConnection], object]]:
    """Note what SQLite itself is told on a connection."""
    seen: list[str] = []

    async def trace(connection: AsyncConnection) -> list[str]:
        raw = await connection.get_raw_connection()
        await raw.driver_connection.set_trace_callback(seen.append)  # type: ignore[union-attr]
        return seen

    yield trace
    seen.clear()


async def test_autocommit_sends_the_statement_alone(
    engine: AsyncEngine, traced: Callable[[AsyncConnection], object]
) -> None:
    """In autocommit SQLite sees the statement and nothing around it."""
    async with engine.connect() as connection:
        await connection.execution_options(**AUTOCOMMIT)
        seen = await traced(connection)  # type: ignore[misc]
        await connection.execute(text("CREATE TABLE a (x)"))
        await connection.execute(text("INSERT INTO a VALUES (1)"))
    assert seen == ["CREATE TABLE a (x)", "INSERT INTO a VALUES (1)"]
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT x FROM a"))).scalar_one() == 1


async def test_transactions_begin_immediate(
    engine: AsyncEngine, traced: Callable[[AsyncConnection], object]
) -> None:
    """A transaction takes the write lock at its beginning, so it can never fail in its middle."""
    async with engine.connect() as connection:
        seen = await traced(connection)  # type: ignore[misc]
        async with connection.begin():
            await connection.execute(text("SELECT 1"))
    assert seen == ["BEGIN IMMEDIATE", "SELECT 1", "COMMIT"]


async def test_upserts(backend: Backend, file_config: Config) -> None:
    """An upsert is one INSERT ... ON CONFLICT."""
    async with Db(file_config) as db:
        await db.settings.set("a", "1")
        await db.settings.set("a", "2")
        assert await db.settings.all() == {"a": "2"}
    assert backend.capabilities.single_writer


# --- the file -----------------------------------------------------------------------------------


async def test_opening_creates_nothing(backend: Backend, settings: SqliteSettings) -> None:
    """A missing file, or directory, is an error and stays missing."""
    for path in (settings.path, settings.path.parent / "missing/teleclaude.db"):
        engine = backend.create_engine(settings.model_copy(update={"path": path}))
        with pytest.raises(FileNotFoundError):
            await engine.connect()
        assert not path.exists()
        assert not path.parent.joinpath("missing").exists()
        await engine.dispose()


async def test_a_directory_is_no_database(file_config: Config) -> None:
    """A directory in the place of the file is said to be one."""
    path = SqliteSettings.model_validate(file_config.database.model_dump()).path
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreUnavailableError, match="it is a directory"):
        await Db(file_config).open()
    assert path.is_dir()


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + b"x" * 999]
)
async def test_what_is_no_database_is_left_alone(
    file_config: Config, path: Path, content: bytes
) -> None:
    """A file that is something else is not touched, and no thread stays behind."""
    path.write_bytes(content)
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(StoreUnavailableError, match="is damaged or is not a database"):
            await Db(file_config).open()
    assert path.read_bytes() == content
    await until(lambda: threading.active_count() <= before)


async def test_names_that_need_quoting(backend: Backend, tmp_path: Path) -> None:
    """A path may hold every character a file name can."""
    path = tmp_path / "a ?b#c%20d&e='f'\"g\";h" / "data base?mode=memory&cache=shared.db"
    settings = SqliteSettings(path=path)
    backend.prepare_storage(settings)
    engine = backend.create_engine(settings)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE a (x)"))
    await engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("a",)]


async def test_a_table_that_vanishes(file_config: Config, path: Path) -> None:
    """A table dropped by somebody else is a clear error."""
    async with Db(file_config) as db:
        await db.settings.all()
        with closing(sqlite3.connect(path)) as other:
            other.execute("DROP TABLE system_settings")
        with pytest.raises(StoreUnavailableError, match=r"no such table.*db check"):
            await db.settings.all()


# --- many writers -------------------------------------------------------------------------------


async def in_transaction(db: Db) -> None:
    async with db.transaction() as tx:
        await tx.settings.set("transaction", "x")


async def test_writers_of_one_process_never_collide(file_config: Config) -> None:
    """With no patience at all, many writers of one process all succeed: they queue."""
    config = file_config
    async with Db(config, retry=RetryPolicy(attempts=1)) as db:
        await asyncio.gather(
            *(db.settings.set(f"{number}", "x") for number in range(100)),
            *(in_transaction(db) for _ in range(50)),
        )
        assert len(await db.settings.all()) == 101


# --- values that somebody's own SQL left --------------------------------------------------------


@pytest.mark.parametrize(
    "stored",
    ["2024-05-01 10:00:00", "2024-05-01T10:00:00", "2024-05-01T12:00:00+02:00", "20240501T10Z"],
)
async def test_instants_in_other_forms_are_read(
    file_config: Config, path: Path, stored: str
) -> None:
    """Text that SQLite's own CURRENT_TIMESTAMP wrote is UTC, and other forms are understood."""
    async with Db(file_config) as db:
        session = await db.sessions.create("mac", None, "api")
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("UPDATE sessions SET created_at = ?", (stored,))
        read = await db.sessions.get(session.session_id)
        assert read is not None
        assert read.created_at.isoformat() == "2024-05-01T10:00:00+00:00"


@pytest.mark.parametrize(
    ("column", "stored", "expected"),
    [
        ("created_at", "yesterday", "a date and time"),
        ("created_at", 1714550400, "a date and time"),
        ("transcript_files", "[1,", "a JSON document"),
        ("adapter_metadata", "", "a JSON document"),
    ],
)
async def test_values_that_cannot_be_read(
    file_config: Config, path: Path, column: str, stored: object, expected: str
) -> None:
    """A value that makes no sense is an error that names its column."""
    async with Db(file_config) as db:
        session = await db.sessions.create("mac", None, "api")
        with closing(sqlite3.connect(path)) as other, other:
            other.execute(f"UPDATE sessions SET {column} = ?", (stored,))
        with pytest.raises(StoreError, match=rf"stored in sessions\.{column} is not {expected}"):
            await db.sessions.get(session.session_id)


async def test_copies_of_a_closed_database_are_complete(file_config: Config, path: Path) -> None:
    """After `close`, everything is in the one file: no write-ahead log is left."""
    async with Db(file_config) as db:
        await db.settings.set("key", "value")
    assert [one.name for one in path.parent.glob("teleclaude.db*")] == ["teleclaude.db"]
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT value FROM system_settings").fetchall() == [("value",)]
