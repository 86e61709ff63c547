"""The statement lane: what is written together, and what happens when something goes wrong."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

import pytest
from sqlalchemy import TextClause, insert, text

from teleclaude.errors import ConflictError, NotFoundError, StoreUnavailableError
from teleclaude.store import Db, RetryPolicy
from teleclaude.store.models import metadata
from teleclaude.testing.polling import until
from teleclaude.testing.processes import store_process
from teleclaude.testing.stores import all_returned, record_statements
from teleclaude_sqlite import inline, writer
from teleclaude_sqlite.connections import Connection
from teleclaude_sqlite.lane import SqliteLane

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from teleclaude.backends import LaneStatement
    from teleclaude.config import Config
    from teleclaude.store.executor import Executor

SETTINGS = metadata.tables["system_settings"]
INSERT = insert(SETTINGS)
LENGTH = 300_000


def counting_to(number: int) -> TextClause:
    return text(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n"
        f" WHERE x < {number}) SELECT count(*) FROM n"
    )


LONG = counting_to(LENGTH)


@pytest.fixture
async def db(file_config: Config) -> AsyncIterator[Db]:
    async with Db(file_config, retry=RetryPolicy(attempts=1)) as db:
        yield db
        await all_returned(db)


@pytest.fixture
def sent(db: Db) -> list[str]:
    return record_statements(db)


def words(sent: list[str]) -> list[str]:
    return [sql.split()[0] for sql in sent]


def stored(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as other:
        return dict(other.execute("SELECT key, value FROM system_settings"))


async def insert_plainly(db: Db, key: str) -> None:
    await db._executor.write(INSERT, {"key": key, "value": "", "updated_at": db._clock()})


@pytest.fixture
async def holding(db: Db) -> Callable[[], asyncio.Task[None]]:
    """Give a function that keeps the writer busy until what waits behind it is gathered."""

    async def hold(release: asyncio.Event) -> None:
        async with db.transaction():
            begun.set()
            await release.wait()

    begun, release = asyncio.Event(), asyncio.Event()
    task = asyncio.ensure_future(hold(release))
    await begun.wait()

    def let_go() -> asyncio.Task[None]:
        release.set()
        return task

    return let_go


async def queued(db: Db, count: int) -> None:
    """Wait until so many changes are in the writer's queue, behind a transaction."""
    await until(lambda: db._lane is not None and db._lane.in_use == count + 1)


# --- together -----------------------------------------------------------------------------------


async def test_what_waits_is_written_in_one_transaction(
    db: Db, holding: Callable[[], asyncio.Task[None]], sent: list[str], path: Path
) -> None:
    """Changes that wait share one COMMIT, are all stored, and in the order in which they came."""
    tasks = [asyncio.ensure_future(db.settings.set("key", f"{n}")) for n in range(50)]
    await queued(db, 50)
    assert sent == []
    await holding()
    await asyncio.gather(*tasks)
    assert words(sent) == ["COMMIT", "BEGIN", *["INSERT"] * 50, "COMMIT"]
    assert stored(path) == {"key": "49"}


async def test_nothing_is_answered_before_it_is_committed(
    db: Db, holding: Callable[[], asyncio.Task[None]], monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """While the COMMIT of a group has not returned, none of its changes is said to be made."""
    reached, go_on = threading.Event(), threading.Event()
    commit = writer.commit

    def slow(connection: Connection) -> None:
        reached.set()
        go_on.wait(30)
        commit(connection)

    tasks = [asyncio.ensure_future(db.settings.set(f"{n}", "")) for n in range(3)]
    await queued(db, 3)
    monkeypatch.setattr(writer, "commit", slow)
    await holding()
    await asyncio.to_thread(reached.wait, 30)
    assert not any(task.done() for task in tasks)
    assert stored(path) == {}
    go_on.set()
    await asyncio.gather(*tasks)
    assert len(stored(path)) == 3


async def test_a_failed_change_is_undone_alone(
    db: Db, holding: Callable[[], asyncio.Task[None]], sent: list[str]
) -> None:
    """Of changes that are written together, one fails, and the others are stored."""
    keys = ["a", "b", "a", "c"]
    tasks = [asyncio.ensure_future(insert_plainly(db, key)) for key in keys]
    await queued(db, 4)
    await holding()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(None)] * 2 + [ConflictError, type(None)]
    assert sorted(await db.settings.all()) == ["a", "b", "c"]
    assert words(sent).count("BEGIN") == 1


