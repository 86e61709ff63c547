"""How long a change waits for another process that writes, how often it tries, and what it says.

All of it holds on the statement lane and through the engine.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from teleclaude.errors import StoreUnavailableError
from teleclaude.store import Db, RetryPolicy
from teleclaude.testing.outboxes import LEASE
from teleclaude.testing.polling import until
from teleclaude.testing.processes import store_process

from .conftest import configuration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from teleclaude.config import Config

    Change = Callable[[Db], Awaitable[object]]

QUICK = RetryPolicy(attempts=3, base=0.001)


async def set_value(db: Db) -> None:
    """Run a single statement."""
    await db.settings.set("key", "ours")


async def claim(db: Db) -> None:
    """Run a single statement that returns rows."""
    await db.hook_outbox.claim(1, LEASE)


async def save(db: Db) -> None:
    """Run a unit of work."""
    await db.memory.save("text")


async def transaction(db: Db) -> None:
    """Run a transaction."""
    async with db.transaction() as tx:
        await tx.settings.set("key", "ours")


@pytest.fixture(params=[True, False], ids=["lane", "engine"])
def uses_lane(request: pytest.FixtureRequest) -> bool:
    """Run everything both ways."""
    return bool(request.param)


CHANGES = pytest.mark.parametrize("change", [set_value, claim, save, transaction])


@asynccontextmanager
async def writing(config: Config) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """Let another process hold the write lock, and give what makes it let go."""
    async with store_process("hold_transaction", config.path, "held") as process:
        await process.said()
        yield process.finish


def record_attempts(db: Db) -> list[str]:
    """Begin to record what asks SQLite for the write lock."""
    sent: list[str] = []

    @event.listens_for(db._engine.sync_engine, "before_cursor_execute")
    def note(*arguments: object) -> None:
        sent.append(str(arguments[2]).split()[0])

    if db._lane is not None:
        db._lane.observers.append(lambda sql, _: sent.append(sql.split()[0]))
    return sent


@CHANGES
@pytest.mark.usefixtures("file_config")
async def test_a_lock_that_is_released_in_time_is_not_noticed(
    path: Path, change: Change, *, uses_lane: bool
) -> None:
    """Within the busy timeout SQLite itself waits: everything is sent once."""
    patient = configuration(path, busy_timeout=60)
    async with Db(patient, retry=QUICK, lane=uses_lane) as db:
        await change(db)
        usual = record_attempts(db)
        await change(db)
        expected = usual.copy()
        usual.clear()
        async with writing(patient) as let_go:
            waiting = asyncio.ensure_future(change(db))
            await until(lambda: bool(usual) or waiting.done())
            await let_go()
            await waiting
        assert usual == expected


@CHANGES
@pytest.mark.usefixtures("file_config")
async def test_a_lock_that_is_released_later_is_waited_for(
    path: Path, change: Change, *, uses_lane: bool
) -> None:
    """Beyond the busy timeout it is tried again, until the lock is free."""
    hasty = configuration(path, busy_timeout=0.02)
    many = RetryPolicy(attempts=1000, base=0.001, ceiling=0.001)
    async with Db(hasty, retry=many, lane=uses_lane) as db, writing(hasty) as let_go:
        attempts = record_attempts(db)
        waiting = asyncio.ensure_future(change(db))
        await until(lambda: len(attempts) > 3 or waiting.done())
        await let_go()
        await waiting
    assert len(set(attempts[:4])) == 1


@CHANGES
@pytest.mark.usefixtures("file_config")
async def test_a_lock_that_is_not_released_is_given_up(
    path: Path, change: Change, *, uses_lane: bool
) -> None:
    """It is tried as often as the policy says, then said clearly, and nothing has happened."""
    hasty = configuration(path, busy_timeout=0.02)
    async with Db(hasty, retry=QUICK, lane=uses_lane) as db, writing(hasty) as let_go:
        attempts = record_attempts(db)
        with pytest.raises(StoreUnavailableError, match="is locked by another") as failure:
            await change(db)
        assert len(attempts) == QUICK.attempts
        assert failure.value.transient
        assert not failure.value.outcome_unknown
        assert failure.value.hint
        assert await db.settings.all() == {}
        await let_go()
        await change(db)


@CHANGES
async def test_a_schema_that_another_process_changes(
    path: Path, file_config: Config, change: Change, *, uses_lane: bool
) -> None:
    """SQLite prepares its statements again by itself: none fails, and none is sent twice."""
    async with Db(file_config, retry=QUICK, lane=uses_lane) as db:
        await change(db)
        attempts = record_attempts(db)
        await change(db)
        usual = attempts.copy()
        attempts.clear()
        with closing(sqlite3.connect(path)) as other:
            for table in ("system_settings", "hook_outbox", "memory_observations"):
                other.execute(f"ALTER TABLE {table} ADD COLUMN extra TEXT")
        await change(db)
        assert attempts == usual
