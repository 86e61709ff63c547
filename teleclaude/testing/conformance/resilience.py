"""Cancellation, concurrency, and what the world does to a connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from teleclaude.errors import (
    StoreError,
    StoreUnavailableError,
)
from teleclaude.testing.declared import needs
from teleclaude.testing.processes import store_process
from teleclaude.testing.stores import all_returned

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from teleclaude.config import Config
    from teleclaude.store import Db
    from teleclaude.testing.fixtures import BreakConnections, OpenDb


# --- cancellation -------------------------------------------------------------------------------


async def read(db: Db) -> None:
    await db.settings.all()


async def write(db: Db) -> None:
    await db.settings.set("key", "value")


async def in_a_transaction(db: Db) -> None:
    async with db.transaction() as tx:
        await tx.settings.set("first", "x")
        await tx.settings.set("second", "x")


async def test_cancelling_many_at_once(db: Db) -> None:
    """The store goes on working after a crowd of readers and writers was cancelled."""
    await asyncio.gather(*(db.settings.all() for _ in range(24)))
    tasks = [
        asyncio.ensure_future(operation(db))
        for _ in range(8)
        for operation in (read, write, in_a_transaction)
    ]
    for _ in range(40):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    async with asyncio.timeout(10):
        await asyncio.gather(*(db.settings.set(str(n), "x") for n in range(20)))
    await all_returned(db)


async def test_a_swallowed_cancellation_cannot_be_committed(db: Db) -> None:
    """A statement whose outcome nobody knows fails its transaction."""
    await db.settings.set("key", "before")
    with pytest.raises(StoreError, match="rolled back because a statement of it failed"):  # noqa: PT012 - the block is what fails
        async with db.transaction() as tx:
            await tx.settings.set("key", "inside")
            task = asyncio.ensure_future(tx.settings.set("more", "inside"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
    assert await db.settings.all() == {"key": "before"}
    await all_returned(db)


async def test_cancelled_while_another_process_keeps_it_waiting(
    db: Db, migrated_config: Config
) -> None:
    """Who is cancelled while waiting for another process's transaction ends without a trace."""
    async with store_process("hold_transaction", migrated_config.path, "key") as other:
        await other.said()
        task = asyncio.ensure_future(db.settings.set("key", "value"))
        await asyncio.wait([task], timeout=0.1)
        assert not task.done()
        task.cancel()
        async with asyncio.timeout(10):
            await asyncio.wait([task])
        assert await db.settings.get("key") is None
        await other.finish()
    async with asyncio.timeout(10):
        await db.settings.set("key", "afterwards")
    assert await db.settings.get("key") == "afterwards"
    await all_returned(db)


# --- concurrency --------------------------------------------------------------------------------


async def test_64_writers(db: Db) -> None:
    """Many tasks writing at once all succeed, and nothing is lost."""

    async def write(number: int) -> None:
        await db.settings.set(f"{number}", "one")
        session = await db.sessions.create("mac", None, "api", session_id=f"{number}")
        await db.sessions.update(session.session_id, title=f"title {number}")
        async with db.transaction() as tx:
            await tx.settings.set(f"{number}", "two")
            await tx.sessions.touch(session.session_id)

    await asyncio.gather(*map(write, range(64)))
    assert set((await db.settings.all()).values()) == {"two"}
    titles = {session.title for session in await db.sessions.list_all()}
    assert titles == {f"title {number}" for number in range(64)}


async def test_readers_do_not_wait_for_a_writer(db: Db) -> None:
    """While a transaction is open, any number of reads goes on."""
    async with db.transaction() as tx:
        await tx.settings.set("key", "value")
        async with asyncio.timeout(10):
            found = await asyncio.gather(*(db.settings.get("key") for _ in range(64)))
    assert set(found) == {None}


async def test_a_write_waits_for_another_process(db: Db, migrated_config: Config) -> None:
    """A change that another process's transaction keeps waiting happens when that has ended."""
    async with store_process("hold_transaction", migrated_config.path, "key") as other:
        await other.said()
        waiting = asyncio.ensure_future(db.settings.set("key", "ours"))
        await asyncio.wait([waiting], timeout=0.2)
        assert not waiting.done()
        assert await db.settings.get("key") is None
        await other.finish()
        async with asyncio.timeout(10):
            await waiting
    assert await db.settings.get("key") == "ours"


async def test_a_killed_process_leaves_no_transaction(db: Db, migrated_config: Config) -> None:
    """After `kill -9` of a process in a transaction, others go on and see nothing of it."""
    async with store_process("hold_transaction", migrated_config.path, "key") as other:
        await other.said()
        await other.kill()
    async with asyncio.timeout(10):
        await db.settings.set("other", "value")
    assert await db.settings.all() == {"other": "value"}


