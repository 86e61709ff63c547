"""The statement lane: statements run on asyncpg directly, each in one round trip.

asyncpg prepares every statement once per connection and keeps it.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import asyncpg

from teleclaude.backends import CommitError, LaneResult, StatementLane
from teleclaude_postgres.engine import open_connection
from teleclaude_postgres.pool import Connections

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from teleclaude.backends import LaneStatement
    from teleclaude_postgres.connecting import DriverConnection
    from teleclaude_postgres.settings import PostgresSettings


class PostgresLane(StatementLane):
    """Runs statements on connections of its own."""

    driver_errors = (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
    )

    def __init__(self, settings: PostgresSettings) -> None:
        """Make the lane; nothing is connected.

        Args:
            settings: How to connect.
        """
        super().__init__()
        self._settings = settings
        self._connections = self._pool()
        self._running = 0
        self._drained: asyncio.Future[None] | None = None

    def _pool(self) -> Connections:
        return Connections(partial(open_connection, self._settings), self._settings.pool_size)

    @property
    def in_use(self) -> int:
        """How many connections are in use, and how many tasks wait for one."""
        return self._connections.in_use

    async def run(self, statement: LaneStatement, values: Sequence[object]) -> LaneResult:
        """Run a statement by itself."""
        connections = self._connections
        self._running += 1
        try:
            connection = await connections.acquire()
            try:
                result = await self.execute(connection, statement, values)
            except BaseException as error:
                _give_back(connections, connection, error)
                raise
            connections.release(connection)
        finally:
            self._running -= 1
            if self._drained is not None and not self._running and not self._drained.done():
                self._drained.set_result(None)
        return result

    async def execute(
        self, connection: DriverConnection, statement: LaneStatement, values: Sequence[object]
    ) -> LaneResult:
        """Run a statement on a connection, whatever it is in the middle of."""
        if self.observers:
            self.note(statement.sql, values)
        if statement.returns_rows:
            rows = await connection.fetch(statement.sql, *values)
            return LaneResult(rows, len(rows))
        status = await connection.execute(statement.sql, *values)
        return LaneResult((), int(status.rpartition(" ")[2]))

    async def begin(self) -> PostgresTransaction:
        """Open a transaction."""
        connections = self._connections
        connection = await connections.acquire()
        try:
            self.note("BEGIN")
            await connection.execute("BEGIN")
        except BaseException as error:
            _give_back(connections, connection, error)
            raise
        return PostgresTransaction(self, connections, connection)

    async def close(self) -> None:
        """Wait for the statements that run, and close the connections.

        Those of open transactions are closed when these end.
        """
        if self._running:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained
            self._drained = None
        connections, self._connections = self._connections, self._pool()
        await connections.close()


class PostgresTransaction:
    """An open transaction."""

    def __init__(
        self, lane: PostgresLane, connections: Connections, connection: DriverConnection
    ) -> None:
        """Make it; `PostgresLane.begin` does."""
        self._lane = lane
        self._connections = connections
        self._connection = connection
        self._failure: BaseException | None = None

    async def run(self, statement: LaneStatement, values: Sequence[object]) -> LaneResult:
        """Run a statement."""
        try:
            return await self._lane.execute(self._connection, statement, values)
        except BaseException as error:
            self._failure = error
            raise

    async def run_many(
        self, statement: LaneStatement, value_sets: Iterable[Sequence[object]]
    ) -> None:
        """Run a statement with each set of values, all sent in one go."""
        self._lane.note(statement.sql)
        try:
            await self._connection.executemany(statement.sql, value_sets)
        except BaseException as error:
            self._failure = error
            raise

    async def commit(self) -> None:
        """Commit.

        Raises:
            CommitError: It failed.
        """
        try:
            self._lane.note("COMMIT")
            status = await self._connection.execute("COMMIT")
        except Exception as error:
            _give_back(self._connections, self._connection, error)
            raise CommitError from error
        except BaseException as error:
            _give_back(self._connections, self._connection, error)
            raise
        self._connections.release(self._connection)
        if status != "COMMIT":  # a failed transaction ends with ROLLBACK, and without an error
            raise CommitError from asyncpg.InFailedSQLTransactionError(status)

    async def rollback(self) -> None:
        """Roll back, or close the connection where that is not possible."""
        failure = self._failure
        if failure is None or _is_clean(self._connection, failure):
            try:
                self._lane.note("ROLLBACK")
                await self._connection.execute("ROLLBACK")
            except Exception as error:  # noqa: BLE001 - the server rolls back what has lost its connection
                failure = error
            except BaseException as error:
                _give_back(self._connections, self._connection, error)
                raise
            else:
                failure = None
        if failure is None:
            self._connections.release(self._connection)
        elif self._connection.is_closed():
            self._connections.lose()
        else:
            self._connections.retire(self._connection)


def _is_clean(connection: DriverConnection, error: BaseException) -> bool:
    """Say whether nothing is under way on a connection after an error."""
    # A TimeoutError is the driver's own: it has asked the server to cancel what is running.
    answered = isinstance(error, Exception) and not isinstance(error, TimeoutError)
    return answered and not connection.is_closed()


def _give_back(
    connections: Connections, connection: DriverConnection, error: BaseException
) -> None:
    if connection.is_closed():
        connections.lose()
    elif _is_clean(connection, error):
        connections.release(connection)
    else:
        connections.retire(connection)
