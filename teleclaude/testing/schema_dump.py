"""Everything that is in a database, to be compared before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine


async def dump(engine: AsyncEngine, *, rows: bool = True) -> str:
    """Describe the tables of a database, and their rows, as text.

    Args:
        engine: An engine of the database.
        rows: Whether the rows are wanted.
    """
    async with engine.connect() as connection:
        return await connection.run_sync(_dump, rows)


def _dump(connection: Connection, rows: bool) -> str:  # noqa: FBT001 - run_sync passes positions
    inspector = inspect(connection)
    kinds: list[Mapping[Any, object]] = [
        inspector.get_multi_columns(),
        inspector.get_multi_pk_constraint(),
        inspector.get_multi_indexes(),
        inspector.get_multi_unique_constraints(),
        inspector.get_multi_check_constraints(),
        inspector.get_multi_foreign_keys(),
    ]
    lines: list[str] = []
    for name in sorted(inspector.get_table_names()):
        lines.append(f"TABLE {name}")
        for things in kinds:
            found = things[None, name]
            listed = found if isinstance(found, list) else [found]
            lines += sorted(f"  {thing}" for thing in listed)
        if rows:
            statement = text(f"SELECT * FROM {connection.dialect.identifier_preparer.quote(name)}")
            lines += sorted(f"  ROW {tuple(row)}" for row in connection.execute(statement))
    return "\n".join(lines)
