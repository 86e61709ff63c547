"""The statement lane: how a backend may run the store's statements on its driver directly.

The store compiles each of its statements once. A backend with a lane gets the SQL, and the values
in the order of its parameters, and hands them to the driver; without a lane, the statements run
through the backend's engine. The two differ in speed and in nothing else.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager

    Values: TypeAlias = Sequence[object]

T = TypeVar("T")


class LaneStatement(NamedTuple):
    """A statement of the store, compiled for the backend's dialect.

    The same statement is the same object every time.

    Attributes:
        sql: Its text, with the placeholders of the engine's dialect, by position.
        returns_rows: Whether it is a query or has a RETURNING clause.
        changes: Whether it changes data.
        by_key: Whether it is a query that finds at most one row, by a unique key: what takes
            microseconds where the engine runs inside this process.
    """

    sql: str
    returns_rows: bool
    changes: bool
    by_key: bool


class LaneResult(NamedTuple):
    """What a statement gave.

    Attributes:
        rows: The rows, each a sequence of values as the driver gives them; none where the statement
            returns none.
        rowcount: How many rows a changing statement without RETURNING inserted, updated or deleted.
    """

    rows: Sequence[Any]
    rowcount: int


class CommitError(Exception):
    """A COMMIT failed; raised from the driver's exception.

    Any other exception of a lane means that the COMMIT was not sent.
    """


class LaneConnection(Protocol):
    """Runs statements inside a transaction, one at a time."""

    async def run(self, statement: LaneStatement, values: Values) -> LaneResult:
        """Run a statement."""
        ...

    async def run_many(self, statement: LaneStatement, value_sets: Iterable[Values]) -> None:
        """Run a changing statement with each set of values."""
        ...


class LaneTransaction(LaneConnection, Protocol):
    """An open transaction.

    Its connection is free for others after `commit` or `rollback`, however that ended. A caller
    that is cancelled while it waits for one of them does not keep it from happening.
    """

    async def commit(self) -> None:
        """Commit.

        Raises:
            CommitError: It failed.
        """
        ...

    async def rollback(self) -> None:
        """Roll back. Without a connection there is nothing left to undo, so that is no error."""
        ...


class StatementLane(ABC):
    """A backend's way of running statements without SQLAlchemy's execution.

    It connects when it is first used. Exceptions of the driver come out as they are: the core
    classifies and explains them.

    Attributes:
        driver_errors: The base classes of the driver's exceptions.
        observers: Called with SQL and values of everything that is sent, BEGIN, COMMIT and ROLLBACK
            included, just before it is sent, from whatever thread sends it; once, and without
            values, for many sets of them. Tests use that.
    """

    driver_errors: ClassVar[tuple[type[Exception], ...]]

    def __init__(self) -> None:
        """Make the lane; nothing is connected."""
        self.observers: list[Callable[[str, Values], object]] = []
        self._turn_of_the_engine = asyncio.Lock()

    def note(self, sql: str, values: Values = ()) -> None:
        """Tell the observers what is about to be sent."""
        for observer in self.observers:
            observer(sql, values)

    @property
    @abstractmethod
    def in_use(self) -> int:
        """How many statements and transactions are waiting, running or being cleaned up."""

    @abstractmethod
    async def run(self, statement: LaneStatement, values: Values) -> LaneResult:
        """Run a statement by itself; a change is durable when this returns.

        Args:
            statement: The statement.
            values: Its values, by position, as the driver takes them.
        """

    @abstractmethod
    async def begin(self) -> LaneTransaction:
        """Open a transaction that can write."""

    def turn(self) -> AbstractAsyncContextManager[object]:
        """Wait for the turn to write through the engine, and keep it until the end of the block.

        It is taken where the engine has a single writer. A lane whose own changes wait in a queue
        overrides this, so that whoever writes through the engine waits in the same one.
        """
        return self._turn_of_the_engine

    async def unit(self, work: Callable[[LaneConnection], Coroutine[Any, Any, T]]) -> T:
        """Run several statements as one transaction.

        A lane may override this to run the work elsewhere, such as in a thread of its own, or
        together with that of others, as long as a failure undoes the one that failed.

        Args:
            work: Awaits methods of the connection it is given, one after the other, and nothing
                else.

        Returns:
            What the work returned, after the COMMIT.
        """
        transaction = await self.begin()
        try:
            result = await work(transaction)
        except BaseException:
            await transaction.rollback()
            raise
        await transaction.commit()
        return result

    @abstractmethod
    async def close(self) -> None:
        """Finish what was accepted, then close all connections. The lane can be used again."""
