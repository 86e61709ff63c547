"""What a copy of a whole store needs to know of PostgreSQL."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import cast, func, select
from sqlalchemy.dialects.postgresql import REGCLASS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

_SNAPSHOT: Final = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


@asynccontextmanager
async def snapshot(connection: AsyncConnection) -> AsyncIterator[None]:
    """Read one state of the database, as long as it takes, while others write.

    Args:
        connection: A connection without a transaction.
    """
    await connection.execution_options(**_SNAPSHOT)
    async with connection.begin() as transaction:
        # The transaction begins with the first statement, which fixes the state.
        await connection.exec_driver_sql("SELECT 1")
        try:
            yield
        finally:
            await transaction.rollback()


async def id_counter(connection: AsyncConnection, table: Table, at_least: int | None) -> int:
    """Give the highest id that is used up, and count on from a higher one if there is need.

    Args:
        connection: A connection in a transaction.
        table: The table.
        at_least: No id up to this one may be given any more; `None` to change nothing.

    Returns:
        The highest id that is used up. The sequence alone may know less, because it does not see
        ids that rows brought with them.
    """
    (key,) = table.primary_key.columns
    name = connection.dialect.identifier_preparer.format_table(table)
    sequence = cast(func.pg_get_serial_sequence(name, key.name), REGCLASS)
    highest = (await connection.execute(select(func.max(key)))).scalar() or 0
    counted = (
        await connection.execute(select(func.pg_sequence_last_value(sequence)))
    ).scalar() or 0
    used = max(0, highest, counted)
    wanted = used if at_least is None else max(used, at_least)
    if at_least is not None and wanted > counted:
        await connection.execute(select(func.setval(sequence, wanted)))
    return int(wanted)
