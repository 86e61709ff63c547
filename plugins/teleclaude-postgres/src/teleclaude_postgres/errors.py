"""What PostgreSQL's and the driver's exceptions mean, in the contract's words.

The server says it with an SQLSTATE, which both asyncpg's exceptions and SQLAlchemy's wrappers
around them carry. Exceptions without one come from the driver or the operating system.
https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

import asyncpg
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from teleclaude.backends import ErrorKind

if TYPE_CHECKING:
    from collections.abc import Mapping


class CannotConnectError(ConnectionError):
    """No host could be connected to; nothing was sent.

    Needed because the same exceptions (a reset, a timeout) mean something else on a connection that
    is already open: there a statement was under way.

    Attributes:
        kind: What kept the hosts from being connected to.
    """

    def __init__(self, message: str, kind: ErrorKind) -> None:
        """Make the error."""
        super().__init__(message)
        self.kind = kind


_BY_STATE: Final[Mapping[str, ErrorKind]] = {
    "08001": ErrorKind.UNREACHABLE,  # sqlclient_unable_to_establish_sqlconnection
    "08004": ErrorKind.UNREACHABLE,  # sqlserver_rejected_establishment_of_sqlconnection
    "25006": ErrorKind.READ_ONLY,  # read_only_sql_transaction
    "25P03": ErrorKind.DISCONNECTED,  # idle_in_transaction_session_timeout
    "25P04": ErrorKind.DISCONNECTED,  # transaction_timeout, which ends the session
    "3D000": ErrorKind.MISSING_DATABASE,  # invalid_catalog_name
    "3F000": ErrorKind.MISSING_TABLE,  # invalid_schema_name
    "40001": ErrorKind.SERIALIZATION,  # serialization_failure
    "40003": ErrorKind.DISCONNECTED,  # statement_completion_unknown
    "40P01": ErrorKind.SERIALIZATION,  # deadlock_detected
    "42501": ErrorKind.DENIED,  # insufficient_privilege
    "42703": ErrorKind.MISSING_TABLE,  # undefined_column
    "42P01": ErrorKind.MISSING_TABLE,  # undefined_table
    "53100": ErrorKind.FULL,  # disk_full
    "53300": ErrorKind.UNREACHABLE,  # too_many_connections
    "55P03": ErrorKind.BUSY,  # lock_not_available
    "57014": ErrorKind.TIMEOUT,  # query_canceled
    "57P01": ErrorKind.DISCONNECTED,  # admin_shutdown
    "57P02": ErrorKind.DISCONNECTED,  # crash_shutdown
    "57P03": ErrorKind.STARTING,  # cannot_connect_now
    "57P04": ErrorKind.MISSING_DATABASE,  # database_dropped
    "57P05": ErrorKind.DISCONNECTED,  # idle_session_timeout
    "XX001": ErrorKind.CORRUPT,  # data_corrupted
    "XX002": ErrorKind.CORRUPT,  # index_corrupted
}

_BY_CLASS: Final[Mapping[str, ErrorKind]] = {
    "08": ErrorKind.DISCONNECTED,  # connection exception; also how PgBouncer reports its own
    "23": ErrorKind.INTEGRITY,  # integrity constraint violation
    "28": ErrorKind.DENIED,  # invalid authorization specification
}

_NOTHING_WAS_SENT: Final = ("connection is closed", "another operation (2) is in progress")
"""What the driver says when it looks before it sends, and the connection had ended while it was
idle: the second where the server's farewell is there already, and the end itself is not. To the
driver, reading on is then operation 2 (`PROTOCOL_ERROR_CONSUME`)."""


def classify(error: BaseException) -> ErrorKind | None:
    """Say what kind of failure one exception is.

    Args:
        error: One exception; the core looks through its causes and asks about each.

    Returns:
        The kind, or `None` where the exception alone does not tell.
    """
    if isinstance(error, CannotConnectError):
        return error.kind
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return ErrorKind.STALE_PLAN
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return _BY_STATE.get(state) or _BY_CLASS.get(state[:2])
    return _without_state(error)


def _without_state(error: BaseException) -> ErrorKind | None:
    if isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError)):
        unsent = any(phrase in str(error) for phrase in _NOTHING_WAS_SENT)
        return ErrorKind.UNREACHABLE if unsent else None
    if isinstance(error, PoolTimeoutError):
        return ErrorKind.UNREACHABLE
    if isinstance(error, ssl.SSLError):
        return ErrorKind.TLS
    if isinstance(error, TimeoutError):
        return ErrorKind.TIMEOUT
    return ErrorKind.DISCONNECTED if isinstance(error, ConnectionError) else None


def connect_failure(error: BaseException) -> ErrorKind:
    """Say why an attempt to connect to one host failed.

    Args:
        error: What the driver raised instead of giving a connection.

    Returns:
        The kind; `ErrorKind.UNREACHABLE` for everything the network can do.
    """
    if isinstance(error, ssl.SSLError) or "rejected SSL upgrade" in str(error):
        return ErrorKind.TLS
    if isinstance(error, asyncpg.CannotConnectNowError):
        return ErrorKind.STARTING
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return ErrorKind.READ_ONLY
    return ErrorKind.DENIED if isinstance(error, PermissionError) else ErrorKind.UNREACHABLE
