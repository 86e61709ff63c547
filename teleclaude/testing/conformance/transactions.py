"""Transactions: together or not at all, whatever happens inside."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, text

from teleclaude.errors import ConflictError, InvalidValueError, NotFoundError, StoreError
from teleclaude.store.models import metadata
from teleclaude.testing.stores import checked_out

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from teleclaude.store import Db, Stores
    from teleclaude.testing.clock import MutableClock

INSERT = insert(metadata.tables["system_settings"])


async def violate_a_constraint(tx: Stores, clock: MutableClock) -> None:
    """Insert a setting twice with plain INSERTs."""
    row = {"key": "twice", "value": "", "updated_at": clock()}
    executor = tx.settings._executor
    await executor.write(INSERT, row)
    await executor.write(INSERT, row)


async def test_commit_together(db: Db) -> None:
    """What a transaction wrote is invisible to others until its end, and then all there."""
    async with db.transaction() as tx:
        await tx.sessions.create("mac", None, "api", session_id="1")
        await tx.settings.set("key", "value")
        assert await tx.settings.get("key") == "value"
        assert await db.settings.get("key") is None
        assert await db.sessions.count() == 0
    assert await db.settings.get("key") == "value"
    assert await db.sessions.count() == 1


async def test_roll_back_together(db: Db) -> None:
    """An exception that leaves the block undoes everything and comes through unchanged."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what fails
        async with db.transaction() as tx:
            await tx.sessions.create("mac", None, "api")
            await tx.settings.set("key", "value")
            raise ZeroDivisionError
    assert await db.settings.all() == {}
    assert await db.sessions.count() == 0
    await db.settings.set("key", "afterwards")


async def test_an_empty_transaction(db: Db) -> None:
    """A transaction in which nothing happens is fine."""
    async with db.transaction():
        pass


async def test_a_swallowed_failure_cannot_be_committed(db: Db, clock: MutableClock) -> None:
    """After a statement failed in the database, the transaction is lost on every engine."""
    with pytest.raises(StoreError, match="rolled back because a statement of it failed"):  # noqa: PT012 - the block is what fails
        async with db.transaction() as tx:
            await tx.settings.set("before", "value")
            with pytest.raises(ConflictError):
                await violate_a_constraint(tx, clock)
    assert await db.settings.all() == {}


