"""Emptying a target, a few rows at a time.

A table deleted at once would be one long statement, which engines limit, and one large transaction.
It need not be one: the target is marked as unfinished before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, inspect, not_, select

from teleclaude.store.transfer.reading import key_columns, later
from teleclaude.store.transfer.verification import TABLES

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from teleclaude.store.transfer.side import Side

_ROWS: Final = 10_000
"""Rows deleted at once."""


async def empty(target: Side) -> None:
    """Delete every row of the store.

    Args:
        target: The target, whose lock is held.
    """
    async with target.begin() as connection:
        there = await connection.run_sync(_table_names)
    for table in reversed(TABLES):
        while table.name in there and await _delete_some(target, table):
            pass


async def _delete_some(target: Side, table: Table) -> bool:
    """Delete the first rows, and say whether there may be more."""
    keys = key_columns(table)
    last = select(*keys).order_by(*keys).offset(_ROWS - 1).limit(1)
    async with target.begin() as connection:
        found = (await connection.execute(last)).first()
        statement = delete(table)
        if found is not None:
            statement = statement.where(not_(later(keys, tuple(found))))
        await connection.execute(statement)
    return found is not None


def _table_names(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())
