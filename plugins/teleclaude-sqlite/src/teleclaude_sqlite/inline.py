"""Reading on the event loop's own thread, because going to another one takes longer than that.

Nothing that is long stays there: SQLite itself breaks off what takes longer than a fraction of a
millisecond, and a thread of `readers` does it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from time import perf_counter
from typing import TYPE_CHECKING, Final

from teleclaude.backends import ErrorKind
from teleclaude_sqlite.errors import classify_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from teleclaude.backends import LaneResult, LaneStatement
    from teleclaude_sqlite.connections import Connection

_LONGEST: Final = 0.0002
"""Seconds after which a read is broken off."""

_LATE: Final = 0.002
"""Seconds after which a read that could not be broken off, because SQLite was waiting for the disk
or busy with a single step, counts as one that was. No less: that another process has the processor
for a while says nothing about the statement."""

_STEPS: Final = 1000
"""Instructions of SQLite's virtual machine between two looks at the clock: some 20 microseconds."""

_AVOIDED: Final = 100
"""Runs of a statement in a reader's thread after one that was too long."""

_MOST_AVOIDED: Final = 1000
"""Statements of which that is kept: more than the store has."""

_BROKEN_OFF: Final = ErrorKind.TIMEOUT
"""As what `classify_error` sees it."""

_IN_A_ROW: Final = 0.0003
"""Seconds of reads, of all tasks together, before others get a turn."""


class Inline:
    """Reads that are short.

    Attributes:
        connection: The connection, once there was a read.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        """Make it; nothing is opened.

        Args:
            connect: Opens the connection, which must not wait for locks.
        """
        self._connect = connect
        self.connection: Connection | None = None
        self._avoided: dict[str, int] = {}
        self._until = 0.0
        self._used = 0.0
        self._yields = False

    @property
    def is_used_up(self) -> bool:
        """Whether others should have a turn now."""
        return self._used > _IN_A_ROW

    def suits(self, statement: LaneStatement) -> bool:
        """Say whether to try it: what finds one row by its key, and what is not known as long."""
        left = self._avoided.pop(statement.sql, 0)
        if left > 1:
            self._avoided[statement.sql] = left - 1
        return not left or statement.by_key

    def read(self, statement: LaneStatement, values: Sequence[object]) -> LaneResult | None:
        """Run a query.

        Returns:
            What it gave, or `None` where a thread must do it: it takes too long, or it would have
            to wait for another process that recovers or removes the log.
        """
        start = perf_counter()
        self._until = start + _LONGEST
        result = None
        try:
            result = (self.connection or self._opened()).run(statement, values)
        except sqlite3.OperationalError as error:
            kind = classify_error(error)
            if kind is _BROKEN_OFF:
                self._avoid(statement)
                self.close()  # Python 3.11 would now compile the statement anew each time
            elif kind is not ErrorKind.BUSY:
                raise
        took = perf_counter() - start
        if took > _LATE:
            self._avoid(statement)
        self._used += took
        return result

    def _avoid(self, statement: LaneStatement) -> None:
        if len(self._avoided) >= _MOST_AVOIDED:
            self._avoided.clear()
        self._avoided[statement.sql] = _AVOIDED

    async def give_way(self) -> None:
        """Let others have a turn."""
        if not self._yields:
            self._yields = True
            asyncio.get_running_loop().call_soon(self._begin_turn)
        await asyncio.sleep(0)

    def close(self) -> None:
        """Close the connection."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _begin_turn(self) -> None:
        self._yields = False
        self._used = 0.0

    def _opened(self) -> Connection:
        self.connection = connection = self._connect()
        connection.driver.set_progress_handler(lambda: perf_counter() > self._until, _STEPS)
        return connection
