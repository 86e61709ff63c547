"""Part `sizes`: the same operations on small and on large tables; what is there costs nothing."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Final, TypedDict

from benchmarks.bulk import fill
from benchmarks.cases import case
from benchmarks.measuring import Summary, in_turns, ratio, summary
from benchmarks.operations import store_round
from benchmarks.workbench import open_workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.databases import Databases
    from benchmarks.measuring import Effort
    from benchmarks.workbench import Workbench

SIZES: Final = (0, 1_000, 100_000, 1_000_000)
_QUICK_SIZES: Final = (0, 1_000)

CLAIM: Final = "hook_outbox.claim 10"
"""The operation that has a target of its own."""

_NAMES: Final = (
    "hook_outbox.enqueue",
    CLAIM,
    "hook_outbox.delivered",
    "hook_outbox.peek 10",
    "sessions.create",
    "sessions.get",
    "sessions.find_by_field",
    "sessions.update",
    "sessions.list 200",
    "settings.get",
    "settings.set",
    "listeners.register",
    "listeners.pop_for_target",
    "memory.save",
    "memory.search",
    "memory.recent 20",
)


class Row(TypedDict):
    """What came out for one operation.

    Attributes:
        operation: Its name.
        sizes: What was measured, by the number of rows as text.
        ratios: Operations per second relative to the empty tables', by the same.
        lost: Rows that were missing or doubled.
    """

    operation: str
    sizes: dict[str, Summary]
    ratios: dict[str, float]
    lost: int


async def run(databases: Databases, effort: Effort, say: Callable[[str], None]) -> list[Row]:
    """Measure on one engine, with one task; the sizes take turns.

    Args:
        databases: Makes a database for each size.
        effort: How much is done.
        say: Told what is done next.
    """
    benches: dict[int, Workbench] = {}
    async with AsyncExitStack() as stack:
        for size in _QUICK_SIZES if effort.is_quick else SIZES:
            say(f"filling tables with {size:,} rows")
            bench = await stack.enter_async_context(open_workbench(await databases.make()))
            await fill(bench.db, size, bench.now)
            await bench.tidy()
            benches[size] = bench
        rows = []
        for name in _NAMES:
            say(name)
            rows.append(await _compare(name, benches, effort))
        return rows


async def _compare(name: str, benches: Mapping[int, Workbench], effort: Effort) -> Row:
    one = case(name)
    count = effort.count(one.count, least=10)
    lost: list[int] = []
    rounds = {str(size): store_round(bench, one, count, 1, lost) for size, bench in benches.items()}
    for warm_up in rounds.values():
        await warm_up()
    found = await in_turns(effort.rounds, rounds)
    relative = partial(ratio, theirs=found["0"])
    return {
        "operation": name,
        "sizes": {size: summary(measures) for size, measures in found.items()},
        "ratios": {size: relative(measures) for size, measures in found.items()},
        "lost": sum(lost),
    }