async def test_a_failed_unit_is_undone_alone(
    db: Db, holding: Callable[[], asyncio.Task[None]], sent: list[str]
) -> None:
    """What a unit wrote before it failed is gone; what was written beside it is not."""

    async def unit(executor: Executor) -> None:
        row = {"key": "undone", "value": "", "updated_at": db._clock()}
        await executor.write(INSERT, row)
        raise NotFoundError

    tasks = [
        asyncio.ensure_future(work)
        for work in (
            db.settings.set("before", ""),
            db._executor.run(unit),
            db.listeners.register("a", "b", "c"),
            db.settings.set("after", ""),
        )
    ]
    await queued(db, 4)
    await holding()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(None), NotFoundError, bool, type(None)]
    assert sorted(await db.settings.all()) == ["after", "before"]
    assert await db.listeners.count() == 1
    assert words(sent).count("COMMIT") == 2


async def test_a_full_disk_fails_the_whole_group(
    db: Db, holding: Callable[[], asyncio.Task[None]], path: Path
) -> None:
    """When SQLite has undone the transaction of a group, each of it fails; nothing is stored."""
    lane = cast("SqliteLane", db._lane)
    connection = cast("Connection", lane._writer._connection)
    pages = connection.driver.execute("PRAGMA page_count").fetchone()[0]
    connection.driver.execute(f"PRAGMA max_page_count = {pages + 3}")
    texts = ["x", "x" * 100_000, "y"]
    tasks = [asyncio.ensure_future(db.settings.set(f"{n}", t)) for n, t in enumerate(texts)]
    await queued(db, 3)
    await holding()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all("no space left" in str(answer) for answer in answers)
    assert stored(path) == {}
    connection.driver.execute("PRAGMA max_page_count = 1000000")
    await db.settings.set("afterwards", "")
    assert list(stored(path)) == ["afterwards"]


@pytest.mark.parametrize("kept", [True, False])
async def test_a_commit_that_fails(
    db: Db,
    holding: Callable[[], asyncio.Task[None]],
    monkeypatch: pytest.MonkeyPatch,
    kept: bool,  # noqa: FBT001
) -> None:
    """When it is not known whether a group was stored, each of it hears that; others work."""
    send, commits = Connection.send, iter(["of what keeps the writer", "of the group"])

    def fail(self: Connection, sql: str) -> None:
        if sql == "COMMIT" and next(commits) == "of the group":
            if kept:
                send(self, sql)
            monkeypatch.setattr(Connection, "send", send)
            raise sqlite3.OperationalError("disk I/O error")
        send(self, sql)

    tasks = [asyncio.ensure_future(db.settings.set(f"{n}", "")) for n in range(3)]
    await queued(db, 3)
    monkeypatch.setattr(Connection, "send", fail)
    await holding()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    unknown = [isinstance(one, StoreUnavailableError) and one.outcome_unknown for one in answers]
    assert unknown == [True] * 3
    assert len(await db.settings.all()) == (3 if kept else 0)
    await db.settings.set("afterwards", "")


async def test_a_unit_that_waits_for_something_else(db: Db) -> None:
    """A unit may await nothing but its statements: it is refused, undone, and blocks nobody."""

    async def unit(executor: Executor) -> None:
        await executor.write(INSERT, {"key": "a", "value": "", "updated_at": db._clock()})
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="awaited something else"):
        await db._executor.run(unit)
    assert await db.settings.all() == {}


async def test_only_so_many_wait_in_the_queue(
    db: Db, holding: Callable[[], asyncio.Task[None]]
) -> None:
    """Beyond ten thousand, changes wait before the queue, and all are made in their order."""
    tasks = [asyncio.ensure_future(db.settings.set(f"{n % 7}", f"{n}")) for n in range(10_100)]
    await queued(db, 10_000)
    assert await db.settings.all() == {}
    assert db._lane is not None
    assert db._lane.in_use == 10_001
    for cancelled in (tasks[-1], tasks[-2], tasks[9_999]):
        cancelled.cancel()
    await holding()
    await asyncio.wait(tasks)
    assert sum(task.cancelled() for task in tasks) == 3
    last = {n % 7: f"{n}" for n in range(10_100) if n not in (10_099, 10_098, 9_999)}
    assert await db.settings.all() == {f"{key}": value for key, value in last.items()}


