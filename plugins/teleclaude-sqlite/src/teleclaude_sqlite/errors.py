"""What kind of failure an exception of sqlite3, or of the file system below it, is."""

from __future__ import annotations

import errno
import sqlite3
from typing import TYPE_CHECKING, Final

from teleclaude.backends import ErrorKind

if TYPE_CHECKING:
    from collections.abc import Mapping

_BY_RESULT_CODE: Final = {
    sqlite3.SQLITE_BUSY: ErrorKind.BUSY,
    sqlite3.SQLITE_LOCKED: ErrorKind.BUSY,
    sqlite3.SQLITE_PERM: ErrorKind.DENIED,
    sqlite3.SQLITE_AUTH: ErrorKind.DENIED,
    sqlite3.SQLITE_READONLY: ErrorKind.READ_ONLY,
    sqlite3.SQLITE_IOERR: ErrorKind.IO_ERROR,
    sqlite3.SQLITE_CORRUPT: ErrorKind.CORRUPT,
    sqlite3.SQLITE_NOTADB: ErrorKind.CORRUPT,
    sqlite3.SQLITE_FULL: ErrorKind.FULL,
    sqlite3.SQLITE_CANTOPEN: ErrorKind.DENIED,
    sqlite3.SQLITE_CONSTRAINT: ErrorKind.INTEGRITY,
    sqlite3.SQLITE_INTERRUPT: ErrorKind.TIMEOUT,
    sqlite3.SQLITE_SCHEMA: ErrorKind.STALE_PLAN,
}
"""https://www.sqlite.org/rescode.html"""

_BY_OS_ERROR: Final[Mapping[type[OSError], ErrorKind]] = {
    FileNotFoundError: ErrorKind.MISSING_DATABASE,
    FileExistsError: ErrorKind.DENIED,
    IsADirectoryError: ErrorKind.DENIED,
    NotADirectoryError: ErrorKind.DENIED,
    PermissionError: ErrorKind.DENIED,
    TimeoutError: ErrorKind.TIMEOUT,
}

_BY_ERRNO: Final = {
    errno.ENOSPC: ErrorKind.FULL,
    errno.EDQUOT: ErrorKind.FULL,
    errno.EROFS: ErrorKind.READ_ONLY,
}

_PRIMARY: Final = 0xFF
"""The low byte of an extended result code is the primary one."""

_CLOSED: Final = ("no active connection", "connection closed", "closed database")


def classify_error(error: BaseException) -> ErrorKind | None:
    """Say what kind of failure an exception is.

    Args:
        error: Any exception.

    Returns:
        The kind, or `None` when the exception is not ours to judge.
    """
    if isinstance(error, OSError):
        return _BY_ERRNO.get(error.errno or 0) or _BY_OS_ERROR.get(type(error))
    if not isinstance(error, (sqlite3.Error, ValueError)):
        return None
    text = str(error).lower()
    if any(phrase in text for phrase in _CLOSED):
        return ErrorKind.UNREACHABLE
    if "no such table" in text or "no such column" in text:
        return ErrorKind.MISSING_TABLE
    code = getattr(error, "sqlite_errorcode", None)
    return _BY_RESULT_CODE.get(code & _PRIMARY) if isinstance(code, int) else None
