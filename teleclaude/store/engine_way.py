"""Running statements through the backend's engine: the way that every backend has."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from teleclaude.backends import CommitError, ErrorKind
from teleclaude.store.ways import Written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence

    from sqlalchemy import Executable, Table
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from teleclaude.backends import Backend, Batch
    from teleclaude.store.ways import Parameters, Row, TransactionStatements

    Turn: TypeAlias = Callable[[], AbstractAsyncContextManager[object]]

T = TypeVar("T")

LOST: Final = frozenset({ErrorKind.UNREACHABLE, ErrorKind.DISCONNECTED})
"""There is no connection any more."""


class EngineWay:
    """Runs each statement on a connection of the engine's pool."""

    driver_errors: tuple[type[Exception], ...] = ()

    def __init__(self, engine: AsyncEngine, backend: Backend, turn: Turn | None = None) -> None:
        """Make the way.

        Args:
            engine: An engine that the backend made.
            backend: The backend.
            turn: Waits for the turn to write, where others than this way's statements take turns.
        """
        self._engine = engine
        self._backend = backend
        # Where the engine has one writer, those of a store queue here, first come first served,
        # instead of colliding in the database, where luck decides who is next.
        lock = asyncio.Lock()
        in_turn = turn or (lambda: lock)
        self._turn: Turn = in_turn if backend.capabilities.single_writer else nullcontext

    async def read(self, statement: Executable, parameters: Parameters) -> Sequence[Row]:
        """Run a SELECT."""
        async with self._autocommit() as connection:
            return await _read(connection, statement, parameters)

    async def write(self, statement: Executable, parameters: Parameters) -> Written:
        """Run a changing statement."""
        async with self._turn(), self._autocommit() as connection:
            return await _write(connection, statement, parameters)

    async def insert(self, statement: Executable, parameters: Parameters) -> int:
        """Run an INSERT."""
        async with self._turn(), self._autocommit() as connection:
            return await _insert(connection, statement, parameters)

    async def begin(self) -> EngineTransaction:
        """Open a transaction, when it is the writer's turn."""
        transaction = EngineTransaction(self._engine, self._backend, self._turn())
        try:
            await transaction.begin()
        except BaseException:
            await transaction.end()
            raise
        return transaction

    async def begin_loading(self) -> EngineTransaction:
        """Open a transaction, as any other."""
        return await self.begin()

    async def run(self, work: Callable[[TransactionStatements], Coroutine[Any, Any, T]]) -> T:
        """Run work in a transaction."""
        transaction = await self.begin()
        try:
            result = await work(transaction)
            await transaction.commit()
        finally:
            await transaction.end()
        return result

    async def close(self) -> None:
        """Do nothing: the engine belongs to somebody else."""

    @asynccontextmanager
    async def _autocommit(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")


class EngineTransaction:
    """A transaction on a connection of the pool."""

    def __init__(
        self, engine: AsyncEngine, backend: Backend, turn: AbstractAsyncContextManager[object]
    ) -> None:
        """Make the transaction; `EngineWay.begin` does."""
        self._engine = engine
        self._backend = backend
        self._turn = turn
        self._connection: AsyncConnection | None = None
        self._has_turn = False

    async def begin(self) -> None:
        """Wait for the turn, connect, and begin."""
        await self._turn.__aenter__()
        self._has_turn = True
        self._connection = await self._engine.connect()
        await self._connection.begin()

    async def read(self, statement: Executable, parameters: Parameters) -> Sequence[Row]:
        """Run a SELECT."""
        return await _read(self._open, statement, parameters)

    async def write(self, statement: Executable, parameters: Parameters) -> Written:
        """Run a changing statement."""
        return await _write(self._open, statement, parameters)

    async def insert(self, statement: Executable, parameters: Parameters) -> int:
        """Run an INSERT."""
        return await _insert(self._open, statement, parameters)

    async def write_many(self, statement: Executable, sets: Sequence[Parameters]) -> None:
        """Run a changing statement with each of some parameter sets."""
        await self._open.execute(statement, sets)

    async def load(self, table: Table, rows: Iterable[Sequence[object]]) -> int:
        """Load many rows into a table, and say how many there were."""
        return await self._backend.bulk_load(self._open, table, rows)

    async def load_bound(self, table: Table, rows: Batch) -> bool:
        """Load rows that are bound already; see `Backend.load_bound`."""
        return await self._backend.load_bound(self._open, table, rows)

    async def commit(self) -> None:
        """Commit.

        Raises:
            CommitError: It failed.
        """
        try:
            await self._open.commit()
        except Exception as error:
            raise CommitError from error

    async def end(self) -> None:
        """Give the connection back, rolling back what was not committed, then the turn."""
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                await self._release(connection)
        finally:
            if self._has_turn:
                self._has_turn = False
                await self._turn.__aexit__(None, None, None)

    async def _release(self, connection: AsyncConnection) -> None:
        try:
            await connection.__aexit__(None, None, None)
        except Exception as error:
            # Where there is no connection any more, the engine has rolled back by itself; what the
            # caller must hear is the error that led here, if there is one.
            if self._backend.classify_error(error) not in LOST:
                raise

    @property
    def _open(self) -> AsyncConnection:
        if self._connection is None:  # pragma: no cover - the executors do not let it happen
            raise AssertionError
        return self._connection


async def _read(
    connection: AsyncConnection, statement: Executable, parameters: Parameters
) -> Sequence[Row]:
    return (await connection.execute(statement, parameters)).all()


async def _write(
    connection: AsyncConnection, statement: Executable, parameters: Parameters
) -> Written:
    result = await connection.execute(
        statement, parameters, execution_options={"preserve_rowcount": True}
    )
    rows = result.all() if result.returns_rows else ()
    return Written(result.rowcount, rows)


async def _insert(
    connection: AsyncConnection, statement: Executable, parameters: Parameters
) -> int:
    result = await connection.execute(statement, parameters)
    key = result.inserted_primary_key
    if key is None:  # pragma: no cover - a single INSERT always has one
        raise AssertionError(statement)
    return int(key[0])
