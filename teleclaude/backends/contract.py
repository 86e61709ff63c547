"""The words core and backends use with each other: plain data and protocols."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - NamedTuple fields are resolved by documentation tools
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import ColumnElement, Executable, Table

from teleclaude.errors import InstanceLockedError

DAEMON_LOCK: Final = "daemon"
"""The name of the instance lock that the daemon holds as long as it lives."""


class LogicalType(Enum):
    """A kind of column, as the models declare it; each engine says how it stores one."""

    KEY = "key"
    """Text that is compared, indexed and joined on. Compares by code point."""
    TEXT = "text"
    """Any other text."""
    INSTANT = "instant"
    """A point in time: an aware `datetime` with microseconds."""
    DOCUMENT = "document"
    """A JSON object or array."""
    FLAG = "flag"
    """A boolean."""
    SURROGATE_KEY = "surrogate key"
    """A 64-bit integer that the database counts up and never gives twice."""
    INTEGER = "integer"
    """A 64-bit integer."""


class ErrorKind(Enum):
    """What a driver's exception means for the caller."""

    BUSY = "busy"
    """Somebody else holds a lock; nothing was executed. Safe to run again."""
    SERIALIZATION = "serialization"
    """The engine rolled back: serialization failure or deadlock. Safe to run again."""
    STALE_PLAN = "stale plan"
    """A cached plan no longer fits the schema; nothing was executed. Safe to run again."""
    UNREACHABLE = "unreachable"
    """There is no connection, and nothing was sent. Safe to run again."""
    DISCONNECTED = "disconnected"
    """The connection broke while something was under way; its outcome is unknown."""
    STARTING = "starting"
    """The server does not accept connections yet (or no longer); nothing was sent. Safe to run
    again."""
    INTEGRITY = "integrity"
    """A constraint does not allow the change."""
    DENIED = "denied"
    """Wrong password, missing permission, or a file that may not be opened."""
    MISSING_DATABASE = "missing database"
    """The server or directory is there, the database is not."""
    MISSING_TABLE = "missing table"
    """The database is there, a table or column is not."""
    FULL = "full"
    """No space left."""
    READ_ONLY = "read-only"
    """The database, file or server does not accept changes."""
    TIMEOUT = "timeout"
    """The statement ran longer than allowed and was cancelled by the engine."""
    IO_ERROR = "input/output error"
    """Reading or writing the files failed for another reason than space."""
    CORRUPT = "corrupt"
    """The file is damaged or is not a database."""
    TLS = "tls"
    """The encrypted connection could not be established or verified."""
    OTHER = "other"
    """Anything else."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do, for the places where behaviour must differ.

    Attributes:
        single_writer: Only one connection can write at a time, so the store lets writers of this
            process queue in memory instead of colliding in the database.
        in_process: The engine runs inside this process: there is no server, and no connection that
            could break.
        parses_documents: A document column takes any JSON text, refuses what is none, and gives
            back the same document, whatever the text looked like; cast to text, it gives JSON text.
            So a copy need not rewrite it.
        loads_instant_text: `teleclaude_bulk_load` takes instants also as the text of fixed width
            that the store writes where the engine's type is text. So a copy need not parse it.
    """

    single_writer: bool = False
    in_process: bool = False
    parses_documents: bool = False
    loads_instant_text: bool = False


class LockHolder(NamedTuple):
    """Who has an instance lock.

    Attributes:
        pid: Process id on its host, or `None` if unknown.
        host: Host name, or `None` if unknown.
        since: When the lock was taken, aware, or `None` if unknown.
    """

    pid: int | None
    host: str | None
    since: datetime | None

    def __str__(self) -> str:
        """Describe the holder as far as it is known."""
        who = f"process {self.pid}" if self.pid else "an unknown process"
        where = f" on {self.host}" if self.host else ""
        when = f" since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        return f"{who}{where}{when}"


class Quarantined(NamedTuple):
    """One thing in the database of an earlier TeleClaude that has no place in this one.

    Attributes:
        table: The table it was in.
        key: The key of its row, as text.
        column: Its column; `None` for a whole row.
        original: What it was, as JSON, shortened and without secrets.
        reason: Why it has no place.
    """

    table: str
    key: str
    column: str | None
    original: str
    reason: str


