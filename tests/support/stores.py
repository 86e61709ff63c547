"""Whole stores: filling all tables, and reading them back for comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.store.transfer.verification import has_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Table

    from teleclaude.config import Config


async def fill(config: Config, rows: Mapping[Table, Iterable[tuple[Any, ...]]]) -> None:
    """Load rows into tables, and let ids go on after them.

    Args:
        config: Where the store is.
        rows: The rows of each table, those first to which others refer.
    """
    async with Db(config) as db:
        async with db._executor.loading() as tx:
            for table, its in rows.items():
                await tx.load(table, its)
        for table in filter(has_ids, rows):
            async with db._engine.begin() as connection:
                await config.backend.id_counter(connection, table, 0)


async def read_all(config: Config) -> dict[str, list[tuple[Any, ...]]]:
    """Give the rows of every table as the store reads them, by key, without what is derived."""
    found = {}
    async with Db(config) as db:
        for table in metadata.sorted_tables:
            columns = [column for column in table.columns if "computed" not in column.info]
            statement = select(*columns).order_by(*table.primary_key.columns)
            found[table.name] = [tuple(row) for row in await db._executor.read(statement)]
    return found
