"""Part `queues`: our outboxes, procrastinate and pgqueuer, on the same PostgreSQL server."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict

from benchmarks.contestants import CONTESTANTS, OURS
from benchmarks.floors import arguments
from benchmarks.measuring import measure

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from benchmarks.contestants import Contestant
    from benchmarks.databases import Databases
    from benchmarks.floors import Section
    from benchmarks.measuring import Effort

_JOBS: Final = 10_000
_PRODUCERS: Final = 64
_BATCH: Final = 1_000

ONE_BY_ONE: Final = "one by one"
BATCHES: Final = "in batches"


class Row(TypedDict):
    """What came out for one way of using a queue.

    Attributes:
        queue: Whose it is, with the version.
        enqueued: One by one by many tasks, or in batches.
        is_ours: Whether it is ours.
        enqueued_per_second: Jobs.
        processed_per_second: Jobs.
        through_per_second: Jobs that are enqueued and processed, one phase after the other.
        ratio: How many times as much went through ours, in the median round.
        errors: Jobs that could not be enqueued.
        lost: Jobs that were enqueued and not processed.
        doubled: Jobs that were processed more than once.
    """

    queue: str
    enqueued: str
    is_ours: bool
    enqueued_per_second: float
    processed_per_second: float
    through_per_second: float
    ratio: float
    errors: int
    lost: int
    doubled: int


class _Once(NamedTuple):
    enqueued: float
    processed: float
    errors: int
    difference: int

    @property
    def through(self) -> float:
        return 1 / (1 / self.enqueued + 1 / self.processed)


def run(databases: Databases, effort: Effort, say: Callable[[str], None]) -> list[Row]:
    """Compare on one server.

    Args:
        databases: Makes a database for each way.
        effort: How much is done.
        say: Told what is done next.
    """
    ways = [
        (contestant, how)
        for contestant in CONTESTANTS
        for how in ((ONE_BY_ONE, BATCHES) if contestant.has_batches else (ONE_BY_ONE,))
    ]
    sections = [asyncio.run(databases.make()) for _ in ways]
    found: list[list[_Once]] = [[] for _ in ways]
    for number in range(effort.rounds + 1):
        say(f"round {number}" if number else "warm-up")
        # The warm-up also creates the tables.
        part = effort.scale if number else min(effort.scale, 0.05)
        for (contestant, how), section, its in zip(ways, sections, found, strict=True):
            jobs = max(_PRODUCERS, int(_JOBS * contestant.share * part))
            once = _run_loop(contestant, _round(contestant, section, how, jobs))
            if number:
                its.append(once)
    ours = found[[contestant.name for contestant, _ in ways].index(OURS)]
    return [_row(*way, its, ours) for way, its in zip(ways, found, strict=True)]


def _run_loop(contestant: Contestant, work: Coroutine[Any, Any, _Once]) -> _Once:
    if not contestant.uses_uvloop:
        return asyncio.run(work)
    import uvloop  # noqa: PLC0415 - comes with whoever uses it

    return uvloop.run(work)


async def _round(contestant: Contestant, section: Section, how: str, jobs: int) -> _Once:
    async with contestant.open(section) as queue:
        await _vacuum(section)
        errors = 0
        start = perf_counter()
        if how == BATCHES:
            for first in range(0, jobs, _BATCH):
                await queue.enqueue_many(min(_BATCH, jobs - first))
        else:
            errors = (await measure(queue.enqueue, jobs, _PRODUCERS)).errors
        enqueued = perf_counter()
        processed = await queue.process()
        end = perf_counter()
    expected = jobs - errors
    rates = (expected / (enqueued - start), processed / (end - enqueued))
    return _Once(*rates, errors, processed - expected)


async def _vacuum(section: Section) -> None:
    """Remove what earlier rounds left, as the server would do by itself some time."""
    import asyncpg  # noqa: PLC0415 - not there where only SQLite is measured

    connection = await asyncpg.connect(**arguments(section))
    try:
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()


def _row(contestant: Contestant, how: str, its: list[_Once], ours: list[_Once]) -> Row:
    name = contestant.name
    return {
        "queue": name if contestant.is_ours else f"{name} {version(name)}",
        "enqueued": how,
        "is_ours": contestant.is_ours,
        "enqueued_per_second": median(one.enqueued for one in its),
        "processed_per_second": median(one.processed for one in its),
        "through_per_second": median(one.through for one in its),
        "ratio": median(our.through / one.through for our, one in zip(ours, its, strict=True)),
        "errors": sum(one.errors for one in its),
        "lost": sum(max(0, -one.difference) for one in its),
        "doubled": sum(max(0, one.difference) for one in its),
    }
