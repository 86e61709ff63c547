"""How a statement runs: by itself, or inside a transaction; and when it is run again.

A store operation that is one statement runs in the driver's autocommit: one round trip, no BEGIN,
no COMMIT. Several statements that belong together are a *unit of work*: a function of an executor
that runs inside one transaction and, when the engine says that nothing of it happened, runs again
as a whole.

What stores see is `Executor`; they do not know which of the two they have.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias, TypeVar

from teleclaude.backends import ErrorKind
from teleclaude.backends.translation import outcome_unknown, translated
from teleclaude.errors import InvalidValueError, StoreError, StoreUnavailableError, TeleclaudeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence

    from sqlalchemy import Executable, Table
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from teleclaude.backends import Backend

    Parameters: TypeAlias = Mapping[str, object]
    Row: TypeAlias = Sequence[Any]

T = TypeVar("T")

SAFE: Final = frozenset(
    {
        ErrorKind.BUSY,
        ErrorKind.SERIALIZATION,
        ErrorKind.STALE_PLAN,
        ErrorKind.STARTING,
        ErrorKind.UNREACHABLE,
    }
)
"""Failures after which nothing has happened, so that the same thing may be done again."""

_UNDONE_BY_COMMIT: Final = SAFE | {ErrorKind.INTEGRITY, ErrorKind.FULL, ErrorKind.READ_ONLY}
"""Failures of a COMMIT that are known to have rolled the transaction back."""

LOST: Final = frozenset({ErrorKind.UNREACHABLE, ErrorKind.DISCONNECTED})
"""There is no connection any more."""

_ENDED: Final = "The transaction has ended."


class Written(NamedTuple):
    """What a changing statement did.

    Attributes:
        rowcount: How many rows it inserted, updated or deleted.
        rows: What its RETURNING clause gave, if it has one.
    """

    rowcount: int
    rows: Sequence[Row]


class Executor(Protocol):
    """Runs statements for a store."""

    async def read(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> Sequence[Row]:
        """Run a SELECT and give its rows."""
        ...

    async def write(self, statement: Executable, parameters: Parameters | None = None) -> Written:
        """Run a changing statement."""
        ...

    async def insert(self, statement: Executable, parameters: Parameters) -> int:
        """Run an INSERT into a table with a surrogate key, and give the new row's key."""
        ...

    async def write_many(self, statement: Executable, parameters: Iterable[Parameters]) -> None:
        """Run a changing statement with each parameter set, all or nothing."""
        ...

    async def run(self, unit: Unit[T]) -> T:
        """Run several statements as one transaction, or as part of the current one."""
        ...


Unit: TypeAlias = Callable[[Executor], "Awaitable[T]"]
"""A unit of work. It may be called more than once, so it must do nothing but use its executor."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to give up, and how long to wait before the next attempt.

    Attributes:
        attempts: How often a unit is run at most.
        base: The longest first wait, in seconds; each further one is up to twice as long.
        ceiling: The longest wait of all, in seconds.
    """

    attempts: int = 5
    base: float = 0.05
    ceiling: float = 1.0

    def pause(self, attempt: int) -> float:
        """Give the wait after an attempt, in seconds.

        It is drawn from the whole interval ("full jitter"), so that those who collided once do not
        collide again.

        Args:
            attempt: How many attempts came before, from 0.
        """
        longest: float = min(self.ceiling, self.base * 2**attempt)
        return random.uniform(0, longest)  # noqa: S311 - it spreads load and guards nothing


