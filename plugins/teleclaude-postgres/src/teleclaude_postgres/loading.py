"""Loading many rows with COPY.

https://www.postgresql.org/docs/current/sql-copy.html
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from sqlalchemy.exc import DBAPIError

from teleclaude_postgres.text_form import text_form

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from teleclaude.backends import Batch
    from teleclaude_postgres.connecting import DriverConnection

_TURNS: Final = 3
"""Turns of the event loop in which the driver, if it can, says itself why a copy failed."""


async def copy_rows(connection: AsyncConnection, table: Table, batch: Batch) -> None:
    """Copy rows into a table, as part of the connection's transaction.

    Documents arrive as JSON text, instants perhaps as the text that the store writes.

    Args:
        connection: A connection in a transaction.
        table: The table.
        batch: Its rows, ready for the driver.

    Raises:
        DBAPIError: The server or the driver refused, as from any other statement.
    """
    driver = await _in_transaction(connection)
    copy = partial(
        driver.copy_to_table,
        table.name,
        schema_name=table.schema,
        columns=[column.name for column in table.columns],
        source=text_form(batch.columns),
        encoding="utf-8",
    )
    try:
        await _while_connected(driver, copy)
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DBAPIError(None, None, error, hide_parameters=True) from error


async def _while_connected(
    driver: DriverConnection, copy: Callable[[], Coroutine[Any, Any, object]]
) -> None:
    """Copy, and fail if the connection ends meanwhile.

    The driver by itself waits for ever where it waits for its turn to send and the connection ends.
    """
    ended = asyncio.Event()

    def end(_: object) -> None:
        ended.set()

    driver.add_termination_listener(end)
    ending = asyncio.ensure_future(ended.wait())
    copying = asyncio.ensure_future(copy())
    try:
        await asyncio.wait((copying, ending), return_when=asyncio.FIRST_COMPLETED)
        for _ in range(_TURNS):
            if not copying.done():
                await asyncio.sleep(0)
    finally:
        driver.remove_termination_listener(end)
        ending.cancel()
        was_waiting = copying.cancel()
        await asyncio.wait((copying, ending))
    if was_waiting and copying.cancelled():
        message = "connection was closed in the middle of operation"
        raise asyncpg.ConnectionDoesNotExistError(message)
    copying.result()


async def _in_transaction(connection: AsyncConnection) -> DriverConnection:
    driver: DriverConnection | None = (await connection.get_raw_connection()).driver_connection
    if driver is None:  # pragma: no cover - only of a connection that was detached
        raise AssertionError(connection)
    if not driver.is_in_transaction():
        # SQLAlchemy sends BEGIN with its first statement; without it, COPY would commit by itself.
        await connection.exec_driver_sql("SELECT 1")
    return driver
