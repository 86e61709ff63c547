"""The connections of the statement lane, handed out first come first served.

Unlike the driver's own pool it resets nothing between two users: no statement of the store leaves
anything behind in a session. Who gives a connection back hands it to whoever has waited longest, so
that nobody overtakes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from teleclaude.backends import ErrorKind
from teleclaude_postgres.errors import CannotConnectError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from teleclaude_postgres.connecting import DriverConnection

_PATIENCE: Final = 30.0
"""Seconds that a statement waits for a connection."""

_CLOSING: Final = 5.0
"""Seconds that a connection has to say goodbye."""


class Connections:
    """Up to so many connections, opened when they are needed."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[DriverConnection]],
        size: int,
        *,
        patience: float = _PATIENCE,
    ) -> None:
        """Make the pool; nothing is connected.

        Args:
            connect: Opens a connection.
            size: How many there are at most.
            patience: Seconds that somebody waits for one.
        """
        self._connect = connect
        self._size = size
        self._patience = patience
        self._count = 0
        self._idle: deque[DriverConnection] = deque()
        # Whoever waits gets a connection, or `None`: the right to open one.
        self._waiting: deque[asyncio.Future[DriverConnection | None]] = deque()
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def in_use(self) -> int:
        """How many connections are used, opened or closed, and how many tasks wait for one."""
        return self._count - len(self._idle) + len(self._waiting)

    async def acquire(self) -> DriverConnection:
        """Take a connection.

        Raises:
            CannotConnectError: None became free in time.
        """
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._count -= 1
        if self._count >= self._size:
            handed = await self._wait()
            if handed is not None:
                return handed
        else:
            self._count += 1
        try:
            return await self._connect()
        except BaseException:
            self._free()
            raise

    def release(self, connection: DriverConnection) -> None:
        """Give back a connection on which nothing is under way."""
        if connection.is_closed():
            self.lose()
        elif self._closed:
            self.retire(connection)
        elif not self._hand(connection):
            self._idle.append(connection)

    def lose(self) -> None:
        """Give back a connection that broke; the idle ones probably did, too."""
        idle, self._idle = self._idle, deque()
        for connection in idle:
            connection.terminate()
            self._free()
        self._free()

    def retire(self, connection: DriverConnection) -> None:
        """Give back a connection on which something was cancelled.

        The driver asks the server to cancel it, too. Whether that still hits the statement, or the
        next one, nobody knows; so the connection is closed, in the background.
        """
        task = asyncio.ensure_future(_say_goodbye(connection))
        self._closing.add(task)
        task.add_done_callback(partial(self._retired, connection))

    def _retired(self, connection: DriverConnection, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        connection.terminate()  # nothing is left to do, unless the goodbye failed or never began
        self._free()

    async def close(self) -> None:
        """Close the idle connections now, and those in use when they are given back."""
        self._closed = True
        while self._idle:
            self.retire(self._idle.popleft())
        while self._closing:
            await asyncio.wait(self._closing)

    async def _wait(self) -> DriverConnection | None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[DriverConnection | None] = loop.create_future()
        self._waiting.append(future)
        timer = loop.call_later(self._patience, self._give_up, future)
        try:
            return await future
        except BaseException:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._pass_on(future.result())
            elif future in self._waiting:
                self._waiting.remove(future)
            raise
        finally:
            timer.cancel()

    def _give_up(self, future: asyncio.Future[DriverConnection | None]) -> None:
        if not future.done():
            self._waiting.remove(future)
            message = f"all {self._size} connections were in use for {self._patience:g} seconds"
            future.set_exception(CannotConnectError(message, ErrorKind.UNREACHABLE))

    def _pass_on(self, handed: DriverConnection | None) -> None:
        if handed is None:
            self._free()
        else:
            self.release(handed)

    def _free(self) -> None:
        if not self._hand(None):
            self._count -= 1

    def _hand(self, connection: DriverConnection | None) -> bool:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(connection)
                return True
        return False


async def _say_goodbye(connection: DriverConnection) -> None:
    with suppress(Exception):  # it is gone, which is all that matters
        await connection.close(timeout=_CLOSING)
