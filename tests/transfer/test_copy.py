"""Copying a store: everything arrives, whatever it is and wherever it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rows import hostile_rows
from stores import fill, read_all
from teleclaude.store.models import metadata
from teleclaude.store.transfer import Outcome

if TYPE_CHECKING:
    from conftest import Copy, Place

TABLES = metadata.sorted_tables
EVENTS = metadata.tables["hook_outbox"]


async def test_hostile_values_arrive(source: Place, target: Place, copy: Copy) -> None:
    """Every value of every column is read from the target as from the source."""
    await fill(source.config, {table: hostile_rows(table) for table in TABLES})
    report = await copy()
    assert await read_all(target.config) == await read_all(source.config)
    assert report.outcome is Outcome.COPIED
    assert report.copied == 24 * len(TABLES)
    assert all(table.agrees and table.source_rows == 24 for table in report.tables)
