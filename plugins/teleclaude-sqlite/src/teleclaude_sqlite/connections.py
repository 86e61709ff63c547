"""The statement lane's connections, and what is done on them: one statement, BEGIN, COMMIT."""

from __future__ import annotations

import sqlite3
import time
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

from teleclaude.backends import ErrorKind, LaneResult
from teleclaude_sqlite.engine import check_file, pragmas, switch_to_wal
from teleclaude_sqlite.errors import classify_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from teleclaude.backends import LaneStatement
    from teleclaude_sqlite.settings import SqliteSettings

T = TypeVar("T")

_CACHED: Final = 512
"""Compiled statements that a connection keeps: more than the store has."""

_PAUSES: Final = (0.001, 0.002, 0.005)
_LONGEST_PAUSE: Final = 0.01
"""Seconds between two attempts to get the lock. SQLite's own busy handler waits up to 0.1, which is
long enough to starve beside a process that writes all the time."""


class Connection:
    """A connection that is used by one thread at a time."""

    def __init__(
        self,
        settings: SqliteSettings,
        note: Callable[..., None],
        *,
        writes: bool = False,
        waits: bool = True,
    ) -> None:
        """Open the connection.

        Args:
            settings: Where the file is and how it is used.
            note: Told about everything that is sent.
            writes: Whether changes are made on it.
            waits: Whether SQLite waits for locks, by keeping the thread. A connection that does not
                is refused at once where somebody else has the lock.

        Raises:
            OSError: The file is missing or may not be used.
            sqlite3.Error: It is no database, or is damaged.
        """
        check_file(settings.path)
        self.is_broken = False
        """Whether a transaction could not be rolled back: closing the connection does it."""
        self._observe = note
        self._is_waiting = False
        self._patience = settings.busy_timeout
        self.driver = sqlite3.connect(
            f"file:{quote(str(settings.path))}?mode=rw",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_CACHED,
        )
        try:
            for pragma in pragmas(settings):
                self.driver.execute(pragma)
            switch_to_wal(self.driver, settings.busy_timeout, lambda: time.sleep(_LONGEST_PAUSE))
            if not writes:
                self.driver.execute("PRAGMA query_only = ON")
            if not waits:
                self.driver.execute("PRAGMA busy_timeout = 0")
        except BaseException:
            self.driver.close()
            raise

    def note(self, sql: str, values: Sequence[object] = ()) -> None:
        """Tell what is about to be sent; that it is sent again while it waits is not told."""
        if not self._is_waiting:
            self._observe(sql, values)

    def run(self, statement: LaneStatement, values: Sequence[object]) -> LaneResult:
        """Run a statement."""
        self.note(statement.sql, values)
        return self.execute(statement, values)

    def execute(self, statement: LaneStatement, values: Sequence[object]) -> LaneResult:
        """Run a statement without telling it."""
        cursor = self.driver.execute(statement.sql, values)
        if statement.returns_rows:
            return LaneResult(cursor.fetchall(), cursor.rowcount)
        return LaneResult((), cursor.rowcount)

    def run_many(self, statement: LaneStatement, value_sets: Iterable[Sequence[object]]) -> None:
        """Run a statement with each set of values."""
        self.note(statement.sql)
        self.driver.executemany(statement.sql, value_sets)

    def send(self, sql: str) -> None:
        """Run what has neither values nor a result."""
        self.note(sql)
        self.driver.execute(sql)

    def roll_back(self) -> None:
        """Roll back if there is something to roll back."""
        if self.driver.in_transaction:
            try:
                self.send("ROLLBACK")
            except sqlite3.Error:
                self.is_broken = True

    def when_free(self, attempt: Callable[[], T], wanted: Callable[[], bool]) -> T:
        """Do what needs the lock on the database, as soon as no other process has it.

        Args:
            attempt: Takes the lock, or fails without having done anything.
            wanted: Whether anybody still waits for it.

        Returns:
            What the attempt that succeeded gave.

        Raises:
            sqlite3.OperationalError: Somebody had the lock for longer than the busy timeout.
        """
        deadline = time.monotonic() + self._patience
        pauses = chain(_PAUSES, repeat(_LONGEST_PAUSE))
        try:
            while True:
                try:
                    return attempt()
                except sqlite3.OperationalError as error:
                    busy = classify_error(error) is ErrorKind.BUSY
                    if not busy or self.driver.in_transaction:
                        raise
                    if time.monotonic() > deadline or not wanted():
                        raise
                self._is_waiting = True
                time.sleep(next(pauses))
        finally:
            self._is_waiting = False

    def close(self) -> None:
        """Close it."""
        self.driver.close()
