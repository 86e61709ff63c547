"""SQLAlchemy's aiosqlite dialect with four habits changed.

* The driver stays in autocommit (`isolation_level=None`). sqlite3's own transaction control
  opens no transaction for DDL, SAVEPOINT or SELECT; a `begin` listener in `engine.py` opens all.
* COMMIT and ROLLBACK without a transaction are not sent: each would cost a hop to the
  driver's thread.
* A connection that is thrown away, because what ran on it was cancelled, is rolled back before it
  is closed. SQLite keeps a closed connection, and its locks, until the last of its statements is
  finalised (https://www.sqlite.org/c3ref/close.html), which Python may do much later.
* Integer primary keys are AUTOINCREMENT, because an id that was given once must never come back
  (https://www.sqlite.org/autoinc.html).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.dialects.sqlite.base import SQLiteDDLCompiler

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy.engine.interfaces import DBAPIConnection, IsolationLevel
    from sqlalchemy.schema import CreateTable

DRIVER = "sqlite+teleclaude"
"""The name under which the dialect is registered: the scheme of the engine's URL."""


class TeleclaudeDDLCompiler(SQLiteDDLCompiler):
    """Renders tables with AUTOINCREMENT."""

    def visit_create_table(self, create: CreateTable, **kw: object) -> str:
        """Render CREATE TABLE."""
        table = create.element
        if table.autoincrement_column is not None:
            table.dialect_options["sqlite"]["autoincrement"] = True
        return str(super().visit_create_table(create, **kw))  # type: ignore[no-untyped-call]


class TeleclaudeSqliteDialect(SQLiteDialect_aiosqlite):
    """The dialect of every engine this backend makes."""

    supports_statement_cache = True
    ddl_compiler = TeleclaudeDDLCompiler

    def set_isolation_level(self, dbapi_connection: DBAPIConnection, level: IsolationLevel) -> None:
        """Leave the driver in autocommit whatever the level: the `begin` listener decides."""

    def do_rollback(self, dbapi_connection: DBAPIConnection) -> None:
        """Roll back if there is something to roll back."""
        if dbapi_connection.driver_connection.in_transaction:
            dbapi_connection.rollback()

    def do_commit(self, dbapi_connection: DBAPIConnection) -> None:
        """Commit if there is something to commit."""
        if dbapi_connection.driver_connection.in_transaction:
            dbapi_connection.commit()

    def do_terminate(self, dbapi_connection: DBAPIConnection) -> None:
        """Roll back what may be open, after what the driver's thread is doing, then close."""
        driver = dbapi_connection.driver_connection
        if (connection := driver._connection) is not None:  # noqa: SLF001 - as SQLAlchemy's own dialect does
            # Put into the thread's queue without waiting: this task may be cancelled once more.
            driver._tx.put_nowait((None, partial(_roll_back, connection)))  # noqa: SLF001
        super().do_terminate(dbapi_connection)


def _roll_back(connection: sqlite3.Connection) -> None:
    if not connection.in_transaction:
        # A statement in autocommit whose rows were not all fetched keeps its locks, too. There is
        # nothing to roll back until it belongs to a transaction.
        connection.execute("BEGIN")
    connection.rollback()


def register() -> None:
    """Make the dialect known to SQLAlchemy under `DRIVER`."""
    registry.register(DRIVER.replace("+", "."), __name__, TeleclaudeSqliteDialect.__name__)
