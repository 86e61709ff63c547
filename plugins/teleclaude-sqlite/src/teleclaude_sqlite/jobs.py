"""What the statement lane's threads are given to do, and how they answer.

Everything is asked on an event loop and answered there: the thread puts all it has to say to a loop
into one call.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from teleclaude.backends import CommitError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from teleclaude.backends import LaneConnection, LaneResult, LaneStatement
    from teleclaude_sqlite.connections import Connection

IDLE: Final = 300.0
"""Seconds after which a transaction in which nothing happens is rolled back."""


class Answer(NamedTuple):
    """What a thread has to say.

    Attributes:
        future: To whom.
        result: The result, if there is no error.
        error: The error.
    """

    future: asyncio.Future[Any]
    result: object = None
    error: BaseException | None = None


class Desk:
    """Where answers arrive; counts what was asked and not answered yet."""

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self.outstanding = 0
        self.answered = 0

    def ask(self) -> asyncio.Future[Any]:
        """Give the future for the answer to a new job."""
        self.outstanding += 1
        return asyncio.get_running_loop().create_future()

    def answer(self, answers: Sequence[Answer], *, finished: int) -> None:
        """Deliver answers, from any thread.

        Args:
            answers: The answers.
            finished: How many jobs are done with them.
        """
        if not answers:
            return
        loop = answers[0].future.get_loop()
        # Where the loop is closed there is nobody left who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._deliver, answers, finished)

    def _deliver(self, answers: Iterable[Answer], finished: int) -> None:
        self.outstanding -= finished
        self.answered += finished
        for future, result, error in answers:
            if future.done():  # cancelled
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


class Job(ABC):
    """Something that is done by itself: all of it or nothing.

    Attributes:
        future: Where the answer goes.
    """

    __slots__ = ("future",)

    needs_transaction = False
    """Whether it is several statements, so that a failure in its middle has to be undone."""

    def __init__(self, future: asyncio.Future[Any]) -> None:
        """Make the job."""
        self.future = future

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for it."""
        return not self.future.cancelled()

    @abstractmethod
    def perform(self, connection: Connection) -> object:
        """Do it, and give what the answer is."""


class Statement(Job):
    """One statement."""

    __slots__ = ("_statement", "_values")

    def __init__(
        self, future: asyncio.Future[Any], statement: LaneStatement, values: Sequence[object]
    ) -> None:
        """Make the job."""
        self.future = future
        self._statement = statement
        self._values = values

    def perform(self, connection: Connection) -> LaneResult:
        """Run the statement."""
        return connection.run(self._statement, self._values)


class Again(Statement):
    """One statement that was sent before, without a result; that it is sent again is not told."""

    __slots__ = ()

    def perform(self, connection: Connection) -> LaneResult:
        """Run the statement."""
        return connection.execute(self._statement, self._values)


class Unit(Job):
    """Several statements, with the code between them."""

    __slots__ = ("_context", "_work")

    needs_transaction = True

    def __init__(
        self,
        future: asyncio.Future[Any],
        work: Callable[[LaneConnection], Coroutine[Any, Any, object]],
    ) -> None:
        """Make the job."""
        super().__init__(future)
        self._work = work
        self._context = contextvars.copy_context()

    def perform(self, connection: Connection) -> object:
        """Run the work in this thread: it awaits nothing that is not done at once."""
        return self._context.run(self._drive, connection)

    def _drive(self, connection: Connection) -> object:
        coroutine = self._work(AtOnce(connection))
        try:
            coroutine.send(None)
        except StopIteration as done:
            return done.value
        coroutine.close()
        message = "A unit of work awaited something else than its statements."
        raise RuntimeError(message)


class AtOnce:
    """Runs statements in the thread that asks for them."""

    def __init__(self, connection: Connection) -> None:
        """Take the thread's connection."""
        self._connection = connection

    async def run(self, statement: LaneStatement, values: Sequence[object]) -> LaneResult:
        """Run a statement."""
        return self._connection.run(statement, values)

    async def run_many(
        self, statement: LaneStatement, value_sets: Iterable[Sequence[object]]
    ) -> None:
        """Run a statement with each set of values."""
        self._connection.run_many(statement, value_sets)


class Step(NamedTuple):
    """One step of a transaction.

    Attributes:
        future: Where the answer goes.
        perform: What is done.
        is_last: Whether the transaction ends with it.
    """

    future: asyncio.Future[Any]
    perform: Callable[[Connection], object]
    is_last: bool


class Transaction:
    """A transaction whose statements come one by one from the event loop.

    The writer does nothing else until it ends.

    Attributes:
        begun: Answered when it has begun.
        begins: Whether it is one. Otherwise it only keeps the writer from doing anything.
    """

    def __init__(self, begun: asyncio.Future[Any], *, begins: bool) -> None:
        """Make the transaction."""
        self.begun = begun
        self.begins = begins
        self.steps: queue.SimpleQueue[Step | None] = queue.SimpleQueue()
        self._over: BaseException | None = None
        self._lock = threading.Lock()

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for it to begin."""
        return not self.begun.cancelled()

    async def run(self, statement: LaneStatement, values: Sequence[object]) -> LaneResult:
        """Run a statement."""
        result: LaneResult = await self._send(lambda at: at.run(statement, values))
        return result

    async def run_many(
        self, statement: LaneStatement, value_sets: Iterable[Sequence[object]]
    ) -> None:
        """Run a statement with each set of values."""
        await self._send(lambda at: at.run_many(statement, value_sets))

    async def commit(self) -> None:
        """Commit.

        Raises:
            CommitError: It failed.
        """
        await self._send(commit, is_last=True)

    async def rollback(self) -> None:
        """Roll back."""
        try:
            await self._send(lambda at: at.roll_back(), is_last=True)
        except Exception:
            if self._over is None:
                raise

    def abandon(self) -> None:
        """Roll back, without waiting for it."""
        future = self.begun.get_loop().create_future()
        self.steps.put(Step(future, lambda at: at.roll_back(), is_last=True))

    def _send(
        self, perform: Callable[[Connection], object], *, is_last: bool = False
    ) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._over is None:
                self.steps.put(Step(future, perform, is_last))
            else:
                future.set_exception(self._over)
        return future

    def end(self, reason: BaseException) -> list[Answer]:
        """Refuse every further step, in the writer's thread.

        Args:
            reason: Why.

        Returns:
            The answers to those that were not done.
        """
        with self._lock:
            self._over = reason
        left = []
        while not self.steps.empty():
            step = self.steps.get()
            if step is not None:
                left.append(Answer(step.future, error=reason))
        return left


def commit(connection: Connection) -> None:
    """Commit.

    Args:
        connection: The connection.

    Raises:
        CommitError: It failed; nothing is left open.
    """
    try:
        connection.send("COMMIT")
    except Exception as error:
        connection.roll_back()
        raise CommitError from error
