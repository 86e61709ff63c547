"""Whoever writes in this process takes turns: the lane's thread and what has an engine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert

from teleclaude.store import Db, RetryPolicy
from teleclaude.store.engine_way import EngineWay
from teleclaude.store.executor import StoreExecutor
from teleclaude.store.models import metadata
from teleclaude.testing.cancelling import Manner, cancel_everywhere
from teleclaude.testing.polling import until
from teleclaude.testing.rows import plain_rows
from teleclaude.testing.schemas import Revisions, schema_of
from teleclaude.testing.stores import all_returned, record_statements

from .conftest import configuration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from teleclaude.config import Config

    Write = Callable[[Db, int], Awaitable[object]]

SETTINGS = metadata.tables["system_settings"]
EVENTS = metadata.tables["hook_outbox"]


@pytest.fixture
async def db(path: Path, file_config: Config) -> AsyncIterator[Db]:
    """A store that neither waits for a lock nor tries again: whoever collides, fails."""
    assert file_config
    async with Db(configuration(path, busy_timeout=0), retry=RetryPolicy(attempts=1)) as db:
        yield db
        await all_returned(db)


async def set_value(db: Db, number: int) -> None:
    """Write by itself."""
    await db.settings.set(f"set {number}", "")


async def save(db: Db, number: int) -> None:
    """Write in a unit of work."""
    await db.memory.save("text", project=f"{number}")


async def transaction(db: Db, number: int) -> None:
    """Write in a transaction."""
    async with db.transaction() as tx:
        await tx.settings.set(f"transaction {number}", "")
        await asyncio.sleep(0)
        await tx.settings.set(f"transaction {number}", "")


async def load(db: Db, number: int) -> None:
    """Write in a transaction of the engine's."""
    async with db._executor.loading() as tx:
        await tx.load(SETTINGS, [(f"load {number}", "", db._clock())])
        await asyncio.sleep(0)
        await tx.write(SETTINGS.delete().where(SETTINGS.c.key == f"load {number}"))
        await tx.load(SETTINGS, [(f"load {number}", "", db._clock())])


async def through_the_engine(db: Db, number: int) -> None:
    """Write what the engine has to run."""
    row = {"key": f"engine {number}", "value": "", "updated_at": db._clock()}
    way: Any = db._executor._way
    await way._engine.write(insert(SETTINGS), row)


async def test_nobody_collides(db: Db) -> None:
    """However many write at once, and in whatever way, none finds the file locked."""
    kinds: list[Write] = [set_value, save, transaction, load, through_the_engine]
    await asyncio.gather(*(write(db, number) for number in range(40) for write in kinds))
    assert len(await db.settings.all()) == 4 * 40
    assert len(await db.memory.recent("0", 10)) == 1


async def test_first_come_first_served(db: Db) -> None:
    """Who writes through the engine waits behind those before, and no longer."""
    sent = record_statements(db)
    async with db.transaction():
        tasks = [asyncio.ensure_future(write(db, 1)) for write in (set_value, load, save)]
        await until(lambda: db._lane is not None and db._lane.in_use == 4)
        assert sent == ["BEGIN"]
    await asyncio.gather(*tasks)
    tables = [word for sql in sent for word in sql.split() if word in (SETTINGS.name, "COMMIT")]
    assert tables[:4] == ["COMMIT", SETTINGS.name, SETTINGS.name, SETTINGS.name]
    assert "memory_observations" in sent[-2]


@pytest.mark.parametrize("manner", Manner)
async def test_cancelled_anywhere_the_turn_is_given_back(db: Db, manner: Manner) -> None:
    """Wherever a load is cancelled, while it waits too, all others go on."""

    async def both() -> None:
        waiting = asyncio.ensure_future(set_value(db, 1))
        try:
            await load(db, 1)
            await db._executor.write(SETTINGS.delete())
        finally:
            await asyncio.wait([waiting])

    assert await cancel_everywhere(both, manner)
    await all_returned(db)
    for write in (set_value, load, transaction):
        await write(db, 2)


async def test_close_does_not_wait_for_the_engine(path: Path, file_config: Config) -> None:
    """A store can be closed while a transaction of the engine's is open."""
    db = Db(file_config)
    await db.open()
    async with db._executor.loading() as tx:
        waiting = asyncio.ensure_future(set_value(db, 1))
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await db._executor.close()
        await tx.load(SETTINGS, [("load", "", db._clock())])
    await asyncio.wait([waiting])
    await db.close()
    async with Db(configuration(path)) as db:
        assert "load" in await db.settings.all()


# --- another engine, as a copy, a restore or a migration has one --------------------------------


@pytest.fixture
async def busy_db(file_config: Config) -> AsyncIterator[Db]:
    """A store whose lane has always something to write."""
    is_over = False

    async def write(task: int) -> None:
        while not is_over:
            await db.settings.set(f"{task}", "")

    async with Db(configuration(file_config.database.path), retry=RetryPolicy(attempts=1)) as db:  # type: ignore[attr-defined]
        tasks = [asyncio.ensure_future(write(task)) for task in range(600)]
        yield db
        is_over = True
        await asyncio.gather(*tasks)


@pytest.mark.usefixtures("busy_db")
async def test_another_engine_gets_its_turn(path: Path) -> None:
    """A copy into a file whose lane is busy finds the lock free often enough, at the first try."""
    config = configuration(path)
    engine = config.backend.create_engine(config.database)
    way = EngineWay(engine, config.backend)
    executor = StoreExecutor(way, config.backend, "", retry=RetryPolicy(attempts=1))
    executor.open()
    rows = list(plain_rows(EVENTS, 1000))
    for start in range(0, 1000, 50):
        async with executor.loading() as tx:
            await tx.load(EVENTS, rows[start : start + 50])
    await executor.close()
    await engine.dispose()


async def test_a_migration_gets_its_turn(busy_db: Db, path: Path, tmp_path: Path) -> None:
    """A migration by another engine happens, and the lane goes on with the new schema."""
    revisions = Revisions(tmp_path / "revisions")
    revisions.add("op.add_column('system_settings', sa.Column('extra', types.LongText()))")
    schema = schema_of(configuration(path), revisions.directory)
    assert (await schema.migrator.upgrade()).changed
    await schema.engine.dispose()
    await busy_db.settings.set("key", "value")
    assert await busy_db.settings.get("key") == "value"
