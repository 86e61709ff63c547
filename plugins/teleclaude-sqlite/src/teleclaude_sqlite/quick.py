"""One row, stored with Python's own driver by a process that does nothing else.

Imports neither SQLAlchemy nor what a thread would need; see `teleclaude_quick_write`.
"""

from __future__ import annotations

import sqlite3

from teleclaude.errors import StoreUnavailableError, outcome_unknown

TYPE_CHECKING = False  # without `typing`
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

_PRIMARY: Final = 0xFF
"""The low byte of an extended result code is the primary one."""


def write(
    arguments: dict[str, Any], statement: str, values: Sequence[object], seconds: float
) -> bool:
    """Run an INSERT in autocommit.

    Args:
        arguments: `uri` of the file, `location` for people, `busy_timeout` in seconds, and
            `synchronous`.
        statement: The INSERT.
        values: The values of its parameters.
        seconds: How long it may take.

    Returns:
        Whether one row was stored; otherwise none was.

    Raises:
        StoreUnavailableError: Another process keeps the file locked, or it is not known what
            happened.
    """
    patience = max(0.0, min(arguments["busy_timeout"], seconds))
    try:
        connection = sqlite3.connect(
            arguments["uri"], timeout=patience, isolation_level=None, uri=True
        )
        try:
            connection.execute(f"PRAGMA synchronous = {arguments['synchronous']}")
            connection.execute("PRAGMA foreign_keys = ON")
            return connection.execute(statement, values).rowcount == 1
        finally:  # `contextlib` would cost more than this
            connection.close()
    except sqlite3.Error as error:
        return _judged(error, arguments["location"])


def _judged(error: sqlite3.Error, location: str) -> bool:
    code = (getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR) & _PRIMARY
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        message = f"The database {location} is locked by another process: {error}."
        hint = "Try again, or find out which process keeps it locked."
        raise StoreUnavailableError(message, hint=hint, transient=True) from error
    if code == sqlite3.SQLITE_IOERR:
        raise outcome_unknown(location) from error
    return False