# --- one by one ---------------------------------------------------------------------------------


async def test_sqlite_is_told_nothing_more(db: Db) -> None:
    """A single change is the statement alone, as SQLite itself sees it; so is a read."""
    await db.settings.set("key", "value")
    await db.settings.get("key")
    seen: list[str] = []
    lane = db._lane
    assert isinstance(lane, SqliteLane)
    for connection in (lane._writer._connection, lane._inline.connection):
        assert connection is not None
        connection.driver.set_trace_callback(seen.append)
    await db.settings.set("key", "other")
    assert await db.settings.get("key") == "other"
    assert [sql.split()[0] for sql in seen] == ["INSERT", "SELECT"]


@pytest.mark.parametrize(("synchronous", "expected"), [("normal", 1), ("full", 2)])
async def test_connections_are_set_up(file_config: Config, synchronous: str, expected: int) -> None:
    """The lane's connections have the settings that the engine's have."""
    changed = file_config.database.model_copy(update={"synchronous": synchronous, "cache_size": 3})
    lane = SqliteLane(changed)  # type: ignore[arg-type]
    for make in (lane._inline._connect, lane._readers._connect, lane._writer._connect):
        connection = make()
        driver = connection.driver
        values = [
            driver.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "foreign_keys", "synchronous", "cache_size")
        ]
        assert values == ["wal", 1, expected, -3 * 1024]
        connection.close()


async def test_a_reader_cannot_write(file_config: Config) -> None:
    """What is taken for a read by mistake is refused by SQLite."""
    lane = SqliteLane(file_config.database)  # type: ignore[arg-type]
    connection = lane._readers._connect()
    with closing(connection.driver), pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.driver.execute("DELETE FROM system_settings")


async def test_reads_on_the_loops_thread_leave_room_for_others(db: Db) -> None:
    """However much a task reads by key, other tasks get their turns meanwhile."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    await db.settings.get("key")
    counting = asyncio.ensure_future(count())
    for _ in range(2000):
        await db.settings.get("key")
    counting.cancel()
    assert turns > 10


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> list[tuple[threading.Thread, Connection]]:
    """Note which thread runs something on which connection."""
    noted: list[tuple[threading.Thread, Connection]] = []
    execute = Connection.execute

    def noting(self: Connection, statement: LaneStatement, values: Any) -> Any:
        noted.append((threading.current_thread(), self))
        return execute(self, statement, values)

    monkeypatch.setattr(Connection, "execute", noting)
    return noted


async def test_a_short_read_needs_no_thread(
    db: Db, reading: list[tuple[threading.Thread, Connection]]
) -> None:
    """What takes microseconds is read on the loop's thread, whether by key or not."""
    await db.sessions.create("mac", "tmux", "api", session_id="a")
    reading.clear()
    assert (await db.sessions.list())[0].session_id == "a"
    assert [thread for thread, _ in reading] == [threading.current_thread()]


async def test_a_long_read_holds_nobody_up(
    db: Db, reading: list[tuple[threading.Thread, Connection]]
) -> None:
    """While one read takes long, the loop goes on, and other long ones have a thread."""
    endless = asyncio.ensure_future(db._executor.read(counting_to(2**62)))
    async with asyncio.timeout(20):
        counted = await asyncio.gather(*(db._executor.read(LONG) for _ in range(3)))
    assert [rows[0][0] for rows in counted] == [LENGTH] * 3
    assert not endless.done()

    def ended() -> bool:
        for thread, connection in reading:
            if thread is not threading.current_thread():
                connection.driver.interrupt()
        return endless.done()

    await until(ended)
    with pytest.raises(StoreUnavailableError, match="longer than allowed"):
        await endless


async def test_a_long_read_is_left_to_a_thread(
    db: Db, sent: list[str], reading: list[tuple[threading.Thread, Connection]]
) -> None:
    """The first time it is broken off, of which nobody is told; then a thread does it at once."""
    for _ in range(2):
        assert (await db._executor.read(LONG))[0][0] == LENGTH
    here = threading.current_thread()
    assert [thread is here for thread, _ in reading] == [True, False, False]
    assert words(sent) == ["WITH"] * 2


