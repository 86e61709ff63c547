"""Part `operations`: every operation of the daemon's loop beside the drivers, 1 and 64 tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypedDict

from benchmarks.cases import CASES
from benchmarks.measuring import Measure, Summary, in_turns, measure, ratio, summary
from benchmarks.workbench import open_workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.cases import Case
    from benchmarks.databases import Databases
    from benchmarks.floors import Sent
    from benchmarks.measuring import Effort, Operation, Round
    from benchmarks.workbench import Workbench

TASKS: Final = (1, 64)
STORE: Final = "store"


class Row(TypedDict):
    """What came out for one operation and one number of tasks.

    Attributes:
        operation: Its name.
        tasks: How many tasks ran it at once.
        writes: Whether it changes something.
        single: Whether it is one statement.
        remark: What there is to know about it.
        measures: What was measured, of the store and of each floor.
        ratio: The store's operations per second relative to the first floor's.
        p99_ratio: The same of the 99th percentile of its times.
        lost: Rows that were missing or doubled.
    """

    operation: str
    tasks: int
    writes: bool
    single: bool
    remark: str
    measures: dict[str, Summary]
    ratio: float
    p99_ratio: float
    lost: int


async def run(databases: Databases, effort: Effort, say: Callable[[str], None]) -> list[Row]:
    """Measure all operations on one engine.

    Args:
        databases: Makes a database.
        effort: How much is done.
        say: Told what is measured next.
    """
    rows: list[Row] = []
    async with open_workbench(await databases.make()) as bench:
        await bench.tidy()
        for case in CASES:
            say(case.name)
            rows += await _compare(bench, case, effort)
    return rows


async def _compare(bench: Workbench, case: Case, effort: Effort) -> list[Row]:
    count = effort.count(case.count, least=max(TASKS))
    sent = await recorded(bench, case, count)
    rows = []
    for tasks in TASKS:
        lost: list[int] = []
        contestants = {STORE: store_round(bench, case, count, tasks, lost)}
        for floor in bench.floors:
            # What keeps the loop to itself is as fast with many tasks as with one.
            if tasks == 1 or floor != "sqlite3":
                operation = bench.replay(floor, sent)
                contestants[floor] = floor_round(bench, case, operation, count, tasks)
        for warm_up in contestants.values():
            await warm_up()
        rows.append(_row(case, tasks, sent, await in_turns(effort.rounds, contestants), sum(lost)))
    return rows


async def recorded(bench: Workbench, case: Case, count: int) -> Sequence[Sent]:
    """Run an operation so many times, and give what the store sends for each."""
    if case.prepare is not None:
        await case.prepare(bench, count)
    return await bench.record(case.make(bench), count)


def store_round(
    bench: Workbench, case: Case, count: int, tasks: int, lost: list[int] | None = None
) -> Round:
    """Make what measures the store once.

    Args:
        bench: The store.
        case: The operation.
        count: How often it is run.
        tasks: By how many tasks.
        lost: Gets how many rows were missing or doubled.
    """

    async def once() -> Measure:
        if case.prepare is not None:
            await case.prepare(bench, count)
        if case.lost is None or lost is None:
            return await measure(case.make(bench), count, tasks)
        results: list[Any] = []
        found = await measure(case.make(bench), count, tasks, results)
        lost.append(await case.lost(bench, results))
        return found

    return once


def floor_round(
    bench: Workbench, case: Case, operation: Operation, count: int, tasks: int
) -> Round:
    """Make what measures a driver once; see `store_round`."""

    async def once() -> Measure:
        if case.prepare is not None:
            await case.prepare(bench, count)
        return await measure(operation, count, tasks)

    return once


def _row(
    case: Case,
    tasks: int,
    sent: Sequence[Sent],
    found: dict[str, list[Measure]],
    lost: int,
) -> Row:
    floor = next(name for name in found if name != STORE)
    return {
        "operation": case.name,
        "tasks": tasks,
        "writes": case.writes,
        "single": all(len(one.statements) == 1 and not one.in_transaction for one in sent),
        "remark": case.remark,
        "measures": {name: summary(measures) for name, measures in found.items()},
        "ratio": ratio(found[STORE], found[floor]),
        "p99_ratio": ratio(found[STORE], found[floor], lambda one: one.p99),
        "lost": lost,
    }