async def test_after_a_failure_nothing_more_runs(db: Db, clock: MutableClock) -> None:
    """The statements after a failed one are refused, and the reason is said."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what fails
        async with db.transaction() as tx:
            with pytest.raises(ConflictError):
                await violate_a_constraint(tx, clock)
            for operation in (tx.settings.all(), tx.settings.set("key", "value")):
                with pytest.raises(StoreError, match="rolled back because a statement"):
                    await operation
            raise ZeroDivisionError
    assert await db.settings.all() == {}


async def test_any_failed_statement_counts(db: Db) -> None:
    """A statement that the engine does not understand fails the transaction like any other."""
    with pytest.raises(StoreError, match="rolled back because a statement of it failed"):  # noqa: PT012 - the block is what fails
        async with db.transaction() as tx:
            await tx.settings.set("before", "value")
            with pytest.raises(StoreError):
                await tx.settings._executor.read(text("SELECT * FROM nonexistent"))
    assert await db.settings.all() == {}


REFUSALS: dict[str, Callable[[Stores], Awaitable[object]]] = {
    "value": lambda tx: tx.settings.set("key", "\0"),
    "value read": lambda tx: tx.settings.get("\ud800"),
    "field": lambda tx: tx.sessions.update("1", nonsense=1),
    "field's value": lambda tx: tx.sessions.update("1", char_offset=2**63),
    "document": lambda tx: tx.sessions.create("m", None, "a", adapter_metadata=[float("nan")]),
    "not found": lambda tx: tx.sessions.touch("nobody"),
    "id exists": lambda tx: tx.sessions.create("m", None, "a", session_id="1"),
}


@pytest.mark.parametrize("refused", REFUSALS.values(), ids=REFUSALS)
async def test_what_was_refused_fails_nothing(
    db: Db, refused: Callable[[Stores], Awaitable[object]]
) -> None:
    """A refusal by the store is no failure of the database: the transaction goes on."""
    async with db.transaction() as tx:
        await tx.sessions.create("mac", None, "api", session_id="1")
        with pytest.raises((InvalidValueError, NotFoundError, ConflictError)):
            await refused(tx)
        await tx.settings.set("after", "value")
    assert await db.settings.all() == {"after": "value"}
    assert await db.sessions.count() == 1


async def test_after_its_end_a_transaction_is_over(db: Db) -> None:
    """The stores of a transaction that has ended refuse everything."""
    async with db.transaction() as committed:
        await committed.settings.set("key", "value")
    with pytest.raises(ZeroDivisionError):
        async with db.transaction() as failed:
            raise ZeroDivisionError
    for tx in (committed, failed):
        with pytest.raises(StoreError, match="The transaction has ended"):
            await tx.settings.get("key")
        with pytest.raises(StoreError, match="The transaction has ended"):
            await tx.settings.set("key", "late")
        with pytest.raises(StoreError, match="The transaction has ended"):
            await tx.sessions.update("1", title="late")
    assert await db.settings.all() == {"key": "value"}


OUTSIDE: dict[str, Callable[[Db], Awaitable[object]]] = {
    "write": lambda db: db.settings.set("key", "outside"),
    "update": lambda db: db.sessions.update("1", title="outside"),
    "create": lambda db: db.sessions.create("mac", None, "api", session_id="2"),
    "transaction": lambda db: db.transaction().__aenter__(),
}


@pytest.mark.parametrize("operation", OUTSIDE.values(), ids=OUTSIDE)
async def test_a_change_outside_ones_own_transaction_is_refused(
    db: Db, operation: Callable[[Db], Awaitable[object]]
) -> None:
    """It would wait for itself; so it is refused at once, on every engine alike."""
    async with db.transaction() as tx:
        await tx.settings.set("key", "inside")
        async with asyncio.timeout(5):
            with pytest.raises(StoreError, match="would wait for itself"):
                await operation(db)
    assert await db.settings.all() == {"key": "inside"}
    await db.settings.set("key", "afterwards")


async def test_reading_outside_ones_own_transaction_is_fine(db: Db) -> None:
    """A read beside the transaction sees what was there before."""
    await db.settings.set("key", "before")
    async with db.transaction() as tx:
        await tx.settings.set("key", "inside")
        assert await db.settings.get("key") == "before"


async def test_tasks_share_a_transaction(db: Db) -> None:
    """Operations that are gathered on one transaction all happen, one at a time."""
    async with db.transaction() as tx:
        await tx.sessions.create("mac", None, "api", session_id="1")
        await asyncio.gather(
            *(tx.settings.set(f"{number:02}", "value") for number in range(20)),
            *(tx.sessions.update("1", **{field: "x"}) for field in ("title", "subdir")),
        )
        assert len(await tx.settings.all()) == 20
    session = await db.sessions.get("1")
    assert session is not None
    assert (session.title, session.subdir) == ("x", "x")


async def test_a_refusal_among_gathered_operations(db: Db) -> None:
    """One of several operations is refused while others still run: the refusal comes through."""
    for _ in range(5):
        with pytest.raises(InvalidValueError, match="NUL"):
            async with db.transaction() as tx:
                await asyncio.gather(
                    tx.settings.set("refused", "\0"),
                    *(tx.settings.set(f"{number}", "value") for number in range(5)),
                )
    assert await db.settings.all() == {}


async def test_a_forgotten_operation(db: Db) -> None:
    """An operation nobody waited for is in the transaction if it began, or refused if not."""
    async with db.transaction() as tx:
        forgotten = [asyncio.create_task(tx.settings.set(key, "value")) for key in "abc"]
        await asyncio.sleep(0)
    results = await asyncio.gather(*forgotten, return_exceptions=True)
    written = [key for key, result in zip("abc", results, strict=True) if result is None]
    assert list(await db.settings.all()) == written
    assert all(result is None or "has ended" in str(result) for result in results)


async def test_another_task_waits_for_its_turn(db: Db) -> None:
    """A change of another task happens after the transaction, and is not refused."""
    async with db.transaction() as tx:
        await tx.settings.set("key", "inside")
        waiting = asyncio.create_task(db.settings.set("key", "outside"))
        await asyncio.wait([waiting], timeout=0.05)
        await tx.settings.set("key", "inside again")
        assert await tx.settings.get("key") == "inside again"
    async with asyncio.timeout(5):
        await waiting
    assert await db.settings.get("key") == "outside"


async def test_transactions_one_after_the_other(db: Db) -> None:
    """Read, compute, write in a transaction counts correctly under concurrency."""
    await db.sessions.create("mac", None, "api", session_id="1")

    async def append(name: str) -> None:
        async with db.transaction() as tx:
            await tx.sessions.update("1", subdir=name)  # takes the row, so nobody else has it
            files = await tx.sessions.get_field("1", "transcript_files")
            await tx.sessions.update("1", transcript_files=[*files, name])

    names = [f"{number:02}" for number in range(20)]
    await asyncio.gather(*map(append, names))
    assert sorted(await db.sessions.get_field("1", "transcript_files")) == names
    assert checked_out(db) == 0
