"""Store operations beside the raw driver, in one run on one machine.

    python benchmarks/operations.py --engine sqlite --engine postgresql --json results.json

Absolute numbers belong to the machine; the ratios are what counts. So each round measures the
driver and the store right after one another, and the median round is reported. The floor is what a
careful program without any library would do, with the same statements, values and durability:
aiosqlite on one connection, and a pool of asyncpg that does not reset its connections.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import yaml
from sqlalchemy import bindparam, insert, update

from teleclaude import Db, load_config
from teleclaude.store import outbox, sessions
from teleclaude.store.models import metadata
from teleclaude.store.prepared import Preparer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Executable

    Operation: TypeAlias = Callable[[int], Awaitable[object]]

SUPPORT: Final = Path(__file__).parents[1] / "tests" / "support"
SESSIONS: Final = 200
LEASE: Final = timedelta(hours=1)
EVENT: Final[dict[str, object]] = {
    "tool": "Bash",
    "input": {"command": "ls -l", "timeout": 5},
    "n": [1, 2, 3],
}
SETTINGS: Final = metadata.tables["system_settings"]
HOOKS: Final = metadata.tables["hook_outbox"]
SESSION: Final = metadata.tables["sessions"]


class Driver(Protocol):
    """A raw driver: runs a statement with values in their order."""

    async def fetch(self, sql: str, values: Sequence[object]) -> Sequence[Any]:
        """Run it and give its rows."""
        ...

    async def execute(self, sql: str, values: Sequence[object]) -> object:
        """Run it."""
        ...


class Aiosqlite:
    """One connection, as the store sets its own up."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - a driver's
        """Take an open connection."""
        self._connection = connection

    async def fetch(self, sql: str, values: Sequence[object]) -> Sequence[Any]:
        """Run a statement in one go: one hop to the driver's thread."""
        rows: Sequence[Any] = await self._connection.execute_fetchall(sql, values)
        return rows

    execute = fetch


class Asyncpg:
    """A pool of as many connections as the store has."""

    def __init__(self, pool: Any) -> None:  # noqa: ANN401 - a driver's
        """Take an open pool."""
        self._pool = pool

    async def fetch(self, sql: str, values: Sequence[object]) -> Sequence[Any]:
        """Run a statement on a connection of the pool."""
        rows: Sequence[Any] = await self._pool.fetch(sql, *values)
        return rows

    async def execute(self, sql: str, values: Sequence[object]) -> object:
        """Run a statement on a connection of the pool."""
        return await self._pool.execute(sql, *values)


@asynccontextmanager
async def aiosqlite_floor(section: Mapping[str, Any]) -> AsyncIterator[Aiosqlite]:
    """Connect with aiosqlite."""
    import aiosqlite  # noqa: PLC0415 - only where it is measured

    async with aiosqlite.connect(section["path"], isolation_level=None) as connection:
        for pragma in (
            "journal_mode = WAL",
            f"synchronous = {section.get('synchronous', 'normal')}",
            "foreign_keys = ON",
            "busy_timeout = 5000",
            "cache_size = -16384",
        ):
            await connection.execute_fetchall(f"PRAGMA {pragma}")
        yield Aiosqlite(connection)


@asynccontextmanager
async def asyncpg_floor(section: Mapping[str, Any]) -> AsyncIterator[Asyncpg]:
    """Connect with asyncpg."""
    import asyncpg  # noqa: PLC0415 - only where it is measured

    async def no_reset(_connection: object) -> None:
        pass

    names = {"host": "host", "port": "port", "user": "user", "password": "password"}
    arguments = {there: section[here] for here, there in names.items() if here in section}
    pool = await asyncpg.create_pool(
        database=section["dbname"], min_size=10, max_size=10, reset=no_reset, **arguments
    )
    async with pool:
        yield Asyncpg(pool)


@contextmanager
def database(engine: str, directory: Path) -> Iterator[dict[str, Any]]:
    """Give the `database:` section of an empty database, on a server that keeps what it commits."""
    if engine == "sqlite":
        yield {"engine": engine, "path": str(directory / "teleclaude.db")}
        return
    sys.path.insert(0, str(SUPPORT))
    from postgres_server import PostgresServer  # noqa: PLC0415 - as above

    durable = {"fsync": "on", "synchronous_commit": "on"}
    with PostgresServer(settings=durable) as server:
        yield {"engine": engine, "host": server.host, "dbname": "postgres", "user": "postgres"}


FLOORS: Final[Mapping[str, Callable[[Mapping[str, Any]], AbstractAsyncContextManager[Driver]]]] = {
    "sqlite": aiosqlite_floor,
    "postgresql": asyncpg_floor,
}


# --- the operations -----------------------------------------------------------------------------


