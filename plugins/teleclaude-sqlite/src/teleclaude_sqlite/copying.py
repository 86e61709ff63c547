"""What a copy of a whole store needs to know of SQLite."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import column, func, insert, select, update
from sqlalchemy import table as any_table

from teleclaude_sqlite.engine import READ_ONLY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

_COUNTERS: Final = any_table("sqlite_sequence", column("name"), column("seq"))
"""Where SQLite keeps what AUTOINCREMENT counted. It may be written to, and counts on from there
(https://www.sqlite.org/autoinc.html)."""


@asynccontextmanager
async def snapshot(connection: AsyncConnection) -> AsyncIterator[None]:
    """Read one state of the database, as long as it takes, while others write.

    Args:
        connection: A connection without a transaction.
    """
    await connection.execution_options(**{READ_ONLY: True})
    async with connection.begin() as transaction:
        # BEGIN alone looks at nothing: the first statement that reads fixes the state.
        await connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
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
        The highest id that is used up.
    """
    (key,) = table.primary_key.columns
    highest = (await connection.execute(select(func.max(key)))).scalar() or 0
    of_table = _COUNTERS.c.name == table.name
    counted = (await connection.execute(select(_COUNTERS.c.seq).where(of_table))).scalar()
    used = max(0, highest, counted or 0)
    if at_least is None or at_least <= used:
        return int(used)
    if counted is None:
        await connection.execute(insert(_COUNTERS).values(name=table.name, seq=at_least))
    else:
        await connection.execute(update(_COUNTERS).where(of_table).values(seq=at_least))
    return at_least


async def load_rows(
    connection: AsyncConnection, table: Table, rows: Sequence[Sequence[object]]
) -> None:
    """Insert rows that are bound already, so that SQLAlchemy does not look at each value again.

    Args:
        connection: A connection in a transaction.
        table: The table.
        rows: Its rows, ready for the driver.
    """
    statement = insert(table).compile(dialect=connection.dialect)
    await connection.exec_driver_sql(str(statement), [tuple(row) for row in rows])
