"""The hook specifications: what a backend can implement.

A backend is a distribution with an entry point in the group `teleclaude.backends`. The entry
point's name is the engine's name in the configuration; its object (a module, usually) carries
functions marked with `teleclaude.hookimpl` and the integer `TELECLAUDE_CONTRACT`.

Hooks are plain functions. What is asynchronous is *returned*: an engine, an awaitable, an
asynchronous context manager. A hook may take fewer arguments than listed here, because pluggy
passes them by name; for the same reason a later TeleClaude can add arguments without breaking a
backend.

The core calls hooks only through `teleclaude.backends.Backend`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pluggy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Connection, Executable, Table, TableClause
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlalchemy.types import TypeEngine

    from teleclaude.backends.contract import (
        Capabilities,
        ErrorKind,
        InstanceLock,
        LockHolder,
        LogicalType,
        TextSearch,
    )
    from teleclaude.backends.lanes import StatementLane
    from teleclaude.backends.settings import BackendSettings

PROJECT: Final = "teleclaude"
"""pluggy's project name; every hook's name starts with it."""

CONTRACT_VERSION: Final = 1
"""The contract this core speaks. It grows only when a change would break existing backends."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a backend as the implementation of the hook of the same name."""


# --- required -----------------------------------------------------------------------------------


@hookspec(firstresult=True)
def teleclaude_settings() -> type[BackendSettings]:  # type: ignore[empty-body]
    """Give the class that validates this engine's part of the `database:` section.

    Called once, when the backend is loaded.

    Returns:
        A subclass of `teleclaude.backends.BackendSettings`.
    """


@hookspec(firstresult=True)
def teleclaude_create_engine(settings: BackendSettings) -> AsyncEngine:  # type: ignore[empty-body]
    """Create the engine, with its pool and driver options; do not connect.

    Called once per opened store. Pass `hide_parameters=True` to SQLAlchemy so that values never
    appear in an error's text. The core registers the column types and connection setup on the
    engine afterwards.

    Args:
        settings: An instance of the class `teleclaude_settings` gave.

    Returns:
        A SQLAlchemy engine whose driver is asynchronous. Connections with the execution option
        `isolation_level="AUTOCOMMIT"` must commit every statement by itself.
    """


@hookspec(firstresult=True)
def teleclaude_upsert(  # type: ignore[empty-body]
    table: Table, index_elements: Sequence[str], update_columns: Sequence[str]
) -> Executable:
    """Build an INSERT that updates the existing row instead of failing on a conflict.

    Called once per statement of the store and kept.

    Args:
        table: The table to insert into.
        index_elements: Names of the columns whose unique index decides what a conflict is.
        update_columns: Names of the columns that take the new row's value on a conflict. Empty:
            the existing row stays as it is.

    Returns:
        A statement whose bind parameters are named after the table's columns. It is executed with
        one parameter set, or with a list of them; the sets name the columns to insert.
    """


@hookspec(firstresult=True)
def teleclaude_migration_context(  # type: ignore[empty-body]
    connection: Connection,
) -> AbstractContextManager[Mapping[str, object]]:
    """Surround a migration with what the engine needs to make it atomic and exclusive.

    Called for every upgrade, downgrade and adoption, on a connection without a transaction. On
    entry the context manager begins the transaction and takes a guard that makes a second process
    wait until this migration has ended. On a normal exit it verifies what the engine does not
    verify by itself and commits; on an exception it rolls back, so that nothing is left behind.

    Args:
        connection: A synchronous connection (the facade of the asynchronous one).

    Returns:
        A context manager that yields keyword options for Alembic's
        `EnvironmentContext.configure`, such as `render_as_batch` or `transactional_ddl`.
    """


@hookspec(firstresult=True)
def teleclaude_instance_lock(  # type: ignore[empty-body]
    settings: BackendSettings, name: str
) -> AbstractAsyncContextManager[InstanceLock]:
    """Take the lock that only one process per database can have.

    The lock must be one that the operating system or the server ends together with the process, so
    that nothing has to be cleaned up after a crash. It is tried once, without waiting.

    Args:
        settings: An instance of the class `teleclaude_settings` gave.
        name: What is locked, such as `daemon`. Locks of different names do not touch each other.

    Returns:
        An asynchronous context manager that yields the lock, or raises
        `teleclaude.errors.InstanceLockedError` naming the holder when somebody else has it.
    """


# --- optional -----------------------------------------------------------------------------------