class Bench:
    """The operations of a store and of the driver, on one database."""

    def __init__(self, db: Db, driver: Driver) -> None:
        """Take an open store and a connected driver."""
        self.db = db
        self.driver = driver
        self._preparer = Preparer(db._engine.dialect)  # noqa: SLF001 - the same statements
        self._claims: list[Any] = []
        self.now = datetime.now(UTC)

    def raw(
        self, statement: Executable, make: Callable[[int], Mapping[str, object]], *, rows: bool
    ) -> Operation:
        """Run a statement of the store on the driver.

        Only the values that change are bound anew: binding is part of the store's work.
        """
        prepared = self._preparer.prepare(statement, make(0))
        if prepared is None:
            raise AssertionError(statement)
        run = self.driver.fetch if rows else self.driver.execute
        sql, values = prepared.statement.sql, [prepared.bind(make(n)) for n in range(4000)]

        async def operation(number: int) -> object:
            return await run(sql, values[number % 4000])

        return operation

    async def clear(self, _count: int) -> None:
        """Empty the outbox."""
        await self.db._executor.write(HOOKS.delete())  # noqa: SLF001 - beside the stores

    async def fill(self, count: int) -> None:
        """Fill the outbox with so many times ten events, each of a session of its own."""
        await self.clear(count)
        row: dict[str, object] = {"event_type": "stop", "payload": EVENT}
        row |= {"created_at": self.now, "next_attempt_at": self.now}
        rows = [{"session_id": f"{number}", **row} for number in range(count * 10)]
        await self.db._executor.write_many(insert(HOOKS), rows)  # noqa: SLF001 - as above

    async def claim(self, count: int) -> None:
        """Fill the outbox with events that are claimed."""
        await self.fill(count // 10 + 1)
        self._claims = [*await self.db.hook_outbox.claim(count, LEASE)]

    async def delivered_raw(self, number: int) -> object:
        """Report with the driver that an event was delivered."""
        claim = self._claims[number]
        values = {"now_": self.now, "error_": None, "token_": claim.claim_token, "ids_": [claim.id]}
        statement = outbox._HOOKS.delivered.returning  # noqa: SLF001 - the same statement
        prepared = self._preparer.prepare(statement, values)
        if prepared is None:
            raise AssertionError
        return await self.driver.fetch(prepared.statement.sql, prepared.bind(values))


@dataclass(frozen=True)
class Case:
    """An operation, and what is compared with it."""

    name: str
    count: int
    store: Callable[[Bench], Operation]
    floor: Callable[[Bench], Operation]
    prepare: Callable[[Bench, int], Awaitable[None]] | None = None


def setting(number: int) -> dict[str, object]:
    """Give the row of a setting."""
    return {"key": f"key {number % 500}", "value": f"{number}", "updated_at": datetime.now(UTC)}


def event(number: int) -> dict[str, object]:
    """Give the row of an event."""
    now = datetime.now(UTC)
    return {
        "created_at": now,
        "next_attempt_at": now,
        "session_id": f"{number % 50}",
        "event_type": "stop",
        "payload": EVENT,
    }


def claims(number: int) -> dict[str, object]:
    """Give the parameters of a claim."""
    now = datetime.now(UTC)
    given = {"token_": f"{number}", "now_": now, "until_": now + LEASE, "limit_": 10}
    return {**given, "now_": now}


def by_id(number: int) -> dict[str, object]:
    """Give the parameters that find a session."""
    return {"id_": f"session {number % SESSIONS}"}


TITLE: Final = update(SESSION).where(sessions._BY_ID).values(title=bindparam("title"))  # noqa: SLF001
LIST: Final = sessions._list_statement((), False, False, False)  # noqa: SLF001, FBT003

CASES: Final = [
    Case(
        "enqueue",
        2000,
        lambda b: lambda n: b.db.hook_outbox.enqueue(f"{n % 50}", "stop", EVENT),
        lambda b: b.raw(insert(HOOKS).returning(HOOKS.c.id), event, rows=True),
        Bench.clear,
    ),
    Case(
        "claim 10",
        400,
        lambda b: lambda _: b.db.hook_outbox.claim(10, LEASE),
        lambda b: b.raw(outbox._HOOKS.claim, claims, rows=True),  # noqa: SLF001
        Bench.fill,
    ),
    Case(
        "delivered",
        2000,
        lambda b: lambda n: b.db.hook_outbox.delivered(b._claims[n]),  # noqa: SLF001
        lambda b: b.delivered_raw,
        Bench.claim,
    ),
    Case(
        "get",
        4000,
        lambda b: lambda n: b.db.sessions.get(f"session {n % SESSIONS}"),
        lambda b: b.raw(sessions._GET, by_id, rows=True),  # noqa: SLF001
    ),
    Case(
        "update",
        1500,
        lambda b: lambda n: b.db.sessions.update(f"session {n % SESSIONS}", title=f"{n} {b.now}"),
        lambda b: b.raw(TITLE, lambda n: {**by_id(n), "title": f"{n}"}, rows=False),
    ),
    Case(
        "settings.set",
        2000,
        lambda b: lambda n: b.db.settings.set(f"key {n % 500}", f"{n}"),
        lambda b: b.raw(
            b.db._backend.upsert(SETTINGS, ("key",), ("value", "updated_at")),  # noqa: SLF001
            setting,
            rows=False,
        ),
    ),
    Case(
        "list 200",
        150,
        lambda b: lambda _: b.db.sessions.list(),
        lambda b: b.raw(LIST, lambda _: {}, rows=True),
    ),
]


# --- measuring ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measure:
    """How fast something was."""

    per_second: float
    p50: float
    p99: float


async def measure(operation: Operation, count: int, tasks: int) -> Measure:
    """Run an operation so many times, spread over some tasks."""
    durations: list[float] = []
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            start = perf_counter()
            await operation(number)
            durations.append(perf_counter() - start)

    start = perf_counter()
    await asyncio.gather(*(work() for _ in range(tasks)))
    elapsed = perf_counter() - start
    durations.sort()
    return Measure(count / elapsed, durations[count // 2], durations[count * 99 // 100])


async def measure_once(bench: Bench, case: Case, which: str, count: int, tasks: int) -> Measure:
    """Measure floor or store once, on the data that the case needs."""
    operation = (case.floor if which == "floor" else case.store)(bench)
    if case.prepare is not None:
        await case.prepare(bench, count)
    return await measure(operation, count, tasks)


async def compare(
    bench: Bench, case: Case, tasks: int, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Measure floor and store in turns, after each has run for a moment."""
    count = max(tasks, int(case.count * arguments.scale))
    await measure_once(bench, case, "floor", tasks, tasks)
    await measure_once(bench, case, "store", tasks, tasks)
    found: dict[str, list[Measure]] = {"floor": [], "store": []}
    for number in range(arguments.rounds):
        order = ("floor", "store") if number % 2 == 0 else ("store", "floor")
        for which in order:
            found[which].append(await measure_once(bench, case, which, count, tasks))
    result: dict[str, Any] = {"operation": case.name, "tasks": tasks}
    for which, measures in found.items():
        result[which] = {
            name: median(getattr(one, name) for one in measures)
            for name in ("per_second", "p50", "p99")
        }
    pairs = list(zip(found["store"], found["floor"], strict=True))
    result["ratio"] = median(store.per_second / floor.per_second for store, floor in pairs)
    result["p99_ratio"] = median(store.p99 / floor.p99 for store, floor in pairs)
    return result


async def run(section: Mapping[str, Any], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure one engine."""
    with TemporaryDirectory() as directory:
        file = Path(directory) / "teleclaude.yml"
        file.write_text(yaml.safe_dump({"database": dict(section)}), encoding="utf-8")
        config = load_config(file, environ={})
        db = Db(config, lane=not arguments.no_lane)
        await db.migrator.upgrade()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(db)
            for number in range(SESSIONS):
                await db.sessions.create("mac", f"t{number}", "api", session_id=f"session {number}")
            floor = await stack.enter_async_context(FLOORS[str(section["engine"])](section))
            bench = Bench(db, floor)
            return [
                await compare(bench, case, tasks, arguments)
                for case in CASES
                if not arguments.only or case.name in arguments.only
                for tasks in arguments.tasks
            ]


HEAD: Final = (
    "| operation | tasks | floor/s | store/s | ratio | floor p50 / p99 ms | store p50 / p99 ms "
    "| p99 ratio |"
)


def table(title: str, results: Sequence[Mapping[str, Any]]) -> str:
    """Write results as a table in Markdown."""
    lines = [
        f"### {title}",
        "",
        HEAD,
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in results:
        times = [
            f"{one[which]['p50'] * 1000:.2f} / {one[which]['p99'] * 1000:.2f}"
            for which in ("floor", "store")
        ]
        lines.append(
            f"| {one['operation']} | {one['tasks']} | {one['floor']['per_second']:,.0f} "
            f"| {one['store']['per_second']:,.0f} | **{one['ratio']:.2f}** "
            f"| {times[0]} | {times[1]} | {one['p99_ratio']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", action="append", choices=sorted(FLOORS))
    parser.add_argument("--synchronous", choices=["normal", "full"], default="normal")
    parser.add_argument("--tasks", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of operations")
    parser.add_argument("--only", nargs="+", help="names of operations")
    parser.add_argument("--no-lane", action="store_true", help="measure the way through the engine")
    parser.add_argument("--json", type=Path, help="where to write everything")
    arguments = parser.parse_args()
    everything: dict[str, Any] = {"python": sys.version, "machine": platform.platform()}
    for engine in arguments.engine or sorted(FLOORS):
        with TemporaryDirectory() as directory, database(engine, Path(directory)) as section:
            if engine == "sqlite":
                section = {**section, "synchronous": arguments.synchronous}  # noqa: PLW2901
            everything[engine] = asyncio.run(run(section, arguments))
        sys.stdout.write(table(engine, everything[engine]) + "\n\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(everything, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
