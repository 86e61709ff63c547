"""What the store asks is answered from indexes, however large the tables are."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import DropIndex

from large_tables import HOUR, MINUTE, ROWS, WRITTEN, fill
from query_plans import indexes, read_whole, sent_by
from teleclaude.config import load_config
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.testing.clock import START, MutableClock
from teleclaude.testing.operations import OPERATIONS, Scene, operation_name, public_operations
from teleclaude.testing.outboxes import LEASE, OUTBOXES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from provisioning import Provisioner, Section
    from query_plans import Sent
    from store_fixtures import Configure
    from teleclaude.store import Stores
    from teleclaude.testing.fixtures import Execute, OpenDb

    Query = Callable[[Stores, Scene], Awaitable[object]]


@pytest.fixture(scope="module")
def large(provisioner: Provisioner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Section]:
    """A database whose tables are large, with statistics; the tests of this module share it."""
    section = provisioner.section()
    file = tmp_path_factory.mktemp("large") / "teleclaude.yml"
    lines = "".join(f"  {key}: {value}\n" for key, value in section.items())
    file.write_text(f"database:\n{lines}")

    async def open_and_fill() -> None:
        db = Db(load_config(file, environ={}), clock=MutableClock())
        await db.migrator.upgrade()
        async with db:
            await fill(db)

    asyncio.run(open_and_fill())
    provisioner.execute("ANALYZE", section=section)
    yield section
    provisioner.drop(section)


@pytest.fixture
async def large_db(large: Section, configure: Configure, open_db: OpenDb) -> Db:
    """A store on it."""
    return await open_db(configure(large))


class UndoneError(Exception):
    """Undoes a transaction."""


@asynccontextmanager
async def undone(db: Db) -> AsyncIterator[tuple[Stores, Scene]]:
    """Give a transaction of which nothing remains, with something to work on."""
    with suppress(UndoneError):
        async with db.transaction() as tx:
            yield tx, await scene_of(tx)
            raise UndoneError


async def scene_of(tx: Stores) -> Scene:
    claims, dead = {}, {}
    for name, outbox in OUTBOXES.items():
        claims[name] = await outbox.of(tx).claim(4, LEASE)
        dead[name] = (await outbox.of(tx).dead(1))[0].id
    return Scene(claims, dead, (ROWS // 2, ROWS // 2 + 1))


READS_WHOLE = {
    "agents.clear_expired": "there are a handful of agents",
    "listeners.all": "it gives all rows",
    "listeners.count": "it counts all rows",
    "sessions.count": "it counts all rows",
    "sessions.count, of a computer": "it counts most rows",
    "sessions.list_all": "it gives all rows",
    "settings.all": "it gives all rows",
    "webhook_contracts.list, all": "it gives all rows",
    **{f"{name}.stats": "it counts all rows" for name in OUTBOXES},
}
"""What no index could help with, and why. The daemon asks none of it in its loop."""

IN_LARGE_TABLES: dict[str, Query] = {
    "sessions.find_by_field, terminal": lambda s, _: s.sessions.find_by_field(
        "tmux_session_name", "tmux 500"
    ),
    "sessions.find_by_field, agent": lambda s, _: s.sessions.find_by_field(
        "native_session_id", "native 500"
    ),
    "sessions.find_by_field, other": lambda s, _: s.sessions.find_by_field("working_slug", "slug"),
    "sessions.list, headless": lambda s, _: s.sessions.list(include_headless=True),
    "sessions.list, initializing": lambda s, _: s.sessions.list(include_initializing=True),
    "listeners.for_target, known": lambda s, _: s.listeners.for_target("50"),
    "listeners.for_caller, known": lambda s, _: s.listeners.for_caller("50"),
    "listeners.pop_for_target, known": lambda s, _: s.listeners.pop_for_target("50"),
    "listeners.stale_targets, some": lambda s, _: s.listeners.stale_targets(HOUR),
    "voices.delete_older_than, some": lambda s, _: s.voices.delete_older_than(HOUR),
    "memory.get, of a project": lambda s, scene: s.memory.get(scene.observations, "7"),
    "memory.recent, large project": lambda s, _: s.memory.recent("7", 20),
    "memory.recent_summaries, large project": lambda s, _: s.memory.recent_summaries("7", 20),
    "memory.search, everywhere": lambda s, _: s.memory.search("word7"),
    "memory.search, prefix": lambda s, _: s.memory.search("rare500*"),
    "memory.search, phrase": lambda s, _: s.memory.search('"common word7"'),
    "memory.search, two words": lambda s, _: s.memory.search("common rare500"),
    "memory.search, of a project": lambda s, _: s.memory.search("word7", "7"),
    "memory.search, of a type": lambda s, _: s.memory.search("word7", type="gotcha"),
    "memory.search, of an owner": lambda s, _: s.memory.search("word7", identity_key="7"),
    "memory.search, all filters": lambda s, _: s.memory.search(
        "word7", "7", type="gotcha", identity_key="7"
    ),
    "memory.search, of nobody": lambda s, _: s.memory.search("nobody", "7"),
    "memory.timeline, of a project": lambda s, scene: s.memory.timeline(
        scene.observations[0], project="7"
    ),
    **{
        f"{name}.prune": lambda s, _, outbox=outbox: outbox.of(s).prune((WRITTEN - 10) * MINUTE)
        for name, outbox in OUTBOXES.items()
    },
}
"""Beside `OPERATIONS`, what depends on how much there is."""

QUERIES: dict[str, Query] = {
    **{name: operation.call for name, operation in OPERATIONS.items() if name not in READS_WHOLE},
    **IN_LARGE_TABLES,
}


async def test_every_operation_is_looked_at(db: Db) -> None:
    """There is no public operation of which nobody knows how it is answered."""
    async with db.transaction() as tx:
        known = {operation_name(entry) for entry in (*QUERIES, *READS_WHOLE)}
        assert known == public_operations(tx)


async def sent_for(db: Db, entry: str) -> Sequence[Sent]:
    """Give what is sent for one of `QUERIES`, of which nothing remains."""
    async with undone(db) as (tx, scene):
        return await sent_by(db, QUERIES[entry](tx, scene))


async def test_no_table_is_read_whole(large_db: Db, large: Section) -> None:
    """The engine finds what is asked for with an index."""
    sent = {entry: await sent_for(large_db, entry) for entry in QUERIES}
    async with large_db._engine.connect() as connection:
        found = {
            entry: await read_whole(connection, str(large["engine"]), statements)
            for entry, statements in sent.items()
        }
    assert {entry: tables for entry, tables in found.items() if tables} == {}


# --- and without the indexes --------------------------------------------------------------------

NEEDED: dict[tuple[str, str], str] = {
    ("memory_summaries", "project, created_at_epoch"): "memory.recent_summaries, large project",
    ("notification_outbox", "dead_at, delivered_at, id"): "notification_outbox.claim",
    ("session_listeners", "registered_at"): "listeners.stale_targets, some",
    ("sessions", "closed_at, lifecycle_status, last_activity"): "sessions.list",
    ("voice_assignments", "assigned_at"): "voices.delete_older_than, some",
    ("webhook_contracts", "active"): "webhook_contracts.list",
    ("webhook_outbox", "dead_at, delivered_at, id"): "webhook_outbox.claim",
}
"""Indexes without which every engine would read a whole table, and what for."""


async def test_an_index_that_is_missing_is_noticed(large_db: Db, large: Section) -> None:
    """Without one of the indexes, the test above would fail."""
    for (name, columns), entry in NEEDED.items():
        sent = await sent_for(large_db, entry)
        [index] = [
            index
            for index in metadata.tables[name].indexes
            if ", ".join(column.name for column in index.columns) == columns
        ]
        async with large_db._engine.connect() as connection:
            await connection.execute(DropIndex(index))
            assert name in await read_whole(connection, str(large["engine"]), sent), entry


async def test_a_search_without_its_index_is_noticed(large_db: Db, large: Section) -> None:
    """Without the index of words, a search reads the whole table or cannot be asked at all."""
    sent = await sent_for(large_db, "memory.search, everywhere")
    table = metadata.tables["memory_observations"]
    search = large_db._backend.text_search(table, table.c.search_text.name)
    assert search is not None
    async with large_db._engine.connect() as connection:
        for statement in search.drop:
            await connection.execute(statement)
        try:
            found = await read_whole(connection, str(large["engine"]), sent)
        except SQLAlchemyError as error:
            assert "no such table" in str(error)  # noqa: PT017 - either may happen
        else:
            assert found == {table.name}


async def test_a_search_by_patterns_is_noticed(large_db: Db, large: Section) -> None:
    """An engine that has no index of words reads the whole table, and this test sees it."""
    async with undone(large_db) as (tx, _):
        tx.memory._text_search = None
        sent = await sent_by(large_db, tx.memory.search("word7"))
    async with large_db._engine.connect() as connection:
        found = await read_whole(connection, str(large["engine"]), sent)
    assert found == {"memory_observations"}


# --- without statistics, or with old ones -------------------------------------------------------


async def test_one_session_is_found_without_reading_what_others_wait_for(
    db: Db, execute: Execute, database_settings: Section
) -> None:
    """Pending events of a session are looked up as such, though statistics tell of none at all."""
    table = metadata.tables["hook_outbox"]
    event = {"created_at": START, "next_attempt_at": START, "event_type": "stop", "payload": {}}
    rows = [
        {**event, "session_id": f"{number}", "delivered_at": START + number * MINUTE}
        for number in range(5000)
    ]
    await db._executor.write_many(insert(table), rows)
    execute("ANALYZE")
    await db.hook_outbox.enqueue("1", "stop", {})
    [claimed] = await db.hook_outbox.claim(1, LEASE)
    [pending] = [index for index in table.indexes if "session_id" not in index.columns]
    for operation, times in {
        db.hook_outbox.claim(10, LEASE): 1,
        db.hook_outbox.peek(10): 1,
        db.hook_outbox.failed(claimed, "error", START): 0,
    }.items():
        sent = await sent_by(db, operation)
        async with db._engine.connect() as connection:
            used = await indexes(connection, str(database_settings["engine"]), sent)
        assert used[pending.name] == times, sent
        assert used, sent


async def test_a_claim_takes_all_it_may_though_it_was_planned_for_nothing(db: Db) -> None:
    """A plan that was made when nothing was pending finds several events of one session."""
    for _ in range(10):  # more than an engine needs to keep a plan
        assert await db.hook_outbox.claim(10, LEASE) == []
    for _ in range(20):
        await db.hook_outbox.enqueue("1", "stop", {})
    assert len(await db.hook_outbox.claim(10, LEASE)) == 10


@pytest.mark.parametrize("sessions", [1, 300])
async def test_a_backlog_is_claimed_quickly_without_statistics(db: Db, sessions: int) -> None:
    """Thousands of events do not slow claims down, though no statistics tell of them yet."""
    table = metadata.tables["hook_outbox"]
    rows = [
        {
            "created_at": START,
            "next_attempt_at": START,
            "session_id": f"{number % sessions}",
            "event_type": "stop",
            "payload": {},
        }
        for number in range(3000)
    ]
    await db._executor.write_many(insert(table), rows)
    async with asyncio.timeout(5):
        for _ in range(10):
            claims = await db.hook_outbox.claim(10, LEASE)
            assert len(await db.hook_outbox.delivered_many(claims)) == 10
            assert len(await db.hook_outbox.peek(10)) == 10
            assert (await db.hook_outbox.stats()).claimed == 0
