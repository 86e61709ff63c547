"""The engine and its connections: autocommit, transactions, errors, and what is left open."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from teleclaude.backends import ErrorKind
from teleclaude.store.models import metadata
from teleclaude.testing.sockets import connected_sockets

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from teleclaude.config import Config
    from teleclaude.testing.clock import MutableClock
    from teleclaude.testing.fixtures import OpenDb

SETTINGS = metadata.tables["system_settings"]
KEYS = select(SETTINGS.c.key)


async def test_autocommit_is_visible_at_once(engine: AsyncEngine, clock: MutableClock) -> None:
    """A statement in autocommit is there for others as soon as it has run."""
    async with engine.connect() as one, engine.connect() as other:
        await one.execution_options(isolation_level="AUTOCOMMIT")
        await one.execute(insert(SETTINGS), {"key": "a", "value": "", "updated_at": clock.now})
        assert await other.scalar(KEYS) == "a"


async def test_a_transaction_is_seen_when_it_is_committed(
    engine: AsyncEngine, clock: MutableClock
) -> None:
    """What a transaction writes is nobody else's business until then."""
    row = {"key": "a", "value": "", "updated_at": clock.now}
    async with engine.connect() as one, engine.connect() as other:
        await other.execution_options(isolation_level="AUTOCOMMIT")
        async with one.begin():
            await one.execute(insert(SETTINGS), row)
            assert await other.scalar(KEYS) is None
        assert await other.scalar(KEYS) == "a"


async def test_a_connection_that_is_given_back_is_rolled_back(
    engine: AsyncEngine, clock: MutableClock
) -> None:
    """A transaction that nobody committed leaves nothing, and the connection can be used again."""
    row = {"key": "a", "value": "", "updated_at": clock.now}
    for _ in range(3):
        async with engine.connect() as connection:
            await connection.execute(insert(SETTINGS), row)
    async with engine.connect() as connection:
        assert await connection.scalar(KEYS) is None


async def test_many_connections_at_once(engine: AsyncEngine) -> None:
    """More tasks than there are connections all get one, some of them later."""

    async def read() -> object:
        async with engine.connect() as connection:
            return await connection.scalar(KEYS)

    assert set(await asyncio.gather(*(read() for _ in range(50)))) == {None}


async def test_an_error_shows_no_value(engine: AsyncEngine, clock: MutableClock) -> None:
    """The text of the exception does not quote what was to be stored."""
    row = {"key": "a-secret-key", "value": "a-secret-value", "updated_at": clock.now}
    async with engine.connect() as connection:
        await connection.execute(insert(SETTINGS), row)
        with pytest.raises(IntegrityError) as failure:
            await connection.execute(insert(SETTINGS), row)
    assert "a-secret-value" not in f"{failure.value} {failure.value!r}"


async def test_a_broken_constraint_is_recognised(
    engine: AsyncEngine, migrated_config: Config, clock: MutableClock
) -> None:
    """The store must know a conflict from other failures."""
    row = {"key": "a", "value": "", "updated_at": clock.now}
    async with engine.connect() as connection:
        await connection.execute(insert(SETTINGS), row)
        with pytest.raises(IntegrityError) as failure:
            await connection.execute(insert(SETTINGS), row)
    assert migrated_config.backend.classify_error(failure.value) is ErrorKind.INTEGRITY


async def test_no_failure_of_ours_is_taken_for_the_databases(migrated_config: Config) -> None:
    """An exception that did not come from the database is of no kind."""
    for error in (ValueError("x"), KeyError("database is locked"), RuntimeError()):
        assert migrated_config.backend.classify_error(error) is ErrorKind.OTHER


async def test_the_engine_runs_where_it_says(open_db: OpenDb, migrated_config: Config) -> None:
    """A backend that declares `in_process` opens no connection to anywhere; another one does."""
    before = connected_sockets()
    db = await open_db()
    await db.settings.all()
    opened = connected_sockets() - before
    assert bool(opened) is not migrated_config.backend.capabilities.in_process
    await db.close()
    assert not connected_sockets() - before
