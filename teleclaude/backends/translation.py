"""Turning what comes out of a driver into TeleClaude's errors: the one place that does.

The driver's own text is shown only where it cannot hold anybody's data: for failures of the
connection and of the database as a whole. PostgreSQL, for one, quotes values when a constraint is
violated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from teleclaude.backends.contract import ErrorKind
from teleclaude.errors import ConflictError, StoreError, StoreUnavailableError, TeleclaudeError

if TYPE_CHECKING:
    from types import TracebackType

    from teleclaude.backends.backend import Backend

TRANSIENT: Final = frozenset({ErrorKind.UNREACHABLE, ErrorKind.STARTING, ErrorKind.BUSY})
"""Failures that end by themselves when somebody starts the server or finishes writing."""


class _Explanation(NamedTuple):
    message: str
    hint: str


_EXPLANATIONS: Final = {
    ErrorKind.BUSY: _Explanation(
        "The database {location} is locked by another process",
        "Try again, or find out which process keeps it locked.",
    ),
    ErrorKind.SERIALIZATION: _Explanation(
        "The database {location} undid the change because others changed the same rows",
        "Try again.",
    ),
    ErrorKind.STALE_PLAN: _Explanation(
        "The schema of the database {location} changed under this process", "Try again."
    ),
    ErrorKind.UNREACHABLE: _Explanation(
        "The database {location} cannot be reached",
        "Check that the server runs and that host and port are right.",
    ),
    ErrorKind.STARTING: _Explanation(
        "The database server {location} does not accept connections yet", "Try again in a moment."
    ),
    ErrorKind.DENIED: _Explanation(
        "The database {location} refuses access",
        "Check the permissions, and the user and password where there are any.",
    ),
    ErrorKind.MISSING_DATABASE: _Explanation(
        "There is no database {location}", "Create it on the server first, or correct its name."
    ),
    ErrorKind.MISSING_TABLE: _Explanation(
        "The database {location} lacks a table or column",
        "Compare it with the models: teleclaude db check",
    ),
    ErrorKind.FULL: _Explanation(
        "There is no space left for the database {location}", "Free some space; nothing was lost."
    ),
    ErrorKind.IO_ERROR: _Explanation(
        "The database {location} could not be read or could not be written",
        "Check the disk, its free space and quotas.",
    ),
    ErrorKind.READ_ONLY: _Explanation(
        "The database {location} is read-only",
        "Check the permissions of the file, or that this is not a standby server.",
    ),
    ErrorKind.TIMEOUT: _Explanation(
        "The database {location} took longer than allowed", "Try again, or raise the timeout."
    ),
    ErrorKind.CORRUPT: _Explanation(
        "The database {location} is damaged or is not a database",
        "Restore a backup, or name another file.",
    ),
    ErrorKind.TLS: _Explanation(
        "The encrypted connection to the database {location} failed",
        "Check sslmode, the certificate files and the host's name.",
    ),
}

_QUOTABLE: Final = frozenset(_EXPLANATIONS) - {
    ErrorKind.SERIALIZATION,
    ErrorKind.STALE_PLAN,
    ErrorKind.MISSING_DATABASE,
}


class translated:  # noqa: N801 - it is used like a function
    """Let only TeleClaude's errors out of a block that talks to a database.

    A class, and not a generator, because every operation of the store goes through it.

    Raises:
        TeleclaudeError: In place of any error of the driver, SQLAlchemy or the operating system.
    """

    __slots__ = ("_backend", "_driver_errors", "_location")

    def __init__(
        self,
        backend: Backend,
        location: str,
        driver_errors: tuple[type[Exception], ...] = (),
    ) -> None:
        """Make the context manager, which can be entered any number of times.

        Args:
            backend: Whose database it is.
            location: Where it is, without secrets.
            driver_errors: The base classes of the driver's exceptions, where they come out as they
                are.
        """
        self._backend = backend
        self._location = location
        self._driver_errors = (SQLAlchemyError, OSError, *driver_errors)

    def __enter__(self) -> None:
        """Enter the block."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the block, with another error where that is called for."""
        if not isinstance(error, Exception) or isinstance(error, TeleclaudeError):
            return
        if isinstance(own := _root(error), TeleclaudeError):
            raise own from None  # a refused value, wrapped by the layers it came through
        known = isinstance(error, self._driver_errors)
        if not known and self._backend.classify_error(error) is ErrorKind.OTHER:
            return  # a defect, not a failure of the database: it must show
        raise translate(error, self._backend, self._location) from error


def translate(error: BaseException, backend: Backend, location: str) -> TeleclaudeError:
    """Give the error that a person or a caller can act on.

    Args:
        error: What came out of the driver.
        backend: Whose database it is.
        location: Where it is, without secrets.

    Returns:
        The error to raise from `error`.
    """
    root = _root(error)
    kind = backend.classify_error(error)
    if kind is ErrorKind.INTEGRITY:
        name: object = getattr(root, "constraint_name", None)
        message = "The change contradicts a constraint of the database."
        return ConflictError(message, constraint=name if isinstance(name, str) else None)
    if kind is ErrorKind.DISCONNECTED:
        return StoreUnavailableError(
            f"The connection to the database {location} broke.", hint="Try again.", transient=True
        )
    if kind not in _EXPLANATIONS:
        message = f"The database {location} failed with {type(root).__name__}."
        return StoreError(message, hint="The details: run the command with --debug.")
    said = f": {_first_line(root)}" if kind in _QUOTABLE else "."
    message = _EXPLANATIONS[kind].message.format(location=location) + said
    hint = _EXPLANATIONS[kind].hint
    missing = kind is ErrorKind.MISSING_DATABASE
    if missing and backend.prepares_storage:
        hint = "Create it: teleclaude db upgrade"
    transient = kind in TRANSIENT
    return StoreUnavailableError(message, hint=hint, transient=transient, missing=missing)


def _root(error: BaseException) -> BaseException:
    seen = {id(error)}
    while True:
        original: object = getattr(error, "orig", None)
        inner = original if isinstance(original, BaseException) else error.__cause__
        if inner is None or id(inner) in seen:
            return error
        seen.add(id(inner))
        error = inner


def _first_line(error: BaseException) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = (said or type(error).__name__).splitlines()[0].strip()
    return text if text.endswith(".") else f"{text}."
