"""The statement lane: statements run on sqlite3 directly.

One thread writes (`writer`), a few read (`readers`), and what takes microseconds is read on the
event loop's own thread (`inline`), because going to another one takes longer than that.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from teleclaude.backends import StatementLane
from teleclaude_sqlite.connections import Connection
from teleclaude_sqlite.inline import Inline
from teleclaude_sqlite.jobs import Again, Desk, Statement, Transaction, Unit
from teleclaude_sqlite.readers import Readers
from teleclaude_sqlite.writer import Writer

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from teleclaude.backends import LaneConnection, LaneResult, LaneStatement
    from teleclaude_sqlite.settings import SqliteSettings

T = TypeVar("T")

_MOST_WAITING: Final = 10_000
"""Changes that may wait in the writer's queue; who has more waits before it."""


class SqliteLane(StatementLane):
    """Runs statements on connections of its own."""

    driver_errors = (sqlite3.Error,)

    def __init__(self, settings: SqliteSettings) -> None:
        """Make the lane; nothing is opened, and no thread started.

        Args:
            settings: Where the file is and how it is used.
        """
        super().__init__()
        connect = partial(Connection, settings, self.note)
        self._inline = Inline(partial(connect, waits=False))
        self._writing, self._reading = Desk(), Desk()
        self._writer = Writer(partial(connect, writes=True, waits=False), self._writing)
        self._readers = Readers(connect, self._reading)
        self._room = asyncio.Semaphore(_MOST_WAITING)

    @property
    def in_use(self) -> int:
        """How many statements and transactions are waiting or running."""
        return self._writing.outstanding + self._reading.outstanding

    async def run(self, statement: LaneStatement, values: Sequence[object]) -> LaneResult:
        """Run a statement by itself."""
        result: LaneResult
        if statement.changes:
            async with self._room:
                job = Statement(self._writing.ask(), statement, values)
                self._writer.submit(job)
                result = await job.future
                return result
        kind: type[Statement] = Statement
        if self._inline.suits(statement):
            found = self._inline.read(statement, values)
            if found is not None:
                if self._inline.is_used_up:
                    await self._inline.give_way()
                return found
            kind = Again
        job = kind(self._reading.ask(), statement, values)
        self._readers.submit(job)
        result = await job.future
        return result

    async def unit(self, work: Callable[[LaneConnection], Coroutine[Any, Any, T]]) -> T:
        """Run several statements as one transaction, in the writer's thread."""
        async with self._room:
            job = Unit(self._writing.ask(), work)
            self._writer.submit(job)
            result: T = await job.future
            return result

    async def begin(self) -> Transaction:
        """Open a transaction, when it is its turn."""
        return await self._begun(begins=True)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Let the writer do nothing meanwhile."""
        pause = await self._begun(begins=False)
        try:
            yield
        finally:
            await pause.rollback()

    async def _begun(self, *, begins: bool) -> Transaction:
        async with self._room:
            transaction = Transaction(self._writing.ask(), begins=begins)
            self._writer.submit(transaction)
            try:
                await transaction.begun
            except BaseException:
                transaction.abandon()
                raise
            return transaction

    async def close(self) -> None:
        """Do what was accepted, roll back what is open, and close all connections."""
        await _joined(self._readers.stop())
        self._inline.close()
        writer = self._writer.stop()  # the last one: it leaves no log behind
        await _joined([] if writer is None else [writer])


async def _joined(threads: Sequence[threading.Thread]) -> None:
    """Wait for threads that are about to end, without keeping the loop."""
    pause = 0.0
    while any(thread.is_alive() for thread in threads):
        await asyncio.sleep(pause)
        pause = min(pause + 0.001, 0.01)
