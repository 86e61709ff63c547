"""Finding out whether a connection has a server session of its own.

Session state, such as an advisory lock, is void behind a pooler that gives a client another server
session for each transaction; nothing fails, two daemons simply both get the lock. So whoever relies
on a session looks first.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from teleclaude.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from teleclaude_postgres.connecting import DriverConnection
    from teleclaude_postgres.settings import PostgresSettings

_ROUNDS: Final = 3
_PATIENCE: Final = 1.0
"""Seconds an answer is waited for while probing."""

_HINT: Final = (
    "Set `pooler: transaction` and give the server's own address in `lock_host` and `lock_port`."
)


def require_lock_address(settings: PostgresSettings) -> None:
    """Refuse to lock where the settings alone say that it cannot work.

    Args:
        settings: The settings.

    Raises:
        ConfigError: The host is a transaction pooler and no address for the lock is given.
    """
    if settings.pooler == "transaction" and not settings.has_lock_address:
        message = "The instance lock cannot be held through a transaction pooler."
        hint = "Give the server's own address in `lock_host` and `lock_port`."
        raise ConfigError(message, key="database.lock_host", hint=hint)


async def require_own_session(
    connection: DriverConnection,
    settings: PostgresSettings,
    connect_another: Callable[[], Awaitable[DriverConnection]],
) -> int:
    """Refuse a connection whose server session is not its own.

    Args:
        connection: The connection, without session state worth keeping.
        settings: What the user says about a pooler.
        connect_another: Makes a second connection to the same address, for comparison.

    Returns:
        The process id of the connection's server session.

    Raises:
        ConfigError: There is a pooler that the settings do not know of, or one that does not pool
            by sessions.
    """
    backend = await backend_pid(connection)
    # A pooler makes up the id it tells when a client connects, for it has no server session yet.
    if backend == connection.get_server_pid():
        return backend
    if settings.pooler != "session" or settings.has_lock_address:
        key = "database.lock_host" if settings.has_lock_address else "database.pooler"
        message = "The address for the instance lock is a connection pooler, not the server itself."
        raise ConfigError(message, key=key, hint=_HINT)
    another = await connect_another()
    try:
        shared = await _is_shared(connection, another)
    finally:
        another.terminate()
    if shared:
        message = "The pooler does not keep a server session for each client, as sessions need it."
        raise ConfigError(message, key="database.pooler", hint=_HINT)
    return backend


async def backend_pid(connection: DriverConnection) -> int:
    """Give the process id of the server session that runs the next transaction."""
    async with asyncio.timeout(_PATIENCE), connection.transaction():
        pid: int = await connection.fetchval("SELECT pg_backend_pid()")
        return pid


async def _is_shared(connection: DriverConnection, another: DriverConnection) -> bool:
    # Poolers hand out the session used last, or the one unused longest. Beside a transaction of
    # another client, and in several turns, ours changes with either.
    seen = {await backend_pid(connection)}
    for _ in range(_ROUNDS):
        transaction = another.transaction()
        try:
            async with asyncio.timeout(_PATIENCE):
                await transaction.start()
                theirs = await another.fetchval("SELECT pg_backend_pid()")
        except TimeoutError:
            # A pool of sessions that is used up, by us among others, makes the other client wait.
            return False
        if theirs in seen:
            return True
        seen.add(await backend_pid(connection))
        await transaction.rollback()
    return len(seen) > 1
