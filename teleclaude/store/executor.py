"""How a statement runs: by itself, or inside a transaction; and when it is run again.

A store operation that is one statement runs in the driver's autocommit: one round trip, no BEGIN,
no COMMIT. Several statements that belong together are a *unit of work*: a function of an executor
that runs inside one transaction and, when the engine says that nothing of it happened, runs again
as a whole.

What stores see is `Executor`; they do not know which of the two they have. How a statement reaches
the database, through the engine or on the backend's statement lane, is the `Way`'s part.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import (
    TYPE_CHECKING,
    Final,
    Generic,
    NamedTuple,
    NoReturn,
    Protocol,
    TypeAlias,
    TypeVar,
    cast,
)

from teleclaude.backends import CommitError, ErrorKind
from teleclaude.backends.translation import translated
from teleclaude.errors import (
    InvalidValueError,
    StoreError,
    StoreUnavailableError,
    TeleclaudeError,
    outcome_unknown,
)
from teleclaude.store.ways import Written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Sequence

    from sqlalchemy import Executable, Table

    from teleclaude.backends import Backend, Batch
    from teleclaude.store.ways import (
        LoadingTransaction,
        Parameters,
        Row,
        Transaction,
        TransactionStatements,
        Way,
    )

__all__ = [
    "Executor",
    "LoadingExecutor",
    "RetryPolicy",
    "StoreExecutor",
    "TransactionExecutor",
    "Unit",
    "Written",
]

T = TypeVar("T")
OpenT = TypeVar("OpenT", bound="Transaction")
TransactionT = TypeVar("TransactionT", bound="TransactionExecutor")

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

_REPEATABLE: Final = SAFE | {ErrorKind.DISCONNECTED}
"""The same, for what changes nothing or is undone with its connection."""

_UNDONE_BY_COMMIT: Final = SAFE | {ErrorKind.INTEGRITY, ErrorKind.FULL, ErrorKind.READ_ONLY}
"""Failures of a COMMIT that are known to have rolled the transaction back."""

_NO_PARAMETERS: Final[Parameters] = {}

_ENDED: Final = "The transaction has ended."


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


class _Outcome(NamedTuple, Generic[T]):
    """What became of a unit of work: its result, or what it raised."""

    result: T | None = None
    failure: Exception | None = None


class StoreExecutor:
    """Runs each statement by itself, and each unit of work in a transaction of its own."""

    def __init__(
        self, way: Way, backend: Backend, location: str, *, retry: RetryPolicy | None = None
    ) -> None:
        """Make an executor.

        Args:
            way: The way to the database.
            backend: The backend.
            location: Where the database is, for errors.
            retry: How often and when to try again.
        """
        self._way = way
        self._backend = backend
        self._location = location
        self._retry = retry or RetryPolicy()
        self._translated = translated(backend, location, way.driver_errors)
        self._in_transaction: set[asyncio.Task[object] | None] = set()
        self._unusable: str | None = "The store is not open."

    def open(self) -> None:
        """Accept statements from now on."""
        self._unusable = None

    async def close(self) -> None:
        """Refuse statements from now on, and finish those that were accepted."""
        self._unusable = "The store is closed."
        await self._way.close()

    async def read(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> Sequence[Row]:
        """Run a SELECT; again if the connection breaks, because reading changes nothing."""
        self._check_usable()
        given = parameters or _NO_PARAMETERS
        try:
            return await self._way.read(statement, given)
        except Exception as error:  # noqa: BLE001 - raised there, explained
            attempt = partial(self._way.read, statement, given)
            return await self._repeat(attempt, _REPEATABLE, error)

    async def write(self, statement: Executable, parameters: Parameters | None = None) -> Written:
        """Run a changing statement in autocommit."""
        self._check_usable(writing=True)
        given = parameters or _NO_PARAMETERS
        try:
            return await self._way.write(statement, given)
        except Exception as error:  # noqa: BLE001 - raised there, explained
            attempt = partial(self._way.write, statement, given)
            return await self._change_again(attempt, error)

    async def insert(self, statement: Executable, parameters: Parameters) -> int:
        """Run an INSERT in autocommit."""
        self._check_usable(writing=True)
        try:
            return await self._way.insert(statement, parameters)
        except Exception as error:  # noqa: BLE001 - raised there, explained
            attempt = partial(self._way.insert, statement, parameters)
            return await self._change_again(attempt, error)

    async def _change_again(self, attempt: Callable[[], Awaitable[T]], failed: Exception) -> T:
        try:
            return await self._repeat(attempt, SAFE, failed)
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
        raised: Exception | None = None

        async def work(statements: TransactionStatements) -> T:
            nonlocal raised
            tx = TransactionExecutor(statements, self._backend, self._location, self._translated)
            try:
                result = await unit(tx)
                tx.check_usable()
            except Exception as error:
                raised = error
                raise
            finally:
                await tx.end()
            return result

        async def attempt() -> _Outcome[T]:
            self._check_usable(writing=True)
            try:
                with self._in_a_transaction():
                    return _Outcome(result=await self._way.run(work))
            except Exception as error:
                # What failed in the database has been explained by then. Anything else is the
                # unit's own, and says nothing about the database, whatever it is called.
                if error is raised and not isinstance(error, TeleclaudeError):
                    return _Outcome(failure=error)
                raise

        outcome = await self._repeat(attempt, _REPEATABLE)
        if outcome.failure is not None:
            raise outcome.failure
        return cast("T", outcome.result)

    def transaction(self) -> AbstractAsyncContextManager[TransactionExecutor]:
        """Open a transaction, commit it at the end of the block, roll it back on an exception.

        Opening it is tried again where that is safe. What happens inside never is: only the caller
        knows what the block does besides.

        Returns:
            A context manager that yields the executor of the transaction and raises
            `StoreUnavailableError` when it could not be opened or when the connection broke at the
            COMMIT (`outcome_unknown` is then set).
        """
        return self._transaction(self._way.begin, TransactionExecutor)

    def loading(self) -> AbstractAsyncContextManager[LoadingExecutor]:
        """Open a transaction that can also load many rows into a table; see `transaction`."""
        return self._transaction(self._way.begin_loading, LoadingExecutor)

    @asynccontextmanager
    async def _transaction(
        self,
        begin: Callable[[], Awaitable[OpenT]],
        make: Callable[[OpenT, Backend, str, translated], TransactionT],
    ) -> AsyncIterator[TransactionT]:
        self._check_usable(writing=True)
        with self._in_a_transaction():
            opened = await self._repeat(begin, _REPEATABLE)
            try:
                tx = make(opened, self._backend, self._location, self._translated)
                try:
                    yield tx
                    await tx.commit(opened)
                finally:
                    await tx.end()
            finally:
                await opened.end()

    @contextmanager
    def _in_a_transaction(self) -> Iterator[None]:
        task = asyncio.current_task()
        self._in_transaction.add(task)
        try:
            yield
        finally:
            self._in_transaction.discard(task)

    async def _repeat(
        self,
        attempt: Callable[[], Awaitable[T]],
        safe: frozenset[ErrorKind],
        failed: Exception | None = None,
    ) -> T:
        """Run something until it succeeds, or fails in a way that is not safe.

        Single statements run for the first time before they come here, because nearly all of them
        succeed, and then this is a good part of what they cost.

        Args:
            attempt: What to run.
            safe: After which failures it runs again.
            failed: How it failed the first time, where it did already.
        """
        count = 0
        while True:
            try:
                with self._translated:
                    try:
                        if failed is not None:
                            raise failed
                        return await attempt()
                    except CommitError as error:
                        _raise_explained(error, self._backend, self._location)
                    finally:
                        failed = None
            except TeleclaudeError as error:
                if not self._may_repeat(error, safe, count):
                    raise
            await asyncio.sleep(self._retry.pause(count))
            self._check_usable()
            count += 1

    def _may_repeat(self, error: TeleclaudeError, safe: frozenset[ErrorKind], count: int) -> bool:
        if count + 1 >= self._retry.attempts:
            return False
        lost = isinstance(error, StoreUnavailableError) and error.outcome_unknown
        return not lost and self._backend.classify_error(error) in safe

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

    def __init__(
        self,
        statements: TransactionStatements,
        backend: Backend,
        location: str,
        translated: translated,
    ) -> None:
        """Make an executor; see `StoreExecutor.transaction`."""
        self._statements = statements
        self._backend = backend
        self._location = location
        self._translated = translated
        self._one_at_a_time = asyncio.Lock()
        self._unusable: str | None = None

    async def read(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> Sequence[Row]:
        """Run a SELECT."""
        async with self._statement():
            return await self._statements.read(statement, parameters or _NO_PARAMETERS)

    async def write(self, statement: Executable, parameters: Parameters | None = None) -> Written:
        """Run a changing statement."""
        async with self._statement():
            return await self._statements.write(statement, parameters or _NO_PARAMETERS)

    async def insert(self, statement: Executable, parameters: Parameters) -> int:
        """Run an INSERT."""
        async with self._statement():
            return await self._statements.insert(statement, parameters)

    async def write_many(self, statement: Executable, parameters: Iterable[Parameters]) -> None:
        """Run a changing statement with each parameter set."""
        sets = list(parameters)
        if sets:
            async with self._statement():
                await self._statements.write_many(statement, sets)

    async def run(self, unit: Unit[T]) -> T:
        """Run a unit of work as part of this transaction."""
        return await unit(self)

    async def commit(self, transaction: Transaction) -> None:
        """Commit, after the statement that is running.

        Args:
            transaction: The transaction whose executor this is.

        Raises:
            StoreError: A statement failed, so there is nothing that could be committed.
            StoreUnavailableError: The connection broke; `outcome_unknown` is set.
        """
        async with self._one_at_a_time:
            self.check_usable()
            self._unusable = _ENDED
            with self._translated:
                try:
                    await transaction.commit()
                except CommitError as error:
                    _raise_explained(error, self._backend, self._location)

    async def end(self) -> None:
        """Refuse every further statement, and wait for the one that another task is running."""
        self._unusable = _ENDED
        async with self._one_at_a_time:
            pass

    def check_usable(self) -> None:
        """Refuse to go on where a statement has failed, or the transaction has ended.

        Raises:
            StoreError: It is so.
        """
        if self._unusable is not None:
            raise StoreError(self._unusable, hint="Begin a new transaction.")

    @asynccontextmanager
    async def _statement(
        self, forgiven: tuple[type[Exception], ...] = (InvalidValueError,)
    ) -> AsyncIterator[None]:
        async with self._one_at_a_time:
            self.check_usable()
            try:
                with self._translated:
                    yield
            except forgiven:
                raise
            except BaseException:
                self._unusable = "The transaction was rolled back because a statement of it failed."
                raise


class LoadingExecutor(TransactionExecutor):
    """Runs statements on the connection of an open transaction, and loads many rows at once."""

    def __init__(
        self,
        transaction: LoadingTransaction,
        backend: Backend,
        location: str,
        translated: translated,
    ) -> None:
        """Make an executor; see `StoreExecutor.loading`."""
        super().__init__(transaction, backend, location, translated)
        self._loading = transaction

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
            return await self._loading.load(table, rows)

    async def load_bound(self, table: Table, rows: Batch) -> bool:
        """Load rows that are bound already; see `Backend.load_bound`."""
        async with self._statement(forgiven=()):
            return await self._loading.load_bound(table, rows)


def _raise_explained(error: CommitError, backend: Backend, location: str) -> NoReturn:
    """Say what is known after a COMMIT failed: that it was undone, or that nobody knows."""
    cause = error.__cause__
    if cause is None or backend.classify_error(cause) not in _UNDONE_BY_COMMIT:
        raise outcome_unknown(location) from cause
    raise cause
