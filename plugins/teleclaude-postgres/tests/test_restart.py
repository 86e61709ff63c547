"""A server that restarts, or dies, while many tasks write."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from teleclaude.errors import StoreUnavailableError
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.testing.polling import until
from teleclaude.testing.stores import IMPATIENT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from postgres_provisioning import PostgresProvisioner
    from postgres_server import PostgresServer
    from store_fixtures import Configure

TASKS = 20
ENOUGH = 4


class Writers:
    """Tasks that write without pause, and note what they know of it.

    Attributes:
        acknowledged: What was reported as written.
        unknown: What may have been written.
    """

    def __init__(self, db: Db) -> None:
        self._db = db
        self.acknowledged: list[str] = []
        self.unknown: list[str] = []
        self._successes = [0] * TASKS
        self._is_over = False

    async def run(self) -> None:
        """Write until `stop`."""
        kinds = (self._statement, self._unit, self._transaction)
        await asyncio.gather(*(self._write(task, kinds[task % 3]) for task in range(TASKS)))

    async def all_get_on(self) -> None:
        """Wait until each of them has written some more."""
        goals = [successes + ENOUGH for successes in self._successes]
        await until(lambda: all(map(int.__ge__, self._successes, goals)), seconds=60)

    def stop(self) -> None:
        """Let them come to an end."""
        self._is_over = True

    async def _write(self, task: int, write: Callable[[str], Awaitable[object]]) -> None:
        number = 0
        while not self._is_over:
            name = f"{task}-{number}"
            try:
                await write(name)
            except StoreUnavailableError as error:
                if not error.outcome_unknown:
                    await asyncio.sleep(0.01)
                    continue  # nothing of it happened: the same once more
                self.unknown.append(name)
            else:
                self.acknowledged.append(name)
                self._successes[task] += 1
            number += 1

    async def _statement(self, name: str) -> None:
        await self._db.hook_outbox.enqueue(name, "stop", {})

    async def _unit(self, name: str) -> None:
        await self._db.memory.save(name, project=name)

    async def _transaction(self, name: str) -> None:
        async with self._db.transaction() as tx:
            await tx.hook_outbox.enqueue(name, "stop", {})
            await tx.settings.set(name, "written")


async def written(db: Db) -> Counter[str]:
    """Count what is there of each name."""
    found: Counter[str] = Counter()
    for table, column in (("hook_outbox", "session_id"), ("memory_observations", "project")):
        statement = select(metadata.tables[table].c[column])
        found.update(name for (name,) in await db._executor.read(statement))
    return found


@pytest.fixture
def server(provisioner: PostgresProvisioner) -> Iterator[PostgresServer]:
    """A server of the test's own, which keeps what it has acknowledged even if it is killed."""
    with provisioner.start_server(settings={"synchronous_commit": "on"}) as server:
        yield server


def restart(server: PostgresServer) -> None:
    """Restart it as an administrator does."""
    server.stop()
    server.start()


def crash(server: PostgresServer) -> None:
    """Kill it, and start it again."""
    server.kill()
    server.start()


@pytest.fixture
async def db(server: PostgresServer, configure: Configure) -> AsyncIterator[Db]:
    """A store on that server."""
    where = {"host": server.host, "port": server.port, "user": "postgres", "dbname": "postgres"}
    db = Db(configure({"engine": "postgresql", **where}), retry=IMPATIENT)
    await db.migrator.upgrade()
    async with db:
        yield db


@pytest.mark.parametrize("interrupt", [restart, crash])
async def test_writers_survive_a_restart(
    server: PostgresServer, db: Db, interrupt: Callable[[PostgresServer], None]
) -> None:
    """All that was acknowledged is there, nothing is there twice, and everybody gets on."""
    writers = Writers(db)
    running = asyncio.create_task(writers.run())
    await writers.all_get_on()
    await asyncio.to_thread(interrupt, server)
    await writers.all_get_on()
    writers.stop()
    await running
    found = await written(db)
    assert max(found.values()) == 1
    assert set(writers.acknowledged) <= set(found) <= {*writers.acknowledged, *writers.unknown}
    transactions = {name for name in found if int(name.partition("-")[0]) % 3 == 2}
    assert transactions == set(await db.settings.all())


async def test_a_server_that_shuts_down_is_asked_a_few_times(
    server: PostgresServer, db: Db
) -> None:
    """A server that accepts nobody at the moment is tried again, because nothing was sent."""
    async with db.transaction() as tx:
        # With a client connected, the server waits for it and turns new ones away.
        os.kill(server.pid, signal.SIGTERM)
        await until(lambda: "received smart shutdown request" in server.log)
        with pytest.raises(StoreUnavailableError, match="does not accept connections yet"):
            await db.settings.all()
        await tx.settings.set("still", "here")
    assert server.log.count("the database system is shutting down") == IMPATIENT.attempts
