"""The engine: SQLAlchemy's pool over connections that are set up for TeleClaude.

The URL is empty and the driver's arguments are built for every connection, so that a password never
stands in a URL and a rotated one is picked up.
"""

from __future__ import annotations

from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only

from teleclaude_postgres.connecting import connect

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

    from teleclaude_postgres.connecting import DriverConnection
    from teleclaude_postgres.settings import PostgresSettings

_SESSION: Final = {"application_name": "teleclaude", "timezone": "UTC"}
"""Settings of every session. PgBouncer follows these two from client to client in every mode."""


def create_engine(settings: PostgresSettings) -> AsyncEngine:
    """Create the engine; nothing is connected yet.

    Behind a transaction pooler neither SQLAlchemy nor the driver keeps prepared statements: they
    would live in a session that the next statement does not run in.

    Args:
        settings: How to connect.

    Returns:
        The engine.
    """
    arguments: dict[str, object] = {"async_creator_fn": partial(open_connection, settings)}
    if settings.pooler == "transaction":
        arguments["prepared_statement_cache_size"] = 0
    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args=arguments,
        hide_parameters=True,
        pool_size=settings.pool_size,
        max_overflow=0,
    )
    event.listen(engine.sync_engine, "checkout", _replace_if_closed)
    event.listen(engine.sync_engine, "begin", _begin_at_once)
    return engine


async def open_connection(settings: PostgresSettings) -> DriverConnection:
    """Open one connection of the pool.

    The statement timeout is a start-up parameter where the server itself answers. Poolers refuse
    that: behind a session pooler it is set afterwards, and behind a transaction pooler, where a
    session cannot be relied upon, the driver watches the time and cancels.

    Args:
        settings: How to connect.

    Returns:
        The connection.
    """
    timeout = settings.statement_timeout or None
    milliseconds = str(ceil(timeout * 1000) if timeout else 0)
    if settings.pooler == "transaction":
        return await connect(
            settings,
            settings.endpoints,
            server_settings=_SESSION,
            statement_cache_size=0,
            command_timeout=timeout,
        )
    if settings.pooler == "none":
        session = _SESSION | {"statement_timeout": milliseconds}
        return await connect(settings, settings.endpoints, server_settings=session)
    connection = await connect(settings, settings.endpoints, server_settings=_SESSION)
    try:
        await connection.execute("SELECT set_config('statement_timeout', $1, false)", milliseconds)
    except BaseException:
        connection.terminate()
        raise
    return connection


def _begin_at_once(connection: Connection) -> None:
    # SQLAlchemy would send BEGIN with the first statement. Sent by itself, which costs as much, it
    # fails by itself where the connection has ended: before anything of the transaction was done.
    adapted: Any = connection.connection.dbapi_connection
    try:
        await_only(adapted._start_transaction())  # noqa: SLF001 - as SQLAlchemy's own cursor does
    except BaseException as error:
        # Cancelled, it may yet begin: nobody must find the connection in a transaction.
        connection.invalidate(error)
        raise


def _replace_if_closed(
    _dbapi_connection: DBAPIConnection,
    record: ConnectionPoolEntry,
    _proxy: PoolProxiedConnection,
) -> None:
    # The event loop has already seen the end of a connection that the server closed while it was
    # idle, so looking costs nothing, where a ping would cost a round trip for every statement.
    driver: DriverConnection | None = record.driver_connection
    if driver is not None and driver.is_closed():
        raise DisconnectionError