async def test_a_process_need_not_close_the_store(migrated_config: Config, db: Db) -> None:
    """A program that ends without closing the store ends, and what it wrote is there."""
    async with store_process("leave_open", migrated_config.path) as other:
        assert await other.said() == "ended"
        await other.finish()
    assert await db.settings.get("left") == "open"


# --- connections --------------------------------------------------------------------------------


async def idle_connections(db: Db) -> None:
    """Give the pool several connections."""
    await asyncio.gather(*(db.settings.all() for _ in range(4)))


@needs("connections")
async def test_idle_connections_may_end(db: Db, break_all: BreakConnections) -> None:
    """When the server ended the idle connections, the next read and write succeed."""
    await db.sessions.create("mac", None, "api", session_id="1")
    operations: list[Callable[[], Awaitable[object]]] = [
        db.settings.all,
        lambda: db.settings.set("key", "value"),
        lambda: db.sessions.update("1", title="new"),
        lambda: in_a_transaction(db),
    ]
    for operation in operations:
        await idle_connections(db)
        break_all()
        for _ in range(5):
            await asyncio.sleep(0)  # the event loop sees that the connections ended
        await operation()
    assert sorted(await db.settings.all()) == ["first", "key", "second"]
    assert await db.sessions.get_field("1", "title") == "new"


@needs("connections")
async def test_connections_that_end_unnoticed(db: Db, break_all: BreakConnections) -> None:
    """What was sent into a dead connection is repeated if it only reads or was undone."""
    await db.sessions.create("mac", None, "api", session_id="1")
    for number in range(3):
        await idle_connections(db)
        break_all()
        assert await db.sessions.count() == 1
        await idle_connections(db)
        break_all()
        await db.sessions.update("1", adapter_metadata={"number": number})
    assert await db.sessions.get_field("1", "adapter_metadata") == {"number": 2}


@needs("connections")
async def test_a_change_sent_into_a_dead_connection(db: Db, break_all: BreakConnections) -> None:
    """A single change that got no answer happened, or is said to be unknown; it is not repeated."""
    await db.settings.set("key", "before")
    break_all()
    try:
        await db.settings.set("key", "after")
    except StoreUnavailableError as error:
        assert error.outcome_unknown  # noqa: PT017 - either may happen
        assert error.hint  # noqa: PT017 - either may happen
    else:
        assert await db.settings.get("key") == "after"
    await all_returned(db)


@needs("connections")
async def test_a_connection_that_ends_in_a_transaction(db: Db, break_all: BreakConnections) -> None:
    """Where the server ends the connection of a transaction, the next statement fails as such."""
    try:
        async with db.transaction() as tx:
            await tx.settings.set("key", "value")
            break_all()
            await tx.settings.set("more", "value")
    except StoreUnavailableError as error:
        assert error.hint  # noqa: PT017 - either may happen
        assert await db.settings.all() == {}
    else:
        assert sorted(await db.settings.all()) == ["key", "more"]
    await db.settings.set("key", "afterwards")


@needs("connections")
async def test_the_callers_exception_survives_a_lost_connection(
    db: Db, break_all: BreakConnections
) -> None:
    """An exception of the block comes through though the rollback has no connection any more."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what fails
        async with db.transaction() as tx:
            await tx.settings.set("key", "value")
            break_all()
            raise ZeroDivisionError
    assert await db.settings.all() == {}
    await all_returned(db)


@needs("connections")
async def test_a_commit_without_a_connection(db: Db, break_all: BreakConnections) -> None:
    """A COMMIT that could not be sent or was not answered is an error, or it happened."""
    try:
        async with db.transaction() as tx:
            await tx.settings.set("key", "value")
            break_all()
    except StoreUnavailableError as error:
        assert error.outcome_unknown  # noqa: PT017 - either may happen
        assert await db.settings.all() == {}
    else:
        assert await db.settings.all() == {"key": "value"}
    await all_returned(db)


@pytest.mark.usefixtures("db")
async def test_two_stores_in_one_process(open_db: OpenDb) -> None:
    """Two stores on one database do not disturb each other."""
    one, other = await open_db(), await open_db()
    await asyncio.gather(
        *(one.settings.set(f"one {number}", "x") for number in range(20)),
        *(other.settings.set(f"other {number}", "x") for number in range(20)),
    )
    assert len(await one.settings.all()) == len(await other.settings.all()) == 40
