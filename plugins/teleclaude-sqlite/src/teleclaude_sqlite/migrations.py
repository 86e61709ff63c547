"""What SQLite needs around a migration."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import OperationalError

from teleclaude.backends import ErrorKind
from teleclaude.errors import MigrationError
from teleclaude_sqlite.errors import classify_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection, RootTransaction

_PATIENCE: Final = 600
"""Seconds to wait for another process that is migrating."""

ORPHANS: Final = "teleclaude_orphans"
"""Where an adoption notes, in its connection's `info`, which rows of strangers' tables lost the row
they refer to. They stay as they are."""

_TURN: Final = 200
"""Milliseconds SQLite waits at a time: so long it notices neither cancellation nor SIGTERM."""


@contextmanager
def migration_context(connection: Connection) -> Iterator[Mapping[str, object]]:
    """Run a migration in one write transaction with foreign keys off, and check them before COMMIT.

    Foreign keys are off because batch mode replaces a table by a copy, and dropping the old one
    would silently delete the rows that refer to it ON DELETE CASCADE. The PRAGMA does nothing
    inside a transaction (https://www.sqlite.org/pragma.html#pragma_foreign_keys), so it comes
    before BEGIN. BEGIN IMMEDIATE is the guard: a second process waits there.

    Args:
        connection: A connection without a transaction.

    Yields:
        Alembic's options.

    Raises:
        MigrationError: The migration left references without a target.
    """
    timeout = _pragma(connection, "busy_timeout")
    _pragma(connection, f"busy_timeout = {_TURN}")
    _pragma(connection, "foreign_keys = OFF")
    try:
        with _begin(connection):
            before = violations(connection)
            connection.info.pop(ORPHANS, None)
            sequences = _sequences(connection)
            yield {"render_as_batch": True, "transactional_ddl": True}
            _check_foreign_keys(connection, before | connection.info.pop(ORPHANS, set()))
            _keep_sequences(connection, sequences)
    finally:
        _pragma(connection, "foreign_keys = ON")
        _pragma(connection, f"busy_timeout = {timeout}")


def _begin(connection: Connection) -> RootTransaction:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return connection.begin()
        except OperationalError as error:
            busy = error.orig is not None and classify_error(error.orig) is ErrorKind.BUSY
            if not busy or time.monotonic() > deadline:
                raise


def _pragma(connection: Connection, pragma: str) -> object:
    cursor = connection.connection.cursor()  # the driver's: SQLAlchemy's would begin a transaction
    try:
        cursor.execute(f"PRAGMA {pragma}")
        row = cursor.fetchone()
        return row[0] if row else None
    finally:
        cursor.close()


def violations(connection: Connection) -> set[tuple[object, ...]]:
    """Find the rows that refer to none.

    Args:
        connection: A connection.

    Returns:
        Table, rowid, the table that is referred to, and the number of the foreign key, of each.

    Raises:
        MigrationError: A foreign key leads to columns that are no key. SQLite would refuse to
            delete rows it leads to (https://www.sqlite.org/foreignkeys.html, section 3).
    """
    try:
        return {tuple(row) for row in connection.exec_driver_sql("PRAGMA foreign_key_check")}
    except OperationalError as error:
        if not str(error.orig).startswith("foreign key mismatch"):
            raise
        message = f"A table refers to columns that are no key: {error.orig}."
        hint = "Nothing was changed; correct or drop the table that refers to the other."
        raise MigrationError(message, hint=hint) from error


def _check_foreign_keys(connection: Connection, before: set[tuple[object, ...]]) -> None:
    new = violations(connection) - before
    if new:
        tables = ", ".join(sorted({str(row[0]) for row in new}))
        message = f"The migration would leave {len(new)} rows without their parent (in {tables})."
        raise MigrationError(message, hint="Nothing was changed; this is a defect of the revision.")


def _sequences(connection: Connection) -> dict[str, int]:
    exists = connection.exec_driver_sql(
        "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"
    ).first()
    if exists is None:
        return {}
    rows = connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")
    return {str(name): int(seq) for name, seq in rows}


def _keep_sequences(connection: Connection, before: Mapping[str, int]) -> None:
    # A table that batch mode copied counts on from its highest id; ids above it were given once.
    after = _sequences(connection)
    for name, seq in before.items():
        if name in after and after[name] < seq:
            connection.exec_driver_sql(
                "UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (seq, name)
            )
