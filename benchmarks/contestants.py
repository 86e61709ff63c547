"""Who takes part in the comparison of queues, each used in the fastest way that it documents.

All have the same server, ten connections, the same payload, and handlers that do nothing. A job is
enqueued when that is durable, and processed when that is, too.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias

from benchmarks.databases import open_store
from benchmarks.floors import CONNECTIONS, arguments
from benchmarks.workbench import EVENT, LEASE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    import procrastinate
    from pgqueuer.queries import Queries

    from benchmarks.floors import Section

AT_ONCE: Final = 100
"""Rows or jobs fetched together, where that can be told; with more, pgqueuer gets slower."""

WORKERS: Final = 4
"""Tasks that claim and acknowledge, and workers of procrastinate, for which it doubles the rate."""


class Queue(Protocol):
    """A queue that is open."""

    async def enqueue(self, number: int) -> object:
        """Enqueue one job."""
        ...

    async def enqueue_many(self, count: int) -> object:
        """Enqueue jobs in one go, where that is possible."""
        ...

    async def process(self) -> int:
        """Process all there are, and give how many."""
        ...


class Contestant(NamedTuple):
    """A way to open a queue.

    Attributes:
        name: Its name.
        open: Opens it on a database of its own, which it prepares at the first time.
        share: What part of the usual number of jobs is enough: less for whoever is slow.
        has_batches: Whether many jobs can be enqueued in one go.
        uses_uvloop: Whether its own programs run on uvloop.
        is_ours: Whether it is what the others are compared with.
    """

    name: str
    open: Callable[[Section], AbstractAsyncContextManager[Queue]]
    share: float = 1.0
    has_batches: bool = True
    uses_uvloop: bool = False
    is_ours: bool = False


class Outbox:
    """One of our outboxes."""

    def __init__(self, outbox: Any, enqueue: Callable[[int], Awaitable[object]]) -> None:  # noqa: ANN401
        """Take an outbox of an open store, and what enqueues there."""
        self._outbox = outbox
        self._enqueue = enqueue

    async def enqueue(self, number: int) -> object:
        """Enqueue one event."""
        return await self._enqueue(number)

    async def enqueue_many(self, count: int) -> object:
        """Refuse: an event is enqueued when it happens."""
        raise NotImplementedError(count)

    async def process(self) -> int:
        """Claim and acknowledge until nothing is left."""
        return sum(await asyncio.gather(*(self._work() for _ in range(WORKERS))))

    async def _work(self) -> int:
        done = 0
        while claims := await self._outbox.claim(AT_ONCE, LEASE):
            done += len(await self._outbox.delivered_many(claims))
        return done


@asynccontextmanager
async def _webhooks(section: Section) -> AsyncIterator[Queue]:
    async with open_store(section) as db:
        outbox = db.webhook_outbox
        yield Outbox(outbox, lambda number: outbox.enqueue(f"{number}", EVENT, "https://a.example"))


@asynccontextmanager
async def _hooks(section: Section) -> AsyncIterator[Queue]:
    async with open_store(section) as db:
        outbox = db.hook_outbox
        yield Outbox(outbox, lambda number: outbox.enqueue(f"{number % 500}", "stop", EVENT))


class PgQueuer:
    """pgqueuer: dequeues in batches, and acknowledges in batches from a buffer."""

    _PAYLOAD: Final = json.dumps(EVENT).encode()  # bytes are what it takes

    def __init__(self, queries: Queries) -> None:
        """Take what runs its statements."""
        self._queries = queries

    async def enqueue(self, number: int) -> object:  # noqa: ARG002 - all are alike
        """Enqueue one job."""
        return await self._queries.enqueue("job", self._PAYLOAD)

    async def enqueue_many(self, count: int) -> object:
        """Enqueue jobs in one statement."""
        return await self._queries.enqueue(["job"] * count, [self._PAYLOAD] * count, [0] * count)

    async def process(self) -> int:
        """Run its manager until the queue is empty, without its statistics."""
        from pgqueuer import QueueManager  # noqa: PLC0415 - not there where no queue is measured
        from pgqueuer.types import QueueExecutionMode  # noqa: PLC0415 - as above

        done = 0
        manager = QueueManager(self._queries)

        @manager.entrypoint("job")
        async def job(_job: object) -> None:
            nonlocal done
            done += 1

        await manager.run(
            mode=QueueExecutionMode.drain,
            batch_size=AT_ONCE,
            dequeue_timeout=timedelta(seconds=0.1),
            log_aggregation_interval=timedelta(0),
        )
        return done


@asynccontextmanager
async def _pgqueuer(section: Section) -> AsyncIterator[Queue]:
    import asyncpg  # noqa: PLC0415 - as above
    from pgqueuer.db import AsyncpgPoolDriver  # noqa: PLC0415 - as above
    from pgqueuer.queries import Queries  # noqa: PLC0415 - as above

    async with asyncpg.create_pool(
        **arguments(section), min_size=CONNECTIONS, max_size=CONNECTIONS
    ) as pool:
        queries = Queries(AsyncpgPoolDriver(pool))
        if not await queries.has_table("pgqueuer"):
            await queries.install()
        yield PgQueuer(queries)


class Procrastinate:
    """procrastinate: fetches and finishes each job by itself, in several workers."""

    _PAYLOAD: Final[dict[str, Any]] = EVENT

    def __init__(self, app: procrastinate.App) -> None:
        """Take an open application."""
        self._app = app
        self._done = 0

        @app.task(name="job")
        async def job(**_payload: object) -> None:
            self._done += 1

        self._job = job

    async def enqueue(self, number: int) -> object:  # noqa: ARG002 - all are alike
        """Defer one job."""
        return await self._job.defer_async(**self._PAYLOAD)

    async def enqueue_many(self, count: int) -> object:
        """Defer jobs in one statement."""
        return await self._job.batch_defer_async(*[self._PAYLOAD] * count)

    async def process(self) -> int:
        """Run workers until nothing is left; what is done is deleted, which is fastest."""
        self._done = 0
        workers = (
            self._app.run_worker_async(
                wait=False,
                concurrency=20,
                listen_notify=False,
                delete_jobs="always",
                install_signal_handlers=False,
            )
            for _ in range(WORKERS)
        )
        await asyncio.gather(*workers)
        return self._done


@asynccontextmanager
async def _procrastinate(section: Section) -> AsyncIterator[Queue]:
    import procrastinate  # noqa: PLC0415 - as above

    logging.getLogger("procrastinate").setLevel(logging.ERROR)  # two lines for every job
    given = arguments(section)
    place = {**given, "dbname": given["database"]}
    del place["database"]
    connector = procrastinate.PsycopgConnector(
        kwargs=place, min_size=CONNECTIONS, max_size=CONNECTIONS
    )
    async with procrastinate.App(connector=connector).open_async() as app:
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        yield Procrastinate(app)


Contestants: TypeAlias = "Sequence[Contestant]"

OURS: Final = "teleclaude, webhook_outbox"
"""What the others are compared with: like theirs, its jobs have no order that must be kept."""

CONTESTANTS: Final[Contestants] = (
    Contestant(OURS, _webhooks, has_batches=False, is_ours=True),
    Contestant("teleclaude, hook_outbox", _hooks, share=0.3, has_batches=False, is_ours=True),
    Contestant("pgqueuer", _pgqueuer, uses_uvloop=True),
    Contestant("procrastinate", _procrastinate, share=0.1),
)
