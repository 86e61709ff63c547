"""The SQLite backend of TeleClaude: the hook implementations, each in a line or two.

`settings` is the `database:` section, `engine` opens the file, `dialect` is SQLAlchemy's dialect
for it, `lane` runs the store's statements without either (with `connections`, `jobs`, `readers` and
`writer`), `lock` is the instance lock, `migrations` what surrounds a migration, `errors` the
classification of failures, `upkeep` backups and housekeeping, `copying` what a copy of the whole
store needs, `adoption` files of earlier versions, `quick` the one row of a short-lived process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import Integer, Text
from sqlalchemy.dialects.sqlite import insert

from teleclaude.backends import (
    Capabilities,
    ErrorKind,
    LogicalType,
    QuickWrite,
    hookimpl,
    upsert_on_conflict,
)
from teleclaude_sqlite import copying, errors, lane, lock, migrations, search, upkeep
from teleclaude_sqlite import engine as engine_
from teleclaude_sqlite.settings import SqliteSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Connection, Executable, Table, TableClause
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
    from sqlalchemy.types import TypeEngine

    from teleclaude.backends import (
        Adoption,
        InstanceLock,
        LockHolder,
        StatementLane,
        TextSearch,
    )

TELECLAUDE_CONTRACT: Final = 1


@hookimpl
def teleclaude_settings() -> type[SqliteSettings]:
    """Give the class of the `database:` section."""
    return SqliteSettings


@hookimpl
def teleclaude_capabilities() -> Capabilities:
    """Declare that only one connection writes at a time, and that there is no server."""
    return Capabilities(single_writer=True, in_process=True)


@hookimpl
def teleclaude_create_engine(settings: SqliteSettings) -> AsyncEngine:
    """Create the engine for the file."""
    return engine_.create_engine(settings)


@hookimpl
def teleclaude_prepare_storage(settings: SqliteSettings) -> None:
    """Create the file, if there is none."""
    engine_.prepare_storage(settings)


@hookimpl
def teleclaude_setup_connection(
    dbapi_connection: DBAPIConnection, settings: SqliteSettings
) -> None:
    """Set the PRAGMAs of a new connection."""
    engine_.setup_connection(dbapi_connection, settings)


@hookimpl
def teleclaude_column_types() -> Mapping[LogicalType, TypeEngine[Any]]:
    """Store everything as TEXT or INTEGER: the types SQLite keeps as they are."""
    return {
        LogicalType.KEY: Text(),
        LogicalType.TEXT: Text(),
        LogicalType.INSTANT: Text(),
        LogicalType.DOCUMENT: Text(),
        LogicalType.FLAG: Integer(),
        LogicalType.SURROGATE_KEY: Integer(),
        LogicalType.INTEGER: Integer(),
    }


@hookimpl
def teleclaude_upsert(
    table: Table, index_elements: Sequence[str], update_columns: Sequence[str]
) -> Executable:
    """Build INSERT ... ON CONFLICT."""
    return upsert_on_conflict(insert(table), index_elements, update_columns)


@hookimpl
def teleclaude_migration_context(
    connection: Connection,
) -> AbstractContextManager[Mapping[str, object]]:
    """Run a migration in one write transaction, with foreign keys checked at its end."""
    return migrations.migration_context(connection)


@hookimpl
def teleclaude_instance_lock(
    settings: SqliteSettings, name: str
) -> AbstractAsyncContextManager[InstanceLock]:
    """Lock a file beside the database."""
    return lock.instance_lock(settings, name)


@hookimpl
def teleclaude_lock_holder(settings: SqliteSettings, name: str) -> Awaitable[LockHolder | None]:
    """Read who has locked the file beside the database."""
    return lock.lock_holder(settings, name)


@hookimpl
def teleclaude_text_search(table: TableClause, column: str) -> TextSearch:
    """Search with FTS5."""
    return search.text_search(table, column)


@hookimpl
def teleclaude_statement_lane(settings: SqliteSettings) -> StatementLane:
    """Run statements on sqlite3, with one thread that writes for all."""
    return lane.SqliteLane(settings)


@hookimpl
def teleclaude_classify_error(error: BaseException) -> ErrorKind | None:
    """Judge by SQLite's result code."""
    return errors.classify_error(error)


@hookimpl
def teleclaude_backup(settings: SqliteSettings, destination: Path | None) -> Awaitable[Path]:
    """Copy with SQLite's online backup."""
    path = settings.path
    return upkeep.backup(path, destination or upkeep.backup_path(path))


@hookimpl
def teleclaude_native_backup(beginning: bytes) -> str | None:
    """Look for the words that every SQLite file begins with."""
    return upkeep.native_backup(beginning)


@hookimpl
def teleclaude_adopt(connection: Connection, settings: SqliteSettings) -> Adoption | None:
    """Recognise a file that an earlier TeleClaude made with its own migration runner."""
    from teleclaude_sqlite import adoption  # noqa: PLC0415 - needed once in the life of a file

    return adoption.adopt(connection, settings.location)


@hookimpl
def teleclaude_maintain(engine: AsyncEngine) -> Awaitable[Sequence[str]]:
    """Refresh statistics, checkpoint the write-ahead log."""
    return upkeep.maintain(engine)


@hookimpl
def teleclaude_snapshot(connection: AsyncConnection) -> AbstractAsyncContextManager[None]:
    """Begin a transaction that is no writer's."""
    return copying.snapshot(connection)


@hookimpl
def teleclaude_id_counter(
    connection: AsyncConnection, table: Table, at_least: int | None
) -> Awaitable[int]:
    """Look at, or move, what AUTOINCREMENT counts."""
    return copying.id_counter(connection, table, at_least)


@hookimpl
def teleclaude_bulk_load(
    connection: AsyncConnection, table: Table, rows: Sequence[Sequence[object]]
) -> Awaitable[None]:
    """Insert values that are bound already."""
    return copying.load_rows(connection, table, rows)


@hookimpl
def teleclaude_quick_write(settings: SqliteSettings) -> QuickWrite:
    """Open the file with Python's own driver."""
    arguments = {
        "uri": f"file:{quote(str(settings.path))}?mode=rw",
        "location": settings.location,
        "busy_timeout": settings.busy_timeout,
        "synchronous": settings.synchronous,
    }
    return QuickWrite(f"{__package__}.quick:write", arguments)