@hookspec(firstresult=True)
def teleclaude_capabilities() -> Capabilities | None:
    """Declare what this engine can do and what it cannot.

    Called once, when the backend is loaded. Left out, the defaults of `Capabilities` hold.
    """


@hookspec(firstresult=True)
def teleclaude_prepare_storage(settings: BackendSettings) -> None:
    """Make the place the database will live in, if that is something files can do.

    Called before a migration and by nothing else: every other command finds the database or
    reports that there is none. Left out, the database must exist already.

    Args:
        settings: An instance of the class `teleclaude_settings` gave.
    """


@hookspec
def teleclaude_setup_connection(
    dbapi_connection: DBAPIConnection, settings: BackendSettings
) -> None:
    """Prepare a new connection, for example with PRAGMAs.

    Called once for every connection the engine opens. The connection is SQLAlchemy's synchronous
    facade of the driver's one: use `cursor()`, `execute()`, `close()`.

    Args:
        dbapi_connection: The new connection.
        settings: An instance of the class `teleclaude_settings` gave.
    """


@hookspec(firstresult=True)
def teleclaude_column_types() -> Mapping[LogicalType, TypeEngine[Any]] | None:
    """Give this engine's SQLAlchemy types for the logical types of the models.

    Called once, when the backend is loaded. What the mapping leaves out keeps the portable default.
    A `length` on a text type is a limit that the core enforces before the database sees a value.
    """


@hookspec(firstresult=True)
def teleclaude_classify_error(error: BaseException) -> ErrorKind | None:
    """Say what kind of failure a driver's exception is.

    Called with every exception that comes out of the driver, so that the core can retry what is
    safe to retry and explain the rest without knowing the driver. Left out, only an
    `IntegrityError`, as drivers call it (PEP 249), is recognised.

    Args:
        error: The driver's own exception, not SQLAlchemy's wrapper around it.

    Returns:
        The kind, or `None` for `ErrorKind.OTHER`.
    """


@hookspec(firstresult=True)
def teleclaude_text_search(table: TableClause, column: str) -> TextSearch | None:
    """Say how rows are found by the words of a column.

    Called when the schema is made and when a store is opened. Left out, rows are found by comparing
    each of them, which is slow where there are many.

    Args:
        table: The table; its primary key is the column `id`.
        column: Name of the column that holds the words.

    Returns:
        How the index is made and asked.
    """


@hookspec(firstresult=True)
def teleclaude_statement_lane(settings: BackendSettings) -> StatementLane | None:
    """Run the store's statements on the driver directly, which is several times as fast.

    Called once per opened store. Left out, or where it gives `None`, statements run through the
    engine; so does what cannot be compiled in advance, such as statements with defaults that a
    function computes. With a lane, the engine is only used for that, for migrations and for
    housekeeping.

    Args:
        settings: An instance of the class `teleclaude_settings` gave.

    Returns:
        A lane that is not connected yet; the caller closes it.
    """


@hookspec(firstresult=True)
def teleclaude_lock_holder(
    settings: BackendSettings, name: str
) -> Awaitable[LockHolder | None] | None:
    """Say who has the instance lock, without taking it and without creating anything.

    Called by `teleclaude status` and before a migration. Left out, the status cannot tell whether a
    daemon runs, and a migration takes the lock for a moment to find out.

    Args:
        settings: An instance of the class `teleclaude_settings` gave.
        name: What is locked, such as `daemon`.

    Returns:
        An awaitable of the holder, or of `None` when nobody has the lock.
    """


@hookspec(firstresult=True)
def teleclaude_backup(
    engine: AsyncEngine, settings: BackendSettings, destination: Path | None
) -> Awaitable[Path] | None:
    """Write a consistent copy of the database while others use it.

    Called before a migration that changes an existing database, then without a destination. Left
    out, no copy is made and the server's own backups are relied upon.

    Args:
        engine: An open engine of the database.
        settings: An instance of the class `teleclaude_settings` gave.
        destination: The file to write; it does not exist yet. `None`: a new file of the backend's
            choice, near the database.

    Returns:
        An awaitable of the file, complete and checked.
    """


@hookspec(firstresult=True)
def teleclaude_maintain(engine: AsyncEngine) -> Awaitable[Sequence[str]] | None:
    """Do the engine's housekeeping, such as a checkpoint or fresh statistics.

    Called by the daemon on a timer. It must be safe beside running statements and short.

    Args:
        engine: An open engine of the database.

    Returns:
        An awaitable of what was done, one short phrase each.
    """
