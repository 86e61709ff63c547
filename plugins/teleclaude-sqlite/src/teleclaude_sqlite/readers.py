"""Threads that read, each on a connection of its own, beside the writer and each other."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Final

from teleclaude_sqlite.jobs import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from teleclaude_sqlite.connections import Connection
    from teleclaude_sqlite.jobs import Desk, Job

MOST_READERS: Final = 4
"""Threads. More would only wait for each other: Python runs one at a time, SQLite's part aside."""


class Readers:
    """Some threads that take what is to be read from one queue."""

    def __init__(self, connect: Callable[[], Connection], desk: Desk) -> None:
        """Make the readers; threads start when there is something to read.

        Args:
            connect: Opens a connection.
            desk: Where the answers go.
        """
        self._connect = connect
        self._desk = desk
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, job: Job) -> None:
        """Let something be read."""
        if len(self._threads) < min(self._desk.outstanding, MOST_READERS):
            thread = threading.Thread(target=self._run, name="teleclaude-reader", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._queue.put(job)

    def stop(self) -> list[threading.Thread]:
        """Let the threads end when they have done what was accepted.

        Returns:
            The threads.
        """
        threads, self._threads = self._threads, []
        for _ in threads:
            self._queue.put(None)
        return threads

    def _run(self) -> None:
        connection: Connection | None = None
        try:
            while (job := self._queue.get()) is not None:
                answer = Answer(job.future)
                try:
                    if job.is_wanted:
                        connection = connection or self._connect()
                        answer = Answer(job.future, job.perform(connection))
                except BaseException as error:  # noqa: BLE001 - it is the answer
                    answer = Answer(job.future, error=error)
                self._desk.answer([answer], finished=1)
        finally:
            if connection is not None:
                connection.close()