async def test_a_long_read_is_tried_again(
    db: Db,
    monkeypatch: pytest.MonkeyPatch,
    reading: list[tuple[threading.Thread, Connection]],
) -> None:
    """After so many runs by a thread it may have become short."""
    monkeypatch.setattr(inline, "_AVOIDED", 2)
    for _ in range(4):
        await db._executor.read(LONG)
    here = threading.current_thread()
    assert [thread is here for thread, _ in reading] == [True, *[False] * 3, True, False]


# --- cancellation and shutdown ------------------------------------------------------------------


async def test_cancelled_in_the_queue_is_not_done(
    db: Db, holding: Callable[[], asyncio.Task[None]]
) -> None:
    """A change whose caller was cancelled before it was begun is not made."""
    tasks = [asyncio.ensure_future(db.settings.set(f"{n}", "")) for n in range(4)]
    await queued(db, 4)
    for task in tasks[1:3]:
        task.cancel()
    await holding()
    await asyncio.wait(tasks)
    assert sorted(await db.settings.all()) == ["0", "3"]


async def test_cancelled_while_another_process_has_the_lock(db: Db, file_config: Config) -> None:
    """A change that waits for another process is not made any more when nobody wants it."""
    async with store_process("hold_transaction", file_config.path, "held") as other:
        await other.said()
        tasks = [asyncio.ensure_future(db.settings.set(f"{n}", "")) for n in range(3)]
        await asyncio.wait(tasks, timeout=0.05)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await all_returned(db)
        await other.finish()
    assert await db.settings.all() == {"held": "held"}


async def test_close_does_what_was_accepted(file_config: Config, path: Path) -> None:
    """What waits in the queue when the store is closed is stored and answered."""
    db = Db(file_config)
    await db.open()
    tasks = [asyncio.ensure_future(db.settings.set(f"{n}", "")) for n in range(200)]
    await asyncio.sleep(0)  # all of them are in the queue now
    await db.close()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert answers == [None] * 200
    assert len(stored(path)) == 200
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("teleclaude-")]


async def test_close_undoes_an_open_transaction(file_config: Config, path: Path) -> None:
    """Closing a store does not wait for somebody's transaction: it is rolled back and refuses."""
    db = Db(file_config)
    await db.open()
    with pytest.raises(StoreUnavailableError):  # noqa: PT012 - the block is what fails
        async with db.transaction() as tx:
            await tx.settings.set("key", "value")
            async with asyncio.timeout(10):
                await db.close()
            await tx.settings.set("more", "value")
    assert stored(path) == {}


async def test_an_idle_transaction_ends(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction in which nothing happens for too long is rolled back, and others go on."""
    monkeypatch.setattr(writer, "IDLE", 0.05)
    with pytest.raises(StoreUnavailableError, match="nothing happened in the transaction"):  # noqa: PT012 - the block is what fails
        async with db.transaction() as tx:
            await tx.settings.set("key", "value")
            await asyncio.ensure_future(db.settings.set("other", "value"))
            await tx.settings.set("more", "value")
    assert await db.settings.all() == {"other": "value"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_nobody_waits_for_a_dead_thread(
    db: Db, holding: Callable[[], asyncio.Task[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the writer dies, whoever waits for it hears of it, and the next change starts another."""
    run = Connection.run

    def die(self: Connection, statement: LaneStatement, values: Any) -> Any:
        if statement.changes:
            monkeypatch.setattr(Connection, "run", run)
            raise SystemExit
        return run(self, statement, values)

    tasks = [asyncio.ensure_future(db.settings.set(f"{n}", "")) for n in range(3)]
    waiting = asyncio.ensure_future(db.transaction().__aenter__())
    await queued(db, 4)
    monkeypatch.setattr(Connection, "run", die)
    await holding()
    answers = await asyncio.gather(*tasks, waiting, return_exceptions=True)
    assert ["The thread that writes has ended" in str(answer) for answer in answers] == [True] * 4
    await db.settings.set("afterwards", "")
    assert await db.settings.all() == {"afterwards": ""}
