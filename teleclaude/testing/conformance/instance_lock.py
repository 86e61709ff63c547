"""The instance lock, with real second processes."""

from __future__ import annotations

import asyncio
import os
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from teleclaude.errors import InstanceLockedError
from teleclaude.testing.declared import needs
from teleclaude.testing.polling import until, until_unlocked
from teleclaude.testing.processes import store_process
from teleclaude.testing.schema_dump import dump

if TYPE_CHECKING:
    from teleclaude.config import Config
    from teleclaude.testing.fixtures import BreakConnections

DAEMON = "daemon"


async def acquire(config: Config, name: str = DAEMON) -> None:
    async with config.backend.instance_lock(config.database, name):
        pass


async def test_refused_while_another_process_has_it(migrated_config: Config) -> None:
    """Who comes second learns which process has the lock, on which host and since when."""
    before = datetime.now(UTC) - timedelta(seconds=2)
    async with store_process("hold_lock", migrated_config.path, DAEMON) as other:
        await other.said()
        with pytest.raises(InstanceLockedError) as refusal:
            await acquire(migrated_config)
    message = str(refusal.value)
    named = f"process {other.pid} on {socket.gethostname()} since "
    assert named in message
    since = datetime.fromisoformat(message.partition(named)[2][:19]).replace(tzinfo=UTC)
    assert before < since <= datetime.now(UTC)
    assert migrated_config.database.location in message
    assert refusal.value.hint


async def test_refused_within_one_process(migrated_config: Config) -> None:
    """The lock is refused to this process, too, while it has it, and comes back afterwards."""
    backend, settings = migrated_config.backend, migrated_config.database
    async with backend.instance_lock(settings, DAEMON) as lock:
        assert (lock.holder.pid, lock.holder.host) == (os.getpid(), socket.gethostname())
        with pytest.raises(InstanceLockedError, match=f"process {os.getpid()} on"):
            await acquire(migrated_config)
    await acquire(migrated_config)


@needs("lock holder")
async def test_the_holder_is_known_to_who_asks(migrated_config: Config) -> None:
    """Who asks is told the same as who was refused, without taking the lock."""
    backend, settings = migrated_config.backend, migrated_config.database
    assert await backend.lock_holder(settings, DAEMON) is None
    async with backend.instance_lock(settings, DAEMON) as lock:
        assert await backend.lock_holder(settings, DAEMON) == lock.holder
    assert await backend.lock_holder(settings, DAEMON) is None


async def test_somebody_has_it(migrated_config: Config) -> None:
    """Even a backend that cannot say who has the lock tells that somebody has."""
    backend, settings = migrated_config.backend, migrated_config.database
    assert await backend.lock_holder(settings, DAEMON) is None
    async with store_process("hold_lock", migrated_config.path, DAEMON) as other:
        await other.said()
        assert await backend.lock_holder(settings, DAEMON) is not None


async def test_names_are_independent(migrated_config: Config) -> None:
    """Locks of different names do not touch each other."""
    backend, settings = migrated_config.backend, migrated_config.database
    async with store_process("hold_lock", migrated_config.path, "other") as other:
        await other.said()
        await acquire(migrated_config)
        assert await backend.lock_holder(settings, DAEMON) is None
        with pytest.raises(InstanceLockedError, match=f"process {other.pid} "):
            await acquire(migrated_config, "other")


async def test_free_at_once_after_a_kill(migrated_config: Config) -> None:
    """After `kill -9` of its holder the lock is free, without anybody's help."""
    async with store_process("hold_lock", migrated_config.path, DAEMON) as other:
        await other.said()
        await other.kill()
        await until_unlocked(migrated_config, 2)
    assert await migrated_config.backend.lock_holder(migrated_config.database, DAEMON) is None


async def test_free_after_a_good_end(migrated_config: Config) -> None:
    """When its holder has ended in good order, the lock is free at the first attempt."""
    async with store_process("hold_lock", migrated_config.path, DAEMON) as other:
        await other.said()
        await other.finish()
    await acquire(migrated_config)


async def test_only_one_of_many_gets_it(migrated_config: Config) -> None:
    """Of those who try at the same moment, one gets the lock and the others are refused."""
    done = asyncio.Event()

    async def hold() -> None:
        async with migrated_config.backend.instance_lock(migrated_config.database, DAEMON):
            await done.wait()

    tasks = [asyncio.create_task(hold()) for _ in range(5)]
    await until(lambda: sum(task.done() for task in tasks) == 4)
    done.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == [
        "InstanceLockedError",
        "InstanceLockedError",
        "InstanceLockedError",
        "InstanceLockedError",
        "NoneType",
    ]
    await acquire(migrated_config)


async def test_released_when_the_block_fails_or_is_cancelled(migrated_config: Config) -> None:
    """However the block ends, the lock is free and the exception comes through."""
    backend, settings = migrated_config.backend, migrated_config.database
    with pytest.raises(ZeroDivisionError):
        async with backend.instance_lock(settings, DAEMON):
            raise ZeroDivisionError
    await acquire(migrated_config)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), backend.instance_lock(settings, DAEMON):
            await asyncio.Event().wait()
    await acquire(migrated_config)


@needs("lock holder")
async def test_asking_takes_nothing(migrated_config: Config) -> None:
    """Asking who has the lock keeps nobody from taking it."""
    backend, settings = migrated_config.backend, migrated_config.database
    for _ in range(5):
        answers = await asyncio.gather(
            *(backend.lock_holder(settings, DAEMON) for _ in range(5)), acquire(migrated_config)
        )
        assert answers[-1] is None
    assert await backend.lock_holder(settings, DAEMON) is None


async def test_asking_changes_nothing(migrated_config: Config) -> None:
    """The lock is no part of the database: taking it and asking leave the tables alone."""
    engine = migrated_config.backend.create_engine(migrated_config.database)
    before = await dump(engine)
    await migrated_config.backend.lock_holder(migrated_config.database, DAEMON)
    async with migrated_config.backend.instance_lock(migrated_config.database, DAEMON):
        assert await dump(engine) == before
    assert await dump(engine) == before
    await engine.dispose()


async def test_not_lost_while_all_is_well(migrated_config: Config) -> None:
    """A lock nobody took away is not reported as lost."""
    async with migrated_config.backend.instance_lock(migrated_config.database, DAEMON) as lock:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(lock.wait_lost(), 0.7)


@needs("connections")
async def test_lost_with_its_connection(
    migrated_config: Config, break_all: BreakConnections
) -> None:
    """When the connection it hangs on breaks, its holder learns that, and others can have it."""
    async with migrated_config.backend.instance_lock(migrated_config.database, DAEMON) as lock:
        break_all()
        async with asyncio.timeout(30):
            assert await lock.wait_lost()
            await until_unlocked(migrated_config)
