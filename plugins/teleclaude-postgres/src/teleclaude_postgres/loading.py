"""Loading many rows with COPY, in the driver's binary form.

https://www.postgresql.org/docs/current/sql-copy.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from teleclaude_postgres.connecting import DriverConnection


async def copy_rows(
    connection: AsyncConnection, table: Table, rows: Sequence[Sequence[object]]
) -> None:
    """Copy rows into a table, as part of the connection's transaction.

    Documents arrive as JSON text, which is what SQLAlchemy's codec for `jsonb` takes.

    Args:
        connection: A connection in a transaction.
        table: The table.
        rows: Its rows, ready for the driver.

    Raises:
        DBAPIError: The server or the driver refused, as from any other statement.
    """
    driver = await _in_transaction(connection)
    try:
        await driver.copy_records_to_table(
            table.name,
            schema_name=table.schema,
            columns=[column.name for column in table.columns],
            records=rows,
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DBAPIError(None, None, error, hide_parameters=True) from error


async def _in_transaction(connection: AsyncConnection) -> DriverConnection:
    driver: DriverConnection | None = (await connection.get_raw_connection()).driver_connection
    if driver is None:  # pragma: no cover - only of a connection that was detached
        raise AssertionError(connection)
    if not driver.is_in_transaction():
        # SQLAlchemy sends BEGIN with its first statement; without it, COPY would commit by itself.
        await connection.exec_driver_sql("SELECT 1")
    return driver
