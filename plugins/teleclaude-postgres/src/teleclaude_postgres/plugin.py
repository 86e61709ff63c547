"""The PostgreSQL backend of TeleClaude: the hook implementations, each a line into its module.

Some optional hooks are left out on purpose. `teleclaude_maintain`: the server's autovacuum vacuums
and analyses by itself, better informed than a timer. `teleclaude_backup`: a server has its own
backups (`pg_dump`, base backups, snapshots), made by whoever runs it, so that there is nothing for
`teleclaude_native_backup` to recognise; archives need neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.dialects.postgresql import insert

from teleclaude.backends import Capabilities, QuickWrite, hookimpl, upsert_on_conflict
from teleclaude_postgres.columns import COLUMN_TYPES
from teleclaude_postgres.copying import id_counter, snapshot
from teleclaude_postgres.migrations import migration_context
from teleclaude_postgres.search import text_search
from teleclaude_postgres.settings import PostgresSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from sqlalchemy import Connection, Executable, Table, TableClause
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
    from sqlalchemy.types import TypeEngine

    from teleclaude.backends import (
        Batch,
        ErrorKind,
        InstanceLock,
        LockHolder,
        LogicalType,
        StatementLane,
        TextSearch,
    )

TELECLAUDE_CONTRACT: Final = 1
"""The backend contract this distribution was written for."""

# What needs the driver is imported inside the functions: `teleclaude backends` loads every
# installed backend to list it, and must not pay for the driver of one that is not used.


@hookimpl
def teleclaude_settings() -> type[PostgresSettings]:
    """Give the settings class; see `teleclaude_postgres.settings`."""
    return PostgresSettings


@hookimpl
def teleclaude_capabilities() -> Capabilities:
    """Declare that `jsonb` is parsed, and that COPY is text."""
    return Capabilities(parses_documents=True, loads_instant_text=True)


@hookimpl
def teleclaude_create_engine(settings: PostgresSettings) -> AsyncEngine:
    """Create the engine; see `teleclaude_postgres.engine`."""
    from teleclaude_postgres.engine import create_engine  # noqa: PLC0415

    return create_engine(settings)


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
    """Surround a migration; see `teleclaude_postgres.migrations`."""
    return migration_context(connection)


@hookimpl
def teleclaude_instance_lock(
    settings: PostgresSettings, name: str
) -> AbstractAsyncContextManager[InstanceLock]:
    """Take the instance lock; see `teleclaude_postgres.lock`."""
    from teleclaude_postgres.lock import instance_lock  # noqa: PLC0415

    return instance_lock(settings, name)


@hookimpl
def teleclaude_lock_holder(settings: PostgresSettings, name: str) -> Awaitable[LockHolder | None]:
    """Say who has the instance lock; see `teleclaude_postgres.lock`."""
    from teleclaude_postgres.lock import lock_holder  # noqa: PLC0415

    return lock_holder(settings, name)


@hookimpl
def teleclaude_column_types() -> Mapping[LogicalType, TypeEngine[Any]]:
    """Give the column types; see `teleclaude_postgres.columns`."""
    return COLUMN_TYPES


@hookimpl
def teleclaude_text_search(table: TableClause, column: str) -> TextSearch:
    """Search with a GIN index; see `teleclaude_postgres.search`."""
    return text_search(table, column)


@hookimpl
def teleclaude_statement_lane(settings: PostgresSettings) -> StatementLane | None:
    """Run statements on asyncpg; see `teleclaude_postgres.lane`.

    Not behind a transaction pooler: what is prepared there may run in a session that does not
    know it.
    """
    from teleclaude_postgres.lane import PostgresLane  # noqa: PLC0415

    return None if settings.pooler == "transaction" else PostgresLane(settings)


@hookimpl
def teleclaude_classify_error(error: BaseException) -> ErrorKind | None:
    """Classify a driver's exception; see `teleclaude_postgres.errors`."""
    from teleclaude_postgres.errors import classify  # noqa: PLC0415

    return classify(error)


@hookimpl
def teleclaude_bulk_load(connection: AsyncConnection, table: Table, rows: Batch) -> Awaitable[None]:
    """Load with COPY; see `teleclaude_postgres.loading`."""
    from teleclaude_postgres.loading import copy_rows  # noqa: PLC0415

    return copy_rows(connection, table, rows)


@hookimpl
def teleclaude_snapshot(connection: AsyncConnection) -> AbstractAsyncContextManager[None]:
    """Read in REPEATABLE READ; see `teleclaude_postgres.copying`."""
    return snapshot(connection)


@hookimpl
def teleclaude_id_counter(
    connection: AsyncConnection, table: Table, at_least: int | None
) -> Awaitable[int]:
    """Look at, or move, an identity's sequence; see `teleclaude_postgres.copying`."""
    return id_counter(connection, table, at_least)


@hookimpl
def teleclaude_quick_write(settings: PostgresSettings) -> QuickWrite | None:
    """Connect with the bare driver; see `teleclaude_postgres.quick`."""
    from teleclaude_postgres.quick_arguments import quick_arguments  # noqa: PLC0415

    arguments = quick_arguments(settings)
    return None if arguments is None else QuickWrite(f"{__package__}.quick:write", arguments)
