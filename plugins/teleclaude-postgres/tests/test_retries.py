"""What is run again and what is not, when a real server or the way to it fails.

Each failure is caused for real, and met by what callers use: the stores. All of it holds on the
statement lane and through the engine.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from sqlalchemy import bindparam, text, update

from cutting_proxy import CuttingProxy, cutting_proxy
from teleclaude.errors import StoreUnavailableError
from teleclaude.store.models import metadata
from teleclaude.testing.polling import until
from teleclaude.testing.stores import IMPATIENT, record_statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from postgres_provisioning import PostgresProvisioner
    from provisioning import Section
    from store_fixtures import Configure, OpenDb
    from teleclaude.store import Db
    from teleclaude.store.executor import Executor

_SESSIONS = metadata.tables["sessions"]
_SET_TITLE = update(_SESSIONS).where(_SESSIONS.c.session_id == "1").values(title="after")

UNKNOWN = "whether it was made is unknown"

_WAITING = """
SELECT pid FROM pg_stat_activity
WHERE datname = $1 AND wait_event_type = 'Lock' AND backend_type = 'client backend'
"""


async def set_title(db: Db) -> None:
    """Run a single statement."""
    await db._executor.write(_SET_TITLE)


async def update_title(db: Db) -> None:
    """Run a unit of work: a document is compared while its row is locked."""
    await db.sessions.update("1", title="after", adapter_metadata={})


async def change_title(db: Db) -> None:
    """Run a transaction."""
    async with db.transaction() as tx:
        await tx.sessions.update("1", title="after", adapter_metadata={})


async def title(db: Db) -> str:
    return str(await db.sessions.get_field("1", "title"))


@pytest.fixture(params=[True, False], ids=["lane", "engine"])
def uses_lane(request: pytest.FixtureRequest) -> bool:
    """Run everything both ways."""
    return bool(request.param)


@pytest.fixture
async def db(open_db: OpenDb) -> Db:
    """A store with a session."""
    db = await open_db()
    await db.sessions.create("mac", None, "api", session_id="1", title="before")
    return db


class WaitingProcess(Protocol):
    """Waits until a process of the server waits for a lock, and gives its id."""

    async def __call__(self) -> int: ...


@pytest.fixture
def waiting_process(provisioner: PostgresProvisioner, database_settings: Section) -> WaitingProcess:
    async def waiting_process() -> int:
        found: list[tuple[Any, ...]] = []

        def is_there() -> bool:
            found[:] = provisioner.execute(_WAITING, database_settings["dbname"])
            return bool(found)

        await until(is_there)
        return int(found[0][0])

    return waiting_process


class EndWaitingProcess(Protocol):
    """Ends the process that waits for a lock, while its statement runs."""

    async def __call__(self) -> None: ...


@pytest.fixture
def end_waiting_process(
    provisioner: PostgresProvisioner, waiting_process: WaitingProcess
) -> EndWaitingProcess:
    async def end_waiting_process() -> None:
        pid = await waiting_process()
        assert provisioner.execute("SELECT pg_terminate_backend($1, 5000)", pid) == [(True,)]

    return end_waiting_process


def count(statements: list[str], word: str) -> int:
    """Count how often a kind of statement was sent."""
    return sum(sent.split()[0] == word for sent in statements)


# --- a connection that ends while a statement runs ----------------------------------------------


async def test_a_change_that_was_running_is_not_repeated(
    db: Db, open_db: OpenDb, statements: list[str], end_waiting_process: EndWaitingProcess
) -> None:
    """A single change whose connection ends is said to be unknown, and is sent once."""
    before = await db.sessions.get_field("1", "closed_at")
    async with (await open_db()).transaction() as tx:
        await tx.sessions.touch("1")
        change = asyncio.create_task(db.sessions.close("1"))
        await end_waiting_process()
        with pytest.raises(StoreUnavailableError, match=UNKNOWN) as failure:
            await change
    assert failure.value.outcome_unknown
    assert count(statements, "UPDATE") == 1
    assert await db.sessions.get_field("1", "closed_at") == before


async def test_a_unit_that_was_running_is_repeated(
    db: Db, open_db: OpenDb, statements: list[str], end_waiting_process: EndWaitingProcess
) -> None:
    """A unit of work whose connection ends before the COMMIT is run again from its beginning."""
    async with (await open_db()).transaction() as tx:
        await tx.sessions.touch("1")
        change = asyncio.create_task(update_title(db))
        await end_waiting_process()
    await change
    assert [count(statements, word) for word in ("SELECT", "UPDATE", "COMMIT")] == [2, 1, 1]
    assert await title(db) == "after"


async def test_a_read_that_was_running_is_repeated(
    db: Db, open_db: OpenDb, statements: list[str], end_waiting_process: EndWaitingProcess
) -> None:
    """A read whose connection ends is sent again, because it changes nothing."""
    async with (await open_db()).transaction() as tx:
        await tx.settings._executor.write(text("LOCK TABLE sessions"))
        read = asyncio.create_task(title(db))
        await end_waiting_process()
    assert await read == "before"
    assert count(statements, "SELECT") == 2


async def test_a_transaction_that_was_running_is_not_repeated(
    db: Db, open_db: OpenDb, statements: list[str], end_waiting_process: EndWaitingProcess
) -> None:
    """What a transaction did is undone with its connection, for certain; the block runs once."""
    async with (await open_db()).transaction() as tx:
        await tx.sessions.touch("1")
        change = asyncio.create_task(change_title(db))
        await end_waiting_process()
        with pytest.raises(StoreUnavailableError, match="broke") as failure:
            await change
    assert not failure.value.outcome_unknown
    assert failure.value.transient
    assert count(statements, "BEGIN") == 1
    assert await title(db) == "before"


@pytest.fixture
async def slow_db(
    db: Db, open_db: OpenDb, provisioner: PostgresProvisioner, database_settings: Section
) -> AsyncIterator[Db]:
    """The same store as `db`, while the COMMIT of whoever changes a session waits for a lock."""
    for statement in _WAIT_AT_COMMIT:
        provisioner.execute(statement, section=database_settings)
    async with db.transaction() as tx:
        await tx.settings._executor.read(text("SELECT pg_advisory_xact_lock(1)"))
        yield await open_db()


_WAIT_AT_COMMIT = (
    """
    CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END'
    """,
    """
    CREATE CONSTRAINT TRIGGER wait AFTER UPDATE ON sessions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()
    """,
)


@pytest.mark.parametrize("change", [update_title, change_title])
async def test_a_commit_that_was_running_is_not_repeated(
    slow_db: Db,
    change: Callable[[Db], Awaitable[None]],
    end_waiting_process: EndWaitingProcess,
) -> None:
    """A COMMIT whose connection ends while the server works on it is said to be unknown."""
    statements = record_statements(slow_db)
    task = asyncio.create_task(change(slow_db))
    await end_waiting_process()
    with pytest.raises(StoreUnavailableError, match=UNKNOWN) as failure:
        await task
    assert failure.value.outcome_unknown
    assert count(statements, "COMMIT") == 1
    assert await title(slow_db) == "before"


# --- an answer that gets lost -------------------------------------------------------------------


@pytest.fixture
async def proxy(database_settings: Section) -> AsyncIterator[CuttingProxy]:
    """A proxy in front of a database."""
    async with cutting_proxy(database_settings) as proxy:
        yield proxy


@pytest.fixture
async def far_db(db: Db, open_db: OpenDb, configure: Configure, proxy: CuttingProxy) -> Db:
    """The same store as `db`, on the far side of the proxy."""
    assert db
    return await open_db(configure(proxy.section))


@pytest.mark.parametrize("change", [update_title, change_title])
@pytest.mark.parametrize("arrives", [True, False])
async def test_a_commit_without_an_answer(
    db: Db,
    far_db: Db,
    proxy: CuttingProxy,
    change: Callable[[Db], Awaitable[None]],
    *,
    arrives: bool,
) -> None:
    """A COMMIT that happened and one that never arrived look alike: unknown, and not repeated."""
    commit = b"COMMIT;" if far_db._lane is None else b"COMMIT\0"
    (proxy.cut_after if arrives else proxy.cut_before)(commit)
    with pytest.raises(StoreUnavailableError, match=UNKNOWN) as failure:
        await change(far_db)
    assert failure.value.outcome_unknown
    assert failure.value.hint == "Look before you repeat it."
    assert proxy.asked == 1
    assert await title(db) == ("after" if arrives else "before")
    assert await title(far_db) == await title(db)


@pytest.mark.parametrize("arrives", [True, False])
async def test_an_insert_without_an_answer(
    db: Db, far_db: Db, proxy: CuttingProxy, *, arrives: bool
) -> None:
    """The same holds for a single change: it is there once, or not at all."""
    (proxy.cut_after if arrives else proxy.cut_before)(b"a session")
    with pytest.raises(StoreUnavailableError, match=UNKNOWN) as failure:
        await far_db.hook_outbox.enqueue("a session", "stop", {})
    assert failure.value.outcome_unknown
    assert proxy.asked == 1
    assert len(await db.hook_outbox.peek(10)) == int(arrives)


async def test_a_unit_without_an_answer_is_repeated(
    db: Db, far_db: Db, proxy: CuttingProxy
) -> None:
    """Before the COMMIT nothing has happened: the unit is run again, and happens once."""
    proxy.cut_after(b"a memory")
    await far_db.memory.save("a memory")
    assert proxy.asked == 2
    assert len(await db.memory.recent("teleclaude", 10)) == 1


async def test_a_read_without_an_answer_is_repeated(far_db: Db, proxy: CuttingProxy) -> None:
    """A read whose answer gets lost is sent again."""
    await far_db.settings.set("a setting", "value")
    proxy.cut_after(b"a setting")
    assert await far_db.settings.get("a setting") == "value"
    assert proxy.asked == 2


@pytest.mark.parametrize("change", [set_title, update_title, change_title])
async def test_the_servers_farewell_is_understood(
    db: Db,
    far_db: Db,
    proxy: CuttingProxy,
    provisioner: PostgresProvisioner,
    change: Callable[[Db], Awaitable[None]],
) -> None:
    """Once the server has said that it ends a connection, nothing is sent into it any more."""
    proxy.conceals_ends = True
    pid = (await far_db._executor.read(text("SELECT pg_backend_pid()")))[0][0]
    provisioner.execute("SELECT pg_terminate_backend($1, 5000)", pid)
    await until(lambda: proxy.ends > 0)
    assert await title(db) == "before"  # by then the farewell has been read, too
    await change(far_db)
    assert await title(db) == "after"


# --- what the server has undone -----------------------------------------------------------------


async def test_units_that_deadlock_both_finish(db: Db) -> None:
    """Two units that take rows in opposite order both happen, each once, because one runs again."""
    for key in ("one", "other"):
        await db.settings.set(key, "")
    table = metadata.tables["system_settings"]
    append = (
        update(table)
        .where(table.c.key == bindparam("key_"))
        .values(value=table.c.value + bindparam("name"))
    )
    runs: Counter[str] = Counter()
    both_have_one = asyncio.Barrier(2)

    async def change(name: str, *keys: str) -> None:
        async def unit(tx: Executor) -> None:
            runs[name] += 1
            for key in keys:
                await tx.write(append, {"key_": key, "name": name})
                if key is keys[0] and runs[name] == 1:
                    await both_have_one.wait()

        await db._executor.run(unit)

    await asyncio.gather(change("a", "one", "other"), change("b", "other", "one"))
    assert sum(runs.values()) > 2
    assert {"".join(sorted(value)) for value in (await db.settings.all()).values()} == {"ab"}


class OpenWith(Protocol):
    """Opens a store with a setting of the server."""

    async def __call__(self, setting: str, value: str) -> Db: ...


@pytest.fixture
def open_with(
    db: Db, open_db: OpenDb, provisioner: PostgresProvisioner, database_settings: Section
) -> OpenWith:
    assert db

    async def open_with(setting: str, value: str) -> Db:
        name = database_settings["dbname"]
        provisioner.execute(f"ALTER DATABASE \"{name}\" SET {setting} = '{value}'")
        return await open_db()

    return open_with


async def touch(db: Db) -> None:
    """Run a single statement."""
    await db.sessions.touch("1")


@pytest.mark.parametrize(
    ("change", "sent"), [(touch, {"UPDATE": 2}), (update_title, {"SELECT": 2, "UPDATE": 1})]
)
async def test_a_change_that_cannot_be_serialized_is_repeated(
    db: Db,
    open_with: OpenWith,
    waiting_process: WaitingProcess,
    change: Callable[[Db], Awaitable[None]],
    sent: dict[str, int],
) -> None:
    """What the server undid because others changed the row is run again, on what they left."""
    strict = await open_with("default_transaction_isolation", "repeatable read")
    statements = record_statements(strict)
    async with db.transaction() as tx:
        await tx.sessions.update("1", subdir="theirs")
        task = asyncio.create_task(change(strict))
        await waiting_process()
    await task
    assert {word: count(statements, word) for word in sent} == sent
    assert await db.sessions.get_field("1", "subdir") == "theirs"


async def test_a_transaction_that_cannot_be_serialized_is_not_repeated(
    db: Db, open_with: OpenWith, waiting_process: WaitingProcess
) -> None:
    """The block of a transaction runs once: its caller is told, and decides."""
    strict = await open_with("default_transaction_isolation", "repeatable read")
    statements = record_statements(strict)
    async with db.transaction() as tx:
        await touch(tx)
        change = asyncio.create_task(change_title(strict))
        await waiting_process()
    with pytest.raises(StoreUnavailableError, match="undid the change") as failure:
        await change
    assert not failure.value.outcome_unknown
    assert count(statements, "BEGIN") == 1
    assert await title(db) == "before"


@pytest.mark.parametrize("change", [touch, update_title, change_title])
async def test_a_lock_that_is_not_released_is_given_up(
    db: Db, open_with: OpenWith, change: Callable[[Db], Awaitable[None]]
) -> None:
    """What waits for a lock longer than the server allows is tried a few times, and no more."""
    hasty = await open_with("lock_timeout", "20ms")
    statements = record_statements(hasty)
    async with db.transaction() as tx:
        await tx.sessions.touch("1")
        with pytest.raises(StoreUnavailableError, match="is locked") as failure:
            await change(hasty)
    assert failure.value.transient
    assert not failure.value.outcome_unknown
    tried = count(statements, "UPDATE" if change is touch else "SELECT")
    assert tried == (1 if change is change_title else IMPATIENT.attempts)
    await change(hasty)


# --- a schema that changes ----------------------------------------------------------------------


@pytest.fixture
def alter(provisioner: PostgresProvisioner, database_settings: Section) -> Callable[[], None]:
    """Change the type of a column in another session of the server."""
    sizes = iter(range(5000, 6000))

    def alter() -> None:
        statement = f'ALTER TABLE sessions ALTER title TYPE varchar({next(sizes)}) COLLATE "C"'
        provisioner.execute(statement, section=database_settings)

    return alter


async def test_a_statement_whose_plan_is_stale_is_sent_again(
    db: Db, statements: list[str], alter: Callable[[], None], *, uses_lane: bool
) -> None:
    """After another process's ALTER TABLE, a statement by itself does not fail."""
    await db.sessions.get("1")
    alter()
    statements.clear()
    assert (await db.sessions.get("1")) is not None
    # The driver sends it again by itself, unless it was told to prepare it, as SQLAlchemy does.
    assert count(statements, "SELECT") == (1 if uses_lane else 2)


async def test_a_unit_whose_plan_is_stale_is_repeated(
    db: Db, statements: list[str], alter: Callable[[], None]
) -> None:
    """After another process's ALTER TABLE, a unit is run again as a whole."""
    await update_title(db)
    await db.sessions.update("1", title="before")
    alter()
    statements.clear()
    await update_title(db)
    words = [sent.split()[0] for sent in statements]
    assert words == ["BEGIN", "SELECT", "ROLLBACK", "BEGIN", "SELECT", "UPDATE", "COMMIT"]
    assert await title(db) == "after"


async def test_a_transaction_whose_plan_is_stale_is_not_repeated(
    db: Db, statements: list[str], alter: Callable[[], None]
) -> None:
    """After another process's ALTER TABLE, a transaction fails once, and clearly."""
    await change_title(db)
    await db.sessions.update("1", title="before")
    alter()
    statements.clear()
    with pytest.raises(StoreUnavailableError, match=r"schema .* changed under this process"):
        await change_title(db)
    assert count(statements, "BEGIN") == 1
    assert await title(db) == "before"
    await change_title(db)
    assert await title(db) == "after"
