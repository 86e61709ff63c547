"""The targets, and what was measured of each: the worst of all it speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from benchmarks import processes, sizes
from benchmarks.contestants import OURS
from benchmarks.queues import BATCHES, ONE_BY_ONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Results: TypeAlias = "Mapping[str, Any]"
"""What the parts gave for one engine, by the name of the part."""

Found: TypeAlias = "Iterable[tuple[str, float]]"
"""What is held against the target: of what it is, and the value."""

ENGINES: Final = ("sqlite", "postgresql")


class Target(NamedTuple):
    """A target.

    Attributes:
        name: What is measured.
        bounds: What it must be, by engine.
        find: Gives what it was from the results of an engine.
        at_most: Whether the bound is the largest that is good.
        unit: What the value is in.
    """

    name: str
    bounds: Mapping[str, float]
    find: Callable[[Results], Found]
    at_most: bool = False
    unit: str = ""


class Verdict(NamedTuple):
    """A target of one engine, and what was measured.

    Attributes:
        target: The target.
        engine: The engine.
        bound: What the value must be.
        value: The worst that was found; `None` where nothing was measured.
        of: Of what that is.
        met: How many of the values meet the target.
        total: Of how many.
    """

    target: Target
    engine: str
    bound: float
    value: float | None
    of: str
    met: int
    total: int

    @property
    def is_met(self) -> bool:
        """Whether all values meet it."""
        return self.value is not None and self.met == self.total

    @property
    def missed_by(self) -> float:
        """By which part of the bound it is missed; 0 where there is nothing to miss by."""
        if self.value is None or not self.bound:
            return 0.0
        return abs(self.value - self.bound) / self.bound


def _operations(tasks: int, key: str = "ratio", **wanted: bool) -> Callable[[Results], Found]:
    """Find a number of all operations with so many tasks that are what is wanted."""

    def find(results: Results) -> Found:
        for row in results.get("operations", ()):
            if row["tasks"] == tasks and all(row[name] == it for name, it in wanted.items()):
                yield row["operation"], row[key]

    return find


def _operation(name: str) -> Callable[[Results], Found]:
    def find(results: Results) -> Found:
        return ((what, it) for what, it in _operations(1)(results) if what == name)

    return find


def _batches(results: Results) -> Found:
    if "outbox" in results:
        yield "claim and acknowledge", results["outbox"]["ratio"]


def _queues(how: str) -> Callable[[Results], Found]:
    def find(results: Results) -> Found:
        for row in results.get("queues", ()):
            if not row["is_ours"] and row["enqueued"] == how:
                yield f"than {row['queue']}", row["ratio"]

    return find


def _large_claim(results: Results) -> Found:
    for row in results.get("sizes", ()):
        if row["operation"] == sizes.CLAIM and str(sizes.SIZES[-1]) in row["ratios"]:
            yield row["operation"], row["ratios"][str(sizes.SIZES[-1])]


def _process(name: str, key: str) -> Callable[[Results], Found]:
    def find(results: Results) -> Found:
        for row in results.get("processes", ()):
            if row["process"] == name:
                yield name, row[key]

    return find


def _faults(results: Results) -> Found:
    for row in results.get("operations", ()):
        errors = sum(one["errors"] for one in row["measures"].values())
        yield f"{row['operation']}, {row['tasks']} tasks", errors + row["lost"]
    for row in results.get("sizes", ()):
        errors = sum(one["errors"] for one in row["sizes"].values())
        yield f"{row['operation']} on large tables", errors + row["lost"]
    if "outbox" in results:
        row = results["outbox"]
        yield "enqueue and claim at once", row["errors"] + row["lost"] + row["doubled"]
    for row in results.get("queues", ()):
        if row["is_ours"]:
            yield row["queue"], row["errors"] + row["lost"] + row["doubled"]
    for row in results.get("processes", ()):
        yield row["process"], row["errors"] + row["lost"]


def _both(bound: float) -> dict[str, float]:
    return dict.fromkeys(ENGINES, bound)


def _each(sqlite: float, postgresql: float) -> dict[str, float]:
    return {"sqlite": sqlite, "postgresql": postgresql}


TARGETS: Final[Sequence[Target]] = (
    Target(
        "single-statement operation, 1 task, relative to the raw async driver",
        _both(0.6),
        _operations(1, single=True),
    ),
    Target(
        "writes with 64 tasks, relative to raw aiosqlite on one connection / a raw asyncpg pool",
        _each(2.0, 0.8),
        _operations(64, writes=True),
    ),
    Target(
        "p99 of writes with 64 tasks, relative to the same",
        _each(0.7, 1.0),
        _operations(64, "p99_ratio", writes=True),
        at_most=True,
    ),
    Target(
        "p99 of reads with 64 tasks, relative to the same",
        _each(0.7, 1.0),
        _operations(64, "p99_ratio", writes=False),
        at_most=True,
    ),
    Target(
        "`get` of one session by id, 1 task, relative to raw aiosqlite",
        {"sqlite": 2.0},
        _operation("sessions.get"),
    ),
    Target(
        "`list` of 200 sessions as records, relative to fetching the same rows as tuples",
        _both(0.6),
        _operation("sessions.list 200"),
    ),
    Target(
        "claim + acknowledge in batches of 50, rows/s, relative to the two raw statements",
        _both(0.6),
        _batches,
    ),
    Target(
        "outbox throughput (enqueue + claim + acknowledge) relative to the faster of"
        " procrastinate and pgqueuer, each job enqueued by itself",
        {"postgresql": 3.0},
        _queues(ONE_BY_ONE),
    ),
    Target(
        f"the same, theirs enqueued in batches, ours ({OURS.split(', ')[1]}) one by one",
        {"postgresql": 3.0},
        _queues(BATCHES),
    ),
    Target(
        "claim with 1,000,000 delivered rows in the table, relative to an empty table",
        _both(0.8),
        _large_claim,
    ),
    Target("errors, lost or doubled rows", _both(0), _faults, at_most=True),
    Target(
        "`teleclaude-hook`, a whole process, relative to a bare script with the driver",
        _both(1.5),
        _process(processes.HOOK, "ratio"),
        at_most=True,
    ),
    Target(
        '`teleclaude --help`, a whole process, relative to `python -c "import typer, rich"`',
        _both(2.0),
        _process(processes.HELP, "ratio"),
        at_most=True,
    ),
    Target(
        "`teleclaude run` until it is ready, on a database at head",
        _both(1.0),
        _process(processes.START, "seconds"),
        at_most=True,
        unit=" s",
    ),
)


def verdict(target: Target, engine: str, results: Results) -> Verdict:
    """Hold what was measured against a target.

    Args:
        target: The target, which has a bound for the engine.
        engine: The engine.
        results: What its parts gave.
    """
    bound = target.bounds[engine]
    found = [*target.find(results)]
    met = sum((value <= bound) if target.at_most else (value >= bound) for _, value in found)
    worst = max if target.at_most else min
    of, value = worst(found, key=lambda one: one[1]) if found else ("", None)
    return Verdict(target, engine, bound, value, of, met, len(found))


def verdicts(everything: Mapping[str, Results]) -> list[Verdict]:
    """Hold everything that was measured against all targets.

    Args:
        everything: The results by engine.
    """
    return [
        verdict(target, engine, everything.get(engine, {}))
        for target in TARGETS
        for engine in target.bounds
    ]
