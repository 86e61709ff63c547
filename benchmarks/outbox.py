"""Part `outbox`: claim and acknowledge in batches, and whether a row is ever lost or doubled."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, TypedDict

from benchmarks.cases import Case
from benchmarks.databases import open_store
from benchmarks.measuring import Summary, in_turns, ratio, summary
from benchmarks.operations import STORE, floor_round, recorded, store_round
from benchmarks.workbench import EVENT, HOOKS, LEASE, NEW, open_workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.databases import Databases
    from benchmarks.floors import Section
    from benchmarks.measuring import Effort, Operation
    from benchmarks.workbench import Workbench
    from teleclaude import Db

BATCH: Final = 50
PRODUCERS: Final = 64
STORES: Final = 2
CLAIMERS: Final = 4
"""In each store."""


class Result(TypedDict):
    """What came out on one engine.

    Attributes:
        measures: Batches per second and their times, of the store and of each floor.
        rows_per_second: Rows of the store.
        ratio: The store relative to the first floor.
        errors: Operations that failed.
        enqueued: Rows of the check.
        lost: Rows that were never handed out, or are not delivered.
        doubled: Rows that were handed out more than once.
    """

    measures: dict[str, Summary]
    rows_per_second: float
    ratio: float
    errors: int
    enqueued: int
    lost: int
    doubled: int


async def run(databases: Databases, effort: Effort, say: Callable[[str], None]) -> Result:
    """Measure and check on one engine.

    Args:
        databases: Makes a database.
        effort: How much is done.
        say: Told what is done next.
    """
    section = await databases.make()
    async with open_workbench(section) as bench:
        await bench.tidy()
        say(f"claim and acknowledge in batches of {BATCH}")
        result = await _batches(bench, effort)
        say("every row exactly once")
        await bench.clear_hooks()
        await _once_each(bench, section, effort.count(20_000), result)
    return result


def _settle_batch(bench: Workbench) -> Operation:
    outbox = bench.db.hook_outbox

    async def operation(_number: int) -> int:
        return len(await outbox.delivered_many(await outbox.claim(BATCH, LEASE)))

    return operation


async def _missing(_bench: Workbench, settled: Sequence[int]) -> int:
    return len(settled) * BATCH - sum(settled)


_CASE: Final = Case(
    "claim and acknowledge",
    200,
    _settle_batch,
    prepare=lambda bench, number: bench.fill_hooks(number * BATCH),
    lost=_missing,
)


async def _batches(bench: Workbench, effort: Effort) -> Result:
    count = effort.count(_CASE.count, least=4)
    lost: list[int] = []
    sent = await recorded(bench, _CASE, count)
    contestants = {STORE: store_round(bench, _CASE, count, 1, lost)}
    for floor in bench.floors:
        contestants[floor] = floor_round(bench, _CASE, bench.replay(floor, sent), count, 1)
    for warm_up in contestants.values():
        await warm_up()
    found = await in_turns(effort.rounds, contestants)
    measures = {name: summary(its) for name, its in found.items()}
    return {
        "measures": measures,
        "rows_per_second": measures[STORE]["per_second"] * BATCH,
        "ratio": ratio(found[STORE], found[next(iter(bench.floors))]),
        "errors": sum(one["errors"] for one in measures.values()),
        "enqueued": 0,
        "lost": sum(lost),
        "doubled": 0,
    }


async def _once_each(bench: Workbench, section: Section, rows: int, result: Result) -> None:
    """Enqueue and claim at the same time, through several stores, and count what was handed out."""
    handed_out: Counter[int] = Counter()
    numbers = iter(range(rows))
    done = asyncio.Event()

    async def produce(db: Db) -> None:
        for number in numbers:
            await db.hook_outbox.enqueue(f"{NEW} {number % 500}", NEW, EVENT)

    async def consume(db: Db) -> None:
        while True:
            was_done = done.is_set()  # before the claim: after it, more may have come
            claims = await db.hook_outbox.claim(BATCH, LEASE)
            handed_out.update(claim.id for claim in claims)
            await db.hook_outbox.delivered_many(claims)
            if was_done and not claims:
                return

    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(open_store(section)) for _ in range(STORES)]
        consumers = [asyncio.create_task(consume(db)) for db in stores for _ in range(CLAIMERS)]
        producers = (produce(stores[number % STORES]) for number in range(PRODUCERS))
        try:
            await asyncio.gather(*producers)
        finally:
            done.set()
        await asyncio.gather(*consumers)
    delivered = await bench.count(
        HOOKS, HOOKS.c.event_type == NEW, HOOKS.c.delivered_at.is_not(None)
    )
    result["enqueued"] = rows
    result["lost"] += max(0, rows - min(delivered, len(handed_out)))
    result["doubled"] += sum(handed_out.values()) - len(handed_out) + max(0, delivered - rows)
