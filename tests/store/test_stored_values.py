"""What drivers give for many rows is read as it is for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from teleclaude.store.models import metadata
from teleclaude.store.transfer.reading import stored_columns
from teleclaude.testing.rows import hostile_rows

if TYPE_CHECKING:
    from sqlalchemy import Table

    from teleclaude.store import Db


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=str)
async def test_columns_are_read_as_values_are(db: Db, table: Table) -> None:
    """By column or one by one, the same values come from every type of column, null included."""
    async with db._executor.loading() as tx:
        for one in metadata.sorted_tables:
            if one is table or one.name == "sessions":
                await tx.load(one, hostile_rows(one))
    dialect = db._engine.dialect
    keys = table.primary_key.columns
    values = await db._executor.read(select(table).order_by(*keys))
    parsed = db._backend.capabilities.parses_documents
    stored = await db._executor.read(select(*stored_columns(table, parsed=parsed)).order_by(*keys))
    kinds = [column.type.dialect_impl(dialect) for column in table.columns]
    columns = zip(kinds, zip(*stored, strict=True), strict=True)
    found = [kind.load_many(dialect, given) for kind, given in columns]  # type: ignore[attr-defined]
    assert list(map(repr, zip(*found, strict=True))) == [repr(tuple(row)) for row in values]
