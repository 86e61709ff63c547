"""INSERT ... ON CONFLICT in PostgreSQL's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.dialects.postgresql import insert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Executable, Table


def upsert(
    table: Table, index_elements: Sequence[str], update_columns: Sequence[str]
) -> Executable:
    """Build an INSERT that updates the existing row on a conflict.

    Executed with a list of parameter sets, it runs once per set and in their order (one pipelined
    round trip), so that the last of several sets with the same key wins.

    Args:
        table: The table to insert into.
        index_elements: Names of the columns whose unique index decides what a conflict is.
        update_columns: Names of the columns that take the new row's value; empty leaves the
            existing row as it is.

    Returns:
        The statement, with bind parameters named after the columns.
    """
    statement = insert(table)
    if not update_columns:
        return statement.on_conflict_do_nothing(index_elements=index_elements)
    return statement.on_conflict_do_update(
        index_elements=index_elements,
        set_={name: statement.excluded[name] for name in update_columns},
    )
