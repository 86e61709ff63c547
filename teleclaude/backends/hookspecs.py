"""The hook specifications: what a backend can implement.

A backend is a distribution with an entry point in the group `teleclaude.backends`. The entry
point's name is the engine's name in the configuration; its object (a module, usually) carries
functions marked with `teleclaude.backends.hookimpl` and the integer `TELECLAUDE_CONTRACT`.

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
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
    from sqlalchemy.types import TypeEngine

    from teleclaude.backends.bulk import Batch
    from teleclaude.backends.contract import (
        Adoption,
        Capabilities,
        ErrorKind,
        InstanceLock,
        LockHolder,
        LogicalType,
        QuickWrite,
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

    Called before a migration, and for the target of a copy; every other command finds the database
    or reports that there is none. Left out, the database must exist already.

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

    Called by `teleclaude status` and before migrations, copies and archives. Left out, the status
    cannot tell whether a daemon runs, and a migration takes the lock for a moment to find out.

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

    Called before a migration that changes an existing database, then without a destination, and by
    `teleclaude db backup`. Left out, no copy is made and the server's own backups are relied upon.

    Args:
        engine: An open engine of the database.
        settings: An instance of the class `teleclaude_settings` gave.
        destination: The file to write; it does not exist yet. `None`: a new file of the backend's
            choice, near the database.

    Returns:
        An awaitable of the file, complete and checked.
    """


@hookspec(firstresult=True)
def teleclaude_native_backup(beginning: bytes) -> str | None:
    """Recognise a file that the engine itself wrote, such as one of `teleclaude_backup`.

    Called on every installed backend when `teleclaude db restore` is given something that is no
    archive. Left out, people are told only that it is none.

    Args:
        beginning: The first bytes of the file, 512 at most.

    Returns:
        What to do with such a file instead, one or two sentences; `None` when it is something else.
    """


@hookspec(firstresult=True)
def teleclaude_adopt(connection: Connection, settings: BackendSettings) -> Adoption | None:
    """Recognise a database that an earlier TeleClaude made, and say how it is converted.

    Called before a migration of a database that has no revision, inside
    `teleclaude_migration_context`. It only looks and changes nothing. A backend that has this hook
    needs `teleclaude_backup` too. Left out, there are no earlier databases on this engine.

    Args:
        connection: The connection whose transaction the migration runs in.
        settings: An instance of the class `teleclaude_settings` gave.

    Returns:
        The adoption, or `None` when no earlier TeleClaude made the database.

    Raises:
        AdoptionError: One did, but the database cannot be converted: it is damaged, or newer than
            what this backend knows.
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


@hookspec(firstresult=True)
def teleclaude_bulk_load(
    connection: AsyncConnection, table: Table, rows: Batch
) -> Awaitable[None] | None:
    """Load many rows into a table, faster than an INSERT for each of them.

    Called with one batch of rows after the other, in a transaction that the core began and will
    commit or roll back; the rows must be part of it. Left out, or where it gives `None`, the core
    runs one INSERT with many parameter sets.

    The values are checked, and are what the driver takes: what the bind processors of the column
    types made of them, so text of fixed width where an instant is stored as text, and JSON text for
    a document: in the store's own form, or in any where the engine declares that it parses
    documents. Instants may be text, too, where it declares that it loads that. Surrogate keys are
    given, never counted up. A type's `bind_expression` is not applied.

    Args:
        connection: A connection in a transaction. SQLAlchemy may not have sent its BEGIN yet; who
            goes past SQLAlchemy to the driver must see to that.
        table: The table.
        rows: At least one row, each with a value, or `None` for null, for every column of the table
            in the order of `table.columns`. They are kept by the column, in `rows.columns`.

    Returns:
        An awaitable that ends when the rows are in the table, or `None`.
    """


@hookspec(firstresult=True)
def teleclaude_snapshot(connection: AsyncConnection) -> AbstractAsyncContextManager[None] | None:
    """Surround reading that must see one state of the database, however long it takes.

    Called by copies and archives. On entry the context manager begins a transaction that only
    reads and whose statements all see what the first one saw, and makes sure that this is now; it
    must not keep others from writing. On exit it ends the transaction. Left out, an ordinary
    transaction is used, which is enough where those are isolated like that.

    Args:
        connection: A connection without a transaction.

    Returns:
        An asynchronous context manager.
    """


@hookspec(firstresult=True)
def teleclaude_id_counter(
    connection: AsyncConnection, table: Table, at_least: int | None
) -> Awaitable[int] | None:
    """Say how far the database has counted a table's surrogate keys, and let it count on further.

    Called by copies and archives, in a transaction: for the source, which is only read, without a
    number, and for the target with the source's. An id that was given once must never be given
    again, though its row is gone. Left out, the highest id in the table is taken, and the engine
    is relied upon to count on from there.

    Args:
        connection: A connection in a transaction.
        table: A table whose primary key is one surrogate key.
        at_least: The number below which no further id may be given, itself included. `None`: change
            nothing.

    Returns:
        An awaitable of the highest number that is used up, by the counter or by a row; 0 when there
        is none.
    """


@hookspec(firstresult=True)
def teleclaude_quick_write(settings: BackendSettings) -> QuickWrite | None:
    """Say how a process that lives for a single row stores it without SQLAlchemy.

    Called when the daemon has started, and by `teleclaude-hook` where it had to go the long way.
    What it gives is kept in a file, from which later processes of `teleclaude-hook` work without
    loading anything else of this backend. It is not called where a secret field has a value,
    because that would have to stand in the file. Left out, each of those processes goes the long
    way.

    Args:
        settings: An instance of the class `teleclaude_settings` gave.

    Returns:
        The function to call, and what it needs to know; or `None` where these settings need the
        engine. The module of the function, and the package it is in, must import no more than the
        driver.
    """