@dataclass(frozen=True, slots=True)
class AdoptionReport:
    """What became of the database of an earlier TeleClaude.

    Attributes:
        found: What it was, such as `an earlier TeleClaude at level 7`.
        rows: How many rows were converted, by table.
        quarantined: How many values and rows are in quarantine.
        examples: The first of those.
        left_alone: Tables that are nobody's business and stayed as they were.
    """

    found: str
    rows: Mapping[str, int]
    quarantined: int
    examples: Sequence[Quarantined]
    left_alone: Sequence[str]


class Adoption(Protocol):
    """A database of an earlier TeleClaude that was recognised and can be converted."""

    @property
    def found(self) -> str:
        """What it is, half a sentence."""
        ...

    def convert(
        self,
        original: Path,
        create_schema: Callable[[], Sequence[Table]],
        computed: Mapping[str, Mapping[str, Callable[[Mapping[str, object]], object]]],
    ) -> AdoptionReport:
        """Convert it, inside the transaction in which it was recognised, and verify the result.

        Args:
            original: The copy that `teleclaude_backup` made in this transaction.
            create_schema: Makes the tables of the first revision, once the old ones are out of the
                way, and gives them. Their columns have the logical types of the core, whose
                `logical` is the `LogicalType` and whose `bind_processor` refuses what the store
                does not accept with an `InvalidValueError`.
            computed: By table and column: what the core computes from the other values of a row.

        Returns:
            What was done.

        Raises:
            AdoptionError: It cannot be converted; the caller rolls back.
        """
        ...


class SearchWord(NamedTuple):
    """One word of a search.

    Attributes:
        text: The word: letters and digits only, case and accents removed.
        is_prefix: Whether words that begin with it count too.
    """

    text: str
    is_prefix: bool


@dataclass(frozen=True, slots=True)
class TextSearch:
    """How an engine finds rows by the words of a column, from an index.

    The column holds words with single spaces between them, already without case and accents, so
    that every engine agrees about what a word is; the index must take each of them as it is.

    Attributes:
        create: Statements that create the index, and fill it from the rows that exist.
        drop: Statements that remove it again, run before the table is dropped.
        owned: Names of the tables and indexes that are part of it, so that nobody misses them in
            the models.
        match: The condition that a row matches the query in the bind parameter `query_`.
        query: Writes words that must all occur as such a query.
    """

    create: Sequence[Executable]
    drop: Sequence[Executable]
    owned: frozenset[str]
    match: ColumnElement[bool]
    query: Callable[[Sequence[SearchWord]], str]


class QuickWrite(NamedTuple):
    """How a process that lives for a single row stores it without SQLAlchemy.

    Attributes:
        entry: The function that does, as `module:function`. It is called with `arguments`, an
            INSERT as text, the values of its parameters in their order, and the seconds it may
            take. It commits, and gives `True` when exactly one row is stored, as durably as by the
            engine, and `False` when certainly nothing was: the long way is tried then. It raises a
            `StoreUnavailableError` where the long way would fail as well, and with
            `outcome_unknown` where it is not known what happened.
        arguments: What the function needs to know: values that JSON has, no secret among them,
            because they are kept in a file.
    """

    entry: str
    arguments: Mapping[str, object]


def locked(name: str, location: str, holder: LockHolder) -> InstanceLockedError:
    """Give the error for a lock that somebody else holds, in the same words on every engine.

    Args:
        name: What is locked.
        location: Where the database is, without secrets.
        holder: Who has the lock.
    """
    message = f"A {name} already uses the database {location}: {holder}."
    hint = "Stop it first, or use another database."
    return InstanceLockedError(message, holder=holder, hint=hint)


class InstanceLock(Protocol):
    """A held instance lock."""

    @property
    def holder(self) -> LockHolder:
        """Who has it: this process."""
        ...

    async def wait_lost(self) -> str:
        """Wait until the lock is no longer held, though nobody released it.

        Returns:
            Why it was lost, half a sentence. A lock that cannot be lost never returns.
        """
        ...
