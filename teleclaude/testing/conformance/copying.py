"""What the contract has for copies: one state to read, and ids that never come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, insert, select

from teleclaude.store.models import metadata
from teleclaude.testing.changed_backends import without
from teleclaude.testing.declared import needs
from teleclaude.testing.rows import plain_rows

if TYPE_CHECKING:
    from teleclaude.config import Config
    from teleclaude.store import Db

SETTINGS = metadata.tables["system_settings"]
EVENTS = metadata.tables["hook_outbox"]


@needs("snapshot")
async def test_a_snapshot_sees_one_state(db: Db) -> None:
    """What others write after its beginning is not there, not even in tables it never looked at."""
    await db.settings.set("key", "before")
    async with db._engine.connect() as connection:
        async with db._backend.snapshot(connection):
            await db.settings.set("key", "after")
            await db.sessions.create("mac", None, "api")
            assert (await connection.execute(select(SETTINGS.c.value))).scalars().all() == [
                "before"
            ]
            assert (await connection.execute(select(metadata.tables["sessions"]))).all() == []
        assert not connection.in_transaction()


async def test_after_a_snapshot_the_connection_is_as_before(db: Db) -> None:
    """A connection that read a snapshot is used for writing later."""
    async with db._engine.connect() as connection, db._backend.snapshot(connection):
        pass
    await db.settings.set("key", "value")
    async with db.transaction() as tx:
        await tx.settings.set("key", "another")
    assert await db.settings.get("key") == "another"


async def test_a_backend_without_a_counter(
    db: Db, migrated_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a backend is silent, the highest id counts."""
    backend = without(migrated_config.backend, "teleclaude_id_counter", "teleclaude_snapshot")
    monkeypatch.setattr(db, "_backend", backend)
    assert not backend.knows_id_counter
    assert await counter(db) == 0  # of a table without rows, whatever it has given before
    async with db._executor.loading() as tx:
        await tx.load(EVENTS, plain_rows(EVENTS, 10))
    assert await counter(db) == 10


async def test_a_backend_without_a_snapshot(db: Db, migrated_config: Config) -> None:
    """Where a backend is silent, reading happens in an ordinary transaction."""
    backend = without(migrated_config.backend, "teleclaude_snapshot")
    await db.settings.set("key", "value")
    async with db._engine.connect() as connection:
        async with backend.snapshot(connection):
            found = await connection.execute(select(SETTINGS.c.value))
            assert found.scalars().all() == ["value"]
        assert not connection.in_transaction()


async def counter(db: Db, at_least: int | None = None) -> int:
    """Look at the counter of the hook events, or move it."""
    async with db._engine.begin() as connection:
        return await db._backend.id_counter(connection, EVENTS, at_least)


@needs("id counter")
async def test_a_counter_knows_ids_whose_rows_are_gone(db: Db) -> None:
    """What was given once is used up, and so is what a row brought with it."""
    start = await counter(db)
    for number in (1, 2):
        assert await db.hook_outbox.enqueue("s", "e", {}) == start + number
    await db._executor.write(delete(EVENTS))
    assert await counter(db) == start + 2
    (row,) = plain_rows(EVENTS, 1)
    values = dict(zip(EVENTS.columns.keys(), row, strict=True))
    await db._executor.write(insert(EVENTS), values | {"id": start + 70})
    assert await counter(db) == start + 70


@needs("id counter")
@pytest.mark.parametrize("rows", [0, 3])
async def test_a_counter_is_moved_forward_only(db: Db, rows: int) -> None:
    """The next id comes after the number that is asked for, and after every row."""
    start = await counter(db)
    for _ in range(rows):
        await db.hook_outbox.enqueue("s", "e", {})
    assert await counter(db, 0) == start + rows
    assert await counter(db, start + 50) == start + 50
    assert await counter(db, start + 20) == start + 50
    assert await counter(db) == start + 50
    assert await db.hook_outbox.enqueue("s", "e", {}) == start + 51


@needs("id counter")
async def test_a_counter_follows_rows_that_were_loaded(db: Db) -> None:
    """After a load, however far the counter itself is, the next id is a new one."""
    start = await counter(db)
    async with db._executor.loading() as tx:
        rows = [(start + row[0], *row[1:]) for row in plain_rows(EVENTS, 10)]
        await tx.load(EVENTS, rows)
    assert await counter(db, start + 5) == start + 10
    assert await db.hook_outbox.enqueue("s", "e", {}) == start + 11
