"""Every error TeleClaude raises on purpose: one tree with the root `TeleclaudeError`.

Not for turning driver errors into these; `teleclaude.backends.translation` does that, in one place.
The class docstring's first sentence is the message when none is given.
"""

from __future__ import annotations

TYPE_CHECKING = False  # without `typing`, which `teleclaude-hook` would wait for
if TYPE_CHECKING:
    from pathlib import Path
    from typing import ClassVar


class TeleclaudeError(Exception):
    """Something went wrong in TeleClaude.

    Attributes:
        exit_code: What a process that stops because of this error returns to its parent. Each
            family has one code of its own; `docs/errors.md` lists them.
        hint: The next step for the person reading, one sentence, or `None`.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        """Make the error.

        Args:
            message: One sentence that names the thing and what was expected. The first sentence of
                the class docstring when left out.
            hint: What to do next, one sentence.
        """
        self.message = message or (type(self).__doc__ or type(self).__name__).splitlines()[0]
        self.hint = hint
        super().__init__(self.message)

    def __str__(self) -> str:
        """Give the message, followed by the hint when there is one."""
        return f"{self.message} {self.hint}" if self.hint else self.message


class ConfigError(TeleclaudeError):
    """The configuration is not valid.

    Attributes:
        file: The file that holds the mistake, `None` for the environment or the command line.
        line: Its line, counted from 1, where known.
        key: The dotted key, such as `database.port`, where one is at fault.
    """

    exit_code = 3

    def __init__(
        self,
        message: str | None = None,
        *,
        file: Path | None = None,
        line: int | None = None,
        key: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Make the error; `file`, `line` and `key` are put in front of the message."""
        self.file = file
        self.line = line
        self.key = key
        place = f"{file}:{line}" if file and line else str(file or "")
        prefix = "".join(f"{part}: " for part in (place, key) if part)
        base = message or "The configuration is not valid."
        super().__init__(f"{prefix}{base}", hint=hint)


class BackendError(TeleclaudeError):
    """A database backend cannot be used."""

    exit_code = 4


class BackendNotFoundError(BackendError):
    """No installed backend has the engine's name."""


class BackendIncompleteError(BackendError):
    """A backend lacks a hook that every backend must have."""


class BackendLoadError(BackendError):
    """A backend is installed but cannot be loaded."""


class StoreError(TeleclaudeError):
    """The store could not do what was asked."""

    exit_code = 5


class NotFoundError(StoreError):
    """What was asked for is not in the store."""


class ConflictError(StoreError):
    """What is already in the store contradicts what was asked.

    Attributes:
        constraint: The name of the database constraint, where the engine tells it.
    """

    def __init__(
        self,
        message: str | None = None,
        *,
        constraint: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Make the error."""
        self.constraint = constraint
        super().__init__(message, hint=hint)


class InvalidValueError(StoreError, ValueError):
    """A value cannot be stored, or a field does not exist.

    Refused before the database sees it, so that every engine refuses the same.

    Attributes:
        reason: What is wrong with a value, continuing "the value ...", where it is a value.
    """

    def __init__(
        self, message: str | None = None, *, reason: str | None = None, hint: str | None = None
    ) -> None:
        """Make the error."""
        self.reason = reason
        super().__init__(message, hint=hint)


class StoreUnavailableError(StoreError):
    """The database cannot be reached or did not answer.

    Attributes:
        outcome_unknown: True when a write was under way and may or may not have happened.
        transient: True when the same call may well succeed later without anybody's help, such as a
            server that is still starting.
        missing: True when the database does not exist.
    """

    def __init__(
        self,
        message: str | None = None,
        *,
        outcome_unknown: bool = False,
        transient: bool = False,
        missing: bool = False,
        hint: str | None = None,
    ) -> None:
        """Make the error."""
        self.outcome_unknown = outcome_unknown
        self.transient = transient
        self.missing = missing
        super().__init__(message, hint=hint)


def outcome_unknown(location: str) -> StoreUnavailableError:
    """Give the error for a change whose connection broke before the answer came.

    Args:
        location: Where the database is, without secrets.
    """
    return StoreUnavailableError(
        f"The database {location} broke off during a change; whether it was made is unknown.",
        outcome_unknown=True,
        hint="Look before you repeat it.",
    )


class CopyError(StoreError):
    """A store could not be copied to another database."""


class BackupError(StoreError):
    """A backup could not be made, or a file is not one that can be restored."""


class MigrationError(TeleclaudeError):
    """The database schema could not be brought to the wanted revision."""

    exit_code = 6


class SchemaOutdatedError(MigrationError):
    """The database schema is older than this version of TeleClaude."""


class SchemaTooNewError(MigrationError):
    """The database schema is newer than this version of TeleClaude."""


class AdoptionError(MigrationError):
    """The database of an earlier TeleClaude cannot be converted."""


class InstanceLockedError(TeleclaudeError):
    """Another process already has this database's instance lock.

    Attributes:
        holder: Who has it, a `teleclaude.backends.LockHolder`, or `None` if nobody said.
    """

    exit_code = 7

    def __init__(
        self,
        message: str | None = None,
        *,
        holder: object = None,
        hint: str | None = None,
    ) -> None:
        """Make the error.

        Args:
            message: See `TeleclaudeError`.
            holder: Who has the lock.
            hint: See `TeleclaudeError`.
        """
        super().__init__(message, hint=hint)
        self.holder = holder


class InstanceLockLostError(TeleclaudeError):
    """The instance lock was lost while it was needed."""

    exit_code = 8
