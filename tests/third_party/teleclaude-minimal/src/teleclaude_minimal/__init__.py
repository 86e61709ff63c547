"""A backend of TeleClaude that keeps its data in a SQLite file."""

import asyncio
import fcntl
import json
import os
import socket
import sqlite3
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, Integer, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.dialects.sqlite.base import SQLiteDDLCompiler
from sqlalchemy.ext.asyncio import create_async_engine

from teleclaude.backends import (
    BackendSettings,
    Capabilities,
    ErrorKind,
    LockHolder,
    LogicalType,
    hookimpl,
    locked,
    upsert_on_conflict,
)
from teleclaude.errors import MigrationError

TELECLAUDE_CONTRACT = 1


class MinimalSettings(BackendSettings):
    """The `database:` section: where the file is."""

    path: Path
    """The database file."""

    @property
    def location(self) -> str:
        """The path, for people."""
        return str(self.path)


@hookimpl
def teleclaude_settings():
    return MinimalSettings


class MinimalCompiler(SQLiteDDLCompiler):
    """Lets SQLite count ids up instead of giving those of deleted rows again."""

    def visit_create_table(self, create, **kw):
        if create.element.autoincrement_column is not None:
            create.element.dialect_options["sqlite"]["autoincrement"] = True
        return super().visit_create_table(create, **kw)


class MinimalConnection(sqlite3.Connection):
    """Ends its transaction when it is closed, as it is where a task is cancelled."""

    def close(self) -> None:
        if self.in_transaction:
            self.rollback()
        super().close()


class MinimalDialect(SQLiteDialect_aiosqlite):
    supports_statement_cache = True
    ddl_compiler = MinimalCompiler


@hookimpl
def teleclaude_create_engine(settings):
    registry.register("sqlite.minimal", __name__, "MinimalDialect")
    engine = create_async_engine(
        URL.create("sqlite+minimal", database=str(settings.path)),
        connect_args={"factory": MinimalConnection},
        hide_parameters=True,
        pool_size=5,
        max_overflow=0,
    )

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@hookimpl
def teleclaude_upsert(table, index_elements, update_columns):
    return upsert_on_conflict(insert(table), index_elements, update_columns)


@hookimpl
@contextmanager
def teleclaude_migration_context(connection):
    _pragma(connection, "foreign_keys = OFF")  # SQLite ignores it inside a transaction
    try:
        with connection.begin():  # BEGIN IMMEDIATE: a second process waits here
            sequences = _sequences(connection)
            yield {"render_as_batch": True, "transactional_ddl": True}
            if connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise MigrationError("The migration would leave rows without their parent.")
            for table, highest in sequences:  # ids above the highest row were given once
                connection.exec_driver_sql(
                    "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (highest, table)
                )
    finally:
        _pragma(connection, "foreign_keys = ON")


def _pragma(connection, pragma) -> None:
    cursor = connection.connection.cursor()  # the driver's: SQLAlchemy's would begin a transaction
    cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sequences(connection):
    known = "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"
    if connection.exec_driver_sql(known).first() is None:
        return []
    return connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence").all()


class MinimalLock:
    """A held lock. The kernel takes it from no living process, so it is never lost."""

    def __init__(self, holder) -> None:
        self.holder = holder

    async def wait_lost(self) -> None:
        await asyncio.Event().wait()


@hookimpl
@asynccontextmanager
async def teleclaude_instance_lock(settings, name):
    holder = LockHolder(os.getpid(), socket.gethostname(), datetime.now(UTC))
    settings.path.parent.mkdir(parents=True, exist_ok=True)  # it may be locked before it is made
    with _lock_file(settings, name).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise locked(name, settings.location, _read_holder(file)) from None
        file.truncate(0)
        file.write(json.dumps([holder.pid, holder.host, holder.since.isoformat()]))
        file.flush()
        yield MinimalLock(holder)


def _lock_file(settings, name):
    return settings.path.resolve().with_name(f"{settings.path.name}.{name}.lock")


def _read_holder(file):
    file.seek(0)
    try:
        pid, host, since = json.loads(file.read())
    except ValueError:  # it has the lock, and has not written yet
        return LockHolder(None, None, None)
    return LockHolder(pid, host, datetime.fromisoformat(since))


@hookimpl
def teleclaude_capabilities():
    return Capabilities(single_writer=True, in_process=True)


@hookimpl
def teleclaude_setup_connection(dbapi_connection) -> None:
    cursor = dbapi_connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")  # readers do not wait for a writer
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


@hookimpl
def teleclaude_column_types():
    return {LogicalType.SURROGATE_KEY: Integer()}  # the only type SQLite counts up


@hookimpl
def teleclaude_classify_error(error):
    code = getattr(error, "sqlite_errorcode", None)
    return ErrorKind.BUSY if code == sqlite3.SQLITE_BUSY else None
