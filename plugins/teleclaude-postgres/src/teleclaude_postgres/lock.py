"""The instance lock: a session's advisory lock on a connection of its own, and a watch over it.

The server ends the lock together with the connection, so nothing is left behind by a crash; for the
same reason the connection is watched, because whoever lost it no longer has the lock.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from contextlib import asynccontextmanager, suppress
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Final

import asyncpg

from teleclaude.backends import LockHolder, locked
from teleclaude_postgres.advisory import advisory_key
from teleclaude_postgres.connecting import connect
from teleclaude_postgres.pooler import require_lock_address, require_own_session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from teleclaude_postgres.connecting import DriverConnection
    from teleclaude_postgres.settings import PostgresSettings

# Together under two seconds, the time within which a loss must be noticed.
_HEARTBEAT: Final = 0.5
_PATIENCE: Final = 1.0

_APPLICATION_NAME_BYTES: Final = 63
"""What a server keeps of an application name (NAMEDATALEN - 1)."""

_HOLDER_SQL: Final = """
    SELECT activity.application_name, activity.backend_start
    FROM pg_catalog.pg_locks AS locks
    LEFT JOIN pg_catalog.pg_stat_activity AS activity USING (pid)
    WHERE locks.locktype = 'advisory' AND locks.granted
      AND locks.database = (SELECT oid FROM pg_catalog.pg_database
                            WHERE datname = current_database())
      AND locks.classid = $1 AND locks.objid = $2 AND locks.objsubid = 2
"""


class AdvisoryLock:
    """A held instance lock, watched; what `instance_lock` yields."""

    def __init__(self, connection: DriverConnection, backend: int, holder: LockHolder) -> None:
        """Begin to watch.

        Args:
            connection: The connection that has the lock; used by nobody else from now on.
            backend: Process id of its server session.
            holder: This process, as the server describes it.
        """
        self._connection = connection
        self._backend = backend
        self._holder = holder
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        connection.add_termination_listener(self._on_termination)

    @property
    def holder(self) -> LockHolder:
        """Who has the lock: this process."""
        return self._holder

    async def wait_lost(self) -> str:
        """Wait until the lock is lost; see `teleclaude.backends.InstanceLock`."""
        return await asyncio.shield(self._lost)

    async def watch(self) -> None:
        """Ask the server again and again until it does not answer, or is not the same session.

        The termination listener alone would miss a network that drops packets without a word.
        """
        while not self._lost.done():
            await asyncio.sleep(_HEARTBEAT)
            try:
                backend = await self._connection.fetchval(
                    "SELECT pg_catalog.pg_backend_pid()", timeout=_PATIENCE
                )
            except TimeoutError:
                self._lose(f"the server did not answer for {_PATIENCE:g} s")
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                self._lose(f"its connection failed: {error}")
            except asyncpg.InternalClientError:
                # The server's farewell was read, the end of the connection not yet: the driver
                # takes itself for busy.
                self._lose("the server ended its connection")
            else:
                if backend != self._backend:
                    self._lose("a connection pooler moved it to another server session")

    async def release(self) -> None:
        """Give the lock back, or at least end the connection that has it."""
        self._connection.remove_termination_listener(self._on_termination)
        if self._lost.done():
            self._connection.terminate()
        else:
            await _unlock_and_close(self._connection)

    def _on_termination(self, _connection: object) -> None:
        self._lose("the server ended its connection")

    def _lose(self, reason: str) -> None:
        if not self._lost.done():
            self._lost.set_result(reason)


@asynccontextmanager
async def instance_lock(settings: PostgresSettings, name: str) -> AsyncIterator[AdvisoryLock]:
    """Take the lock of a name in the configured database, and keep it while the context lasts.

    Args:
        settings: How to connect; `lock_host` and `lock_port` count where they are given.
        name: What is locked.

    Yields:
        The lock.

    Raises:
        ConfigError: There is a pooler in between that would void the lock.
        InstanceLockedError: Somebody else has it.
    """
    require_lock_address(settings)
    connection = await _connect(settings, _application_name(name))
    try:
        lock = await _acquire(connection, settings, name)
    except BaseException:
        connection.terminate()
        raise
    watcher = asyncio.create_task(lock.watch(), name=f"teleclaude lock {name}")
    try:
        yield lock
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher
        await lock.release()


async def lock_holder(settings: PostgresSettings, name: str) -> LockHolder | None:
    """Say who has the lock of a name in the configured database, without taking it.

    Args:
        settings: How to connect. Reading works through every kind of pooler.
        name: What is locked.

    Returns:
        The holder, or `None`.
    """
    connection = await _connect(settings, "teleclaude status")
    try:
        return await _read_holder(connection, name)
    finally:
        connection.terminate()


async def _connect(settings: PostgresSettings, application_name: str) -> DriverConnection:
    # No prepared statements and no more settings than a pooler accepts, because what answers may be
    # one; that is found out afterwards.
    return await connect(
        settings,
        settings.lock_endpoints,
        server_settings={"application_name": application_name},
        statement_cache_size=0,
        command_timeout=settings.connect_timeout,
    )


async def _acquire(
    connection: DriverConnection, settings: PostgresSettings, name: str
) -> AdvisoryLock:
    another = partial(_connect, settings, "teleclaude pooler probe")
    backend = await require_own_session(connection, settings, another)
    taken = await connection.fetchval(
        "SELECT pg_catalog.pg_try_advisory_lock($1, $2)", *advisory_key(name)
    )
    # It may have been given back in between, or its session may be hidden from this role.
    holder = await _read_holder(connection, name) or LockHolder(None, None, None)
    if taken:
        return AdvisoryLock(connection, backend, holder)
    raise locked(name, settings.location, holder)


async def _unlock_and_close(connection: DriverConnection) -> None:
    # Closing is enough where the server itself answers. A session pooler keeps the server session,
    # and resets it later or never.
    failures = (
        OSError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,  # as in `watch`
    )
    try:
        with suppress(*failures):
            async with asyncio.timeout(_PATIENCE):
                await connection.execute("SELECT pg_catalog.pg_advisory_unlock_all()")
                await connection.close()
    finally:
        connection.terminate()  # nothing is left to do where it was closed


async def _read_holder(connection: DriverConnection, name: str) -> LockHolder | None:
    row = await connection.fetchrow(_HOLDER_SQL, *advisory_key(name))
    if row is None:
        return None
    start = row["backend_start"]
    since = start.astimezone(UTC) if start else None
    found = re.search(r"(\d+)@(\S+)", row["application_name"] or "")
    return LockHolder(int(found[1]), found[2], since) if found else LockHolder(None, None, since)


def _application_name(name: str) -> str:
    text = f"teleclaude {name} {os.getpid()}@{socket.gethostname()}"
    return text.encode("ascii", "replace")[:_APPLICATION_NAME_BYTES].decode()