class EngineExecutor:
    """Runs each statement by itself, and each unit of work in a transaction of its own."""

    def __init__(
        self,
        engine: AsyncEngine,
        backend: Backend,
        location: str,
        *,
        retry: RetryPolicy | None = None,
    ) -> None:
        """Make an executor.

        Args:
            engine: An engine that the backend made.
            backend: The backend.
            location: Where the database is, for errors.
            retry: How often and when to try again.
        """
        self._engine = engine
        self._backend = backend
        self._location = location
        self._retry = retry or RetryPolicy()
        # Where the engine has one writer, those of this process queue here, first come first
        # served, instead of colliding in the database, where luck decides who is next.
        self._turn: AbstractAsyncContextManager[object] = (
            asyncio.Lock() if backend.capabilities.single_writer else nullcontext()
        )
        self._in_transaction: set[asyncio.Task[object] | None] = set()
        self._unusable: str | None = "The store is not open."

    def open(self) -> None:
        """Accept statements from now on."""
        self._unusable = None

    def close(self) -> None:
        """Refuse statements from now on."""
        self._unusable = "The store is closed."

    async def read(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> Sequence[Row]:
        """Run a SELECT; again if the connection breaks, because reading changes nothing."""
        self._check_usable()

        async def attempt() -> Sequence[Row]:
            async with self._autocommit() as connection:
                return (await connection.execute(statement, parameters)).all()

        return await self._repeat(attempt, SAFE | {ErrorKind.DISCONNECTED})

    async def write(self, statement: Executable, parameters: Parameters | None = None) -> Written:
        """Run a changing statement in autocommit."""
        return await self._change(lambda connection: _write(connection, statement, parameters))

    async def insert(self, statement: Executable, parameters: Parameters) -> int:
        """Run an INSERT in autocommit."""
        return await self._change(lambda connection: _insert(connection, statement, parameters))

    async def _change(self, change: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        self._check_usable(writing=True)

        async def attempt() -> T:
            async with self._turn, self._autocommit() as connection:
                return await change(connection)

        try:
            return await self._repeat(attempt, SAFE)
        except StoreUnavailableError as error:
            if self._backend.classify_error(error) is ErrorKind.DISCONNECTED:
                raise outcome_unknown(self._location) from error
            raise

    async def write_many(self, statement: Executable, parameters: Iterable[Parameters]) -> None:
        """Run a changing statement with each parameter set, in one transaction."""
        sets = list(parameters)
        await self.run(lambda tx: tx.write_many(statement, sets))

    async def run(self, unit: Unit[T]) -> T:
        """Run a unit of work in a transaction; again as a whole where nothing of it remained."""

        async def attempt() -> T:
            async with self._transaction(self._begin) as tx:
                return await unit(tx)

        return await self._repeat(attempt, SAFE | {ErrorKind.DISCONNECTED})

    def transaction(self) -> AbstractAsyncContextManager[TransactionExecutor]:
        """Open a transaction, commit it at the end of the block, roll it back on an exception.

        Opening it is tried again where that is safe. What happens inside never is: only the caller
        knows what the block does besides.

        Returns:
            A context manager that yields the executor of the transaction and raises
            `StoreUnavailableError` when it could not be opened or when the connection broke at the
            COMMIT (`outcome_unknown` is then set).
        """

        async def begin(stack: AsyncExitStack) -> AsyncConnection:
            return await self._repeat(lambda: self._begin(stack), SAFE | {ErrorKind.DISCONNECTED})

        return self._transaction(begin)

    @asynccontextmanager
    async def _transaction(
        self, begin: Callable[[AsyncExitStack], Awaitable[AsyncConnection]]
    ) -> AsyncIterator[TransactionExecutor]:
        self._check_usable(writing=True)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._turn)
            task = asyncio.current_task()
            self._in_transaction.add(task)
            stack.callback(self._in_transaction.discard, task)
            connection = await begin(stack)
            tx = TransactionExecutor(connection, self._backend, self._location)
            stack.push_async_callback(tx.end)
            yield tx
            await tx.commit()

    async def _begin(self, stack: AsyncExitStack) -> AsyncConnection:
        with translated(self._backend, self._location):
            async with AsyncExitStack() as attempt:
                connection = await self._engine.connect()
                attempt.push_async_callback(self._release, connection)
                await connection.begin()
                stack.push_async_exit(attempt.pop_all())
                return connection

    async def _release(self, connection: AsyncConnection) -> None:
        """Give a connection back, rolling back what was not committed."""
        try:
            await connection.__aexit__(None, None, None)
        except Exception as error:
            # Where there is no connection any more, the engine has rolled back by itself; what the
            # caller must hear is the error that led here, if there is one.
            if self._backend.classify_error(error) not in LOST:
                raise

    @asynccontextmanager
    async def _autocommit(self) -> AsyncIterator[AsyncConnection]:
        with translated(self._backend, self._location):
            async with self._engine.connect() as connection:
                yield await connection.execution_options(isolation_level="AUTOCOMMIT")

    async def _repeat(self, attempt: Callable[[], Awaitable[T]], safe: frozenset[ErrorKind]) -> T:
        for count in range(self._retry.attempts - 1):
            try:
                return await attempt()
            except TeleclaudeError as error:
                lost = isinstance(error, StoreUnavailableError) and error.outcome_unknown
                if lost or self._backend.classify_error(error) not in safe:
                    raise
            await asyncio.sleep(self._retry.pause(count))
        return await attempt()

    def _check_usable(self, *, writing: bool = False) -> None:
        if self._unusable is not None:
            raise StoreError(self._unusable, hint="Use it between `open` and `close`.")
        if writing and asyncio.current_task() in self._in_transaction:
            message = "A change outside an open transaction of the same task would wait for itself."
            raise StoreError(message, hint="Inside `db.transaction()` use the stores it gives.")


class TransactionExecutor:
    """Runs statements on the connection of an open transaction, one at a time.

    After a failed statement the transaction can only be rolled back. PostgreSQL insists on that;
    here it holds on every engine, so that the same program does the same everywhere. A value that
    was refused never reached the engine and fails nothing.
    """

    def __init__(self, connection: AsyncConnection, backend: Backend, location: str) -> None:
        """Make an executor; see `EngineExecutor.transaction`."""
        self._connection = connection
        self._backend = backend
        self._location = location
        self._one_at_a_time = asyncio.Lock()
        self._unusable: str | None = None

    async def read(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> Sequence[Row]:
        """Run a SELECT."""
        async with self._statement():
            return (await self._connection.execute(statement, parameters)).all()

    async def write(self, statement: Executable, parameters: Parameters | None = None) -> Written:
        """Run a changing statement."""
        async with self._statement():
            return await _write(self._connection, statement, parameters)

    async def insert(self, statement: Executable, parameters: Parameters) -> int:
        """Run an INSERT."""
        async with self._statement():
            return await _insert(self._connection, statement, parameters)

    async def write_many(self, statement: Executable, parameters: Iterable[Parameters]) -> None:
        """Run a changing statement with each parameter set."""
        sets = list(parameters)
        if sets:
            async with self._statement():
                await self._connection.execute(statement, sets)

    async def load(self, table: Table, rows: Iterable[Sequence[object]]) -> int:
        """Load many rows into a table.

        Whatever fails, a refused value too, the transaction can only be rolled back: what came
        before is in it already.

        Args:
            table: The table.
            rows: Its rows, with a value for every column in the order of the table. They are taken
                as they are needed.

        Returns:
            How many rows there were.
        """
        async with self._statement(forgiven=()):
            return await self._backend.bulk_load(self._connection, table, rows)

    async def run(self, unit: Unit[T]) -> T:
        """Run a unit of work as part of this transaction."""
        return await unit(self)

    async def commit(self) -> None:
        """Commit, after the statement that is running.

        Raises:
            StoreError: A statement failed, so there is nothing that could be committed.
            StoreUnavailableError: The connection broke; `outcome_unknown` is set.
        """
        async with self._one_at_a_time:
            self._check_usable()
            self._unusable = _ENDED
            with translated(self._backend, self._location):
                try:
                    await self._connection.commit()
                except Exception as error:
                    if self._backend.classify_error(error) not in _UNDONE_BY_COMMIT:
                        raise outcome_unknown(self._location) from error
                    raise

    async def end(self) -> None:
        """Refuse every further statement, and wait for the one that another task is running."""
        self._unusable = _ENDED
        async with self._one_at_a_time:
            pass

    def _check_usable(self) -> None:
        if self._unusable is not None:
            raise StoreError(self._unusable, hint="Begin a new transaction.")

    @asynccontextmanager
    async def _statement(
        self, forgiven: tuple[type[Exception], ...] = (InvalidValueError,)
    ) -> AsyncIterator[None]:
        async with self._one_at_a_time:
            self._check_usable()
            try:
                with translated(self._backend, self._location):
                    yield
            except forgiven:
                raise
            except BaseException:
                self._unusable = "The transaction was rolled back because a statement of it failed."
                raise


async def _write(
    connection: AsyncConnection, statement: Executable, parameters: Parameters | None
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
