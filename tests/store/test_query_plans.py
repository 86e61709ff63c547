"""What the daemon's loop asks is answered from indexes, however large the tables are."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from sqlalchemy import insert, select

from query_plans import read_whole
from teleclaude.config import load_config
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.testing.clock import START, MutableClock
from teleclaude.testing.outboxes import LEASE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from provisioning import Provisioner, Section
    from store_fixtures import Configure
    from teleclaude.config import Config
    from teleclaude.testing.fixtures import OpenDb

ROWS: Final = 12_000
"""Enough for planners to prefer an index where there is one that helps."""

HOUR: Final = timedelta(hours=1)


@pytest.fixture(scope="module")
def large(provisioner: Provisioner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Section]:
    """A database whose tables are large, with statistics; the tests of this module share it."""
    section = provisioner.section()
    file = tmp_path_factory.mktemp("large") / "teleclaude.yml"
    lines = "".join(f"  {key}: {value}\n" for key, value in section.items())
    file.write_text(f"database:\n{lines}")
    asyncio.run(fill(load_config(file, environ={})))
    provisioner.execute("ANALYZE", section=section)
    yield section
    provisioner.drop(section)


async def fill(config: Config) -> None:
    """Fill the tables as they are after months: most rows are done with, few are of today."""
    db = Db(config, clock=MutableClock())
    await db.migrator.upgrade()
    async with db, db.transaction() as tx:
        outboxes: dict[str, dict[str, Any]] = {
            "hook_outbox": {"event_type": "stop", "payload": {}},
            "notification_outbox": {"channel": "mail", "recipient_email": "a@b", "content": ""},
            "webhook_outbox": {"contract_id": "c", "event_json": {}, "target_url": "x"},
        }
        for name, columns in outboxes.items():
            rows = [{**outbox_row(number), **columns} for number in range(ROWS)]
            if name == "hook_outbox":
                rows = [{**row, "session_id": f"{i % 301}"} for i, row in enumerate(rows)]
            await tx.settings._executor.write_many(insert(metadata.tables[name]), rows)
        for name, make in {"session_listeners": listener_row, "sessions": session_row}.items():
            rows = [make(number) for number in range(ROWS)]
            await tx.settings._executor.write_many(insert(metadata.tables[name]), rows)


def outbox_row(number: int) -> dict[str, Any]:
    delivered = START - timedelta(minutes=ROWS - number) if number % 50 else None
    return {
        "created_at": START,
        "next_attempt_at": START,
        "attempt_count": 0,
        "delivered_at": delivered,
        "dead_at": START if number % 250 == 0 else None,
    }


def listener_row(number: int) -> dict[str, Any]:
    return {
        "target_session_id": f"{number % 3000}",
        "caller_session_id": f"{number}",
        "caller_tmux_session": "tmux",
        "registered_at": START - (2 * HOUR if number < 20 else 0 * HOUR),
    }


def session_row(number: int) -> dict[str, Any]:
    is_open = number % 100 == 0
    return {
        "session_id": f"{number}",
        "computer_name": "mac",
        "last_input_origin": "api",
        "created_at": START,
        "last_activity": START + timedelta(seconds=number),
        "closed_at": None if is_open else START,
        "lifecycle_status": "active" if is_open else "closed",
        "tmux_session_name": f"tmux {number}",
        "native_session_id": f"native {number}",
        "transcript_files": [],
    }


async def report(db: Db, name: str, outcome: str) -> None:
    """Claim two rows and report them together."""
    outbox = getattr(db, name)
    claims = await outbox.claim(2, LEASE)
    assert len(claims) == 2
    if outcome == "delivered":
        assert len(await outbox.delivered_many(claims)) == 2
    else:
        assert len(await outbox.failed_many(claims, "error", START + HOUR)) == 2


QUERIES: dict[str, Callable[[Db], Awaitable[object]]] = {
    "claim hooks": lambda db: db.hook_outbox.claim(10, LEASE),
    "claim notifications": lambda db: db.notification_outbox.claim(10, LEASE),
    "claim webhooks": lambda db: db.webhook_outbox.claim(10, LEASE),
    "deliver hooks": lambda db: report(db, "hook_outbox", "delivered"),
    "deliver notifications": lambda db: report(db, "notification_outbox", "delivered"),
    "deliver webhooks": lambda db: report(db, "webhook_outbox", "delivered"),
    "fail hooks": lambda db: report(db, "hook_outbox", "failed"),
    "fail notifications": lambda db: report(db, "notification_outbox", "failed"),
    "fail webhooks": lambda db: report(db, "webhook_outbox", "failed"),
    "peek at hooks": lambda db: db.hook_outbox.peek(10),
    "peek at notifications": lambda db: db.notification_outbox.peek(10),
    "dead webhooks": lambda db: db.webhook_outbox.dead(),
    "prune hooks": lambda db: db.hook_outbox.prune(timedelta(minutes=ROWS - 50)),
    "prune notifications": lambda db: db.notification_outbox.prune(timedelta(minutes=ROWS - 50)),
    "prune webhooks": lambda db: db.webhook_outbox.prune(timedelta(minutes=ROWS - 50)),
    "list sessions": lambda db: db.sessions.list(),
    "list sessions of a computer": lambda db: db.sessions.list(computer_name="mac"),
    "find by terminal": lambda db: db.sessions.find_by_field("tmux_session_name", "tmux 500"),
    "find by agent": lambda db: db.sessions.find_by_field("native_session_id", "native 500"),
    "get a session": lambda db: db.sessions.get("500"),
    "touch a session": lambda db: db.sessions.touch("500"),
    "update a session": lambda db: db.sessions.update("500", char_offset=1),
    "listeners of a target": lambda db: db.listeners.for_target("50"),
    "listeners of a caller": lambda db: db.listeners.for_caller("50"),
    "pop listeners": lambda db: db.listeners.pop_for_target("60"),
    "stale targets": lambda db: db.listeners.stale_targets(HOUR),
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
async def test_no_table_is_read_whole(
    provisioner: Provisioner,
    large: Section,
    configure: Configure,
    open_db: OpenDb,
    query: Callable[[Db], Awaitable[object]],
) -> None:
    """The engine finds what is asked for with an index."""
    db = await open_db(configure(large))
    assert await read_whole(db, query(db), provisioner, large) == set()


async def test_a_whole_table_that_is_read_is_noticed(
    provisioner: Provisioner, large: Section, configure: Configure, open_db: OpenDb
) -> None:
    """Without an index that helps, the engine reads the whole table, and this test sees it."""
    db = await open_db(configure(large))
    table = metadata.tables["sessions"]
    slow = select(table.c.session_id).where(table.c.title == "x")
    assert await read_whole(db, db._executor.read(slow), provisioner, large) == {"sessions"}


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
