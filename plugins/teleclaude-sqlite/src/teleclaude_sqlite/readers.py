"""Threads that read, each on a connection of its own, beside the writer and each other."""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import TYPE_CHECKING, Final

from teleclaude_sqlite.jobs import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from teleclaude_sqlite.connections import Connection
    from teleclaude_sqlite.jobs import Desk, Job

MOST_READERS: Final = 4
"""Threads at most."""

_PATIENCE: Final = 0.01
"""Seconds without an answer after which another thread helps. Several take longer for many short
reads than one does, because Python runs one at a time; but nobody must wait for a long one."""


class Readers:
    """A thread that takes what is to be read from a queue, and more where it is held up."""

    def __init__(self, connect: Callable[[], Connection], desk: Desk) -> None:
        """Make the readers; the first thread starts when there is something to read.

        Args:
            connect: Opens a connection.
            desk: Where the answers go.
        """
        self._connect = connect
        self._desk = desk
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._watched = False

    def submit(self, job: Job) -> None:
        """Let something be read."""
        if not self._threads:
            self._start()
        self._queue.put(job)
        if self._desk.outstanding > len(self._threads) < MOST_READERS and not self._watched:
            self._watch()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="teleclaude-reader", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _watch(self) -> None:
        self._watched = True
        loop = asyncio.get_running_loop()
        loop.call_later(_PATIENCE, self._help, self._desk.answered)

    def _help(self, answered: int) -> None:
        self._watched = False
        if self._threads and self._desk.outstanding > len(self._threads) < MOST_READERS:
            if self._desk.answered == answered:
                self._start()
            self._watch()

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
