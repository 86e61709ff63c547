"""The one thread that writes, with group commit.

Changes that wait are executed together in one transaction and answered after its one COMMIT, so
that many tasks share the cost of making things durable. Each is still all or nothing by itself:
SQLite undoes a failed statement alone, and what is several statements has a savepoint.

Order is first come, first served. A transaction whose statements come one by one has the writer to
itself until it ends.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from typing import TYPE_CHECKING, Final, TypeAlias

from teleclaude_sqlite.jobs import IDLE, Answer, Job, Transaction, commit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from teleclaude_sqlite.connections import Connection
    from teleclaude_sqlite.jobs import Desk

MOST_AT_ONCE: Final = 256
"""Jobs in one transaction: enough to share a COMMIT, few enough not to keep others waiting."""

_STOP: Final = None

Work: TypeAlias = Job | Transaction | None


class Writer:
    """Makes changes, in the order in which they come."""

    def __init__(self, connect: Callable[[], Connection], desk: Desk) -> None:
        """Make the writer; its thread starts with the first change.

        Args:
            connect: Opens the connection.
            desk: Where the answers go.
        """
        self._connect = connect
        self._desk = desk
        self._queue: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._connection: Connection | None = None
        self._under_way: list[Job | Transaction] = []
        self._held: Work = None
        self._stopping = False

    def submit(self, work: Job | Transaction) -> None:
        """Let something be done."""
        with self._lock:
            if self._thread is None:
                # A daemon, so that a program which does not close the store still ends.
                self._thread = threading.Thread(
                    target=self._run, name="teleclaude-writer", daemon=True
                )
                self._thread.start()
            self._queue.put(work)

    def stop(self) -> threading.Thread | None:
        """Let the thread end when it has done what was accepted; roll back an open transaction.

        Returns:
            The thread, if there is one.
        """
        with self._lock:
            thread = self._thread
            if thread is not None:
                self._stopping = True
                self._queue.put(_STOP)
                for work in self._under_way:
                    if isinstance(work, Transaction):
                        work.steps.put(_STOP)
        return thread

    # --- in the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        reason: BaseException = sqlite3.ProgrammingError("Cannot operate on a closed database.")
        try:
            self._work()
        except BaseException as error:
            # Not the error itself: some would end the event loop that they are raised in.
            reason = RuntimeError("The thread that writes has ended.")
            reason.__cause__ = error
            raise
        finally:
            self._end(reason)

    def _work(self) -> None:
        stops = False
        while not stops:
            work, self._held = self._held or self._queue.get(), None
            if work is _STOP:
                return
            with self._lock:
                self._under_way = [work]
            connection = self._connected(work)
            if connection is not None:
                if isinstance(work, Transaction):
                    self._serve(work, connection)
                else:
                    stops = self._batch(work, connection)
            self._under_way = []

    def _batch(self, first: Job, connection: Connection) -> bool:
        batch = [first]
        stops = self._gather(batch)
        self._under_way = [*batch]
        if len(batch) == 1 and not first.needs_transaction:
            answers = [self._alone(first, connection)]
        else:
            answers = self._together(batch, connection)
        self._under_way = []
        self._desk.answer(answers, finished=len(batch))
        return stops

    def _end(self, reason: BaseException) -> None:
        """Close the connection, and leave nobody waiting."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        with self._lock:
            left = [*self._under_way, *([] if self._held is None else [self._held])]
            self._held = None
            while not self._queue.empty():
                work = self._queue.get()
                if work is not None:
                    left.append(work)
            self._thread = None
            self._under_way = []
            self._stopping = False
        for work in left:
            self._fail([work], reason)

    def _connected(self, work: Job | Transaction) -> Connection | None:
        if self._connection is not None and self._connection.is_broken:
            self._connection.close()
            self._connection = None
        if self._connection is None:
            try:
                self._connection = self._connect()
            except Exception as error:  # noqa: BLE001 - it is the answer
                self._fail([work], error)
                self._under_way = []
        return self._connection

    def _gather(self, batch: list[Job]) -> bool:
        """Add to a batch what else is waiting; hold what cannot be in it; say whether to stop."""
        while len(batch) < MOST_AT_ONCE:
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                break
            if work is _STOP:
                return True
            if isinstance(work, Transaction):
                self._held = work
                break
            batch.append(work)
        return False

    def _alone(self, job: Job, connection: Connection) -> Answer:
        result: object = None
        try:
            if job.is_wanted:
                result = connection.when_free(
                    lambda: job.perform(connection), lambda: job.is_wanted
                )
        except Exception as error:  # noqa: BLE001 - it is the answer
            return Answer(job.future, error=error)
        return Answer(job.future, result)

    def _together(self, batch: Sequence[Job], connection: Connection) -> list[Answer]:
        try:
            connection.when_free(
                lambda: connection.send("BEGIN IMMEDIATE"),
                lambda: any(job.is_wanted for job in batch),
            )
            answers = [self._one_of(job, connection, len(batch)) for job in batch if job.is_wanted]
            if any(answer.error is None for answer in answers):
                commit(connection)
            else:
                connection.roll_back()
        except Exception as error:  # noqa: BLE001 - it is the answer, to all of them
            connection.roll_back()
            return [Answer(job.future, error=error) for job in batch]
        return answers or [Answer(batch[0].future)]

    def _one_of(self, job: Job, connection: Connection, count: int) -> Answer:
        nested = job.needs_transaction and count > 1
        if nested:
            connection.send("SAVEPOINT unit")
        try:
            result = job.perform(connection)
        except Exception as error:
            if not connection.driver.in_transaction:
                raise  # nothing is left of what the others did, either
            if nested:
                connection.send("ROLLBACK TO unit")
                connection.send("RELEASE unit")
            return Answer(job.future, error=error)
        if nested:
            connection.send("RELEASE unit")
        return Answer(job.future, result)

    def _serve(self, transaction: Transaction, connection: Connection) -> None:
        """Do the steps of a transaction as they come, until it ends."""
        try:
            if transaction.begins and transaction.is_wanted:
                connection.when_free(
                    lambda: connection.send("BEGIN IMMEDIATE"), lambda: transaction.is_wanted
                )
        except Exception as error:  # noqa: BLE001 - it is the answer
            self._under_way = []
            self._fail([transaction], error)
            return
        if not transaction.is_wanted and not connection.driver.in_transaction:
            self._under_way = []
            self._desk.answer([Answer(transaction.begun)], finished=1)
            return
        self._desk.answer([Answer(transaction.begun)], finished=0)
        last = self._steps(transaction, connection)
        self._under_way = []
        self._desk.answer(last, finished=1)

    def _steps(self, transaction: Transaction, connection: Connection) -> list[Answer]:
        while not self._stopping:
            try:
                # Who writes elsewhere meanwhile has a connection that ends by itself.
                step = transaction.steps.get(timeout=IDLE if transaction.begins else None)
            except queue.Empty:
                connection.roll_back()
                idle = f"nothing happened in the transaction for {IDLE:g} seconds"
                return [*transaction.end(TimeoutError(idle)), Answer(transaction.begun)]
            if step is _STOP:
                break
            answer = Answer(step.future)
            if step.is_last or not step.future.cancelled():
                try:
                    answer = Answer(step.future, step.perform(connection))
                except Exception as error:  # noqa: BLE001 - it is the answer
                    answer = Answer(step.future, error=error)
            if step.is_last:
                connection.roll_back()
                return [answer]
            self._desk.answer([answer], finished=0)
        connection.roll_back()
        reason = sqlite3.ProgrammingError("Cannot operate on a closed database.")
        return [*transaction.end(reason), Answer(transaction.begun)]

    def _fail(self, works: Sequence[Job | Transaction], error: BaseException) -> None:
        answers = []
        for work in works:
            if isinstance(work, Transaction):
                answers += [*work.end(error), Answer(work.begun, error=error)]
            else:
                answers.append(Answer(work.future, error=error))
        self._desk.answer(answers, finished=len(works))
