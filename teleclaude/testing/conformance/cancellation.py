"""Cancelled anywhere in the middle of anything, the store leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete

from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.testing.cancelling import Manner, cancel_everywhere, note_open_transactions
from teleclaude.testing.operations import (
    OPERATIONS,
    operation_name,
    public_operations,
    set_the_scene,
)
from teleclaude.testing.stores import all_returned

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any

    from teleclaude.config import Config
    from teleclaude.testing.clock import MutableClock
    from teleclaude.testing.fixtures import OpenDb
    from teleclaude.testing.operations import Operation, Scene

    Run = Callable[[Db, Operation, Scene], Coroutine[Any, Any, None]]


@pytest.fixture(params=Manner)
def manner(request: pytest.FixtureRequest) -> Manner:
    """Each way in which a cancellation can come."""
    given: Manner = request.param
    return given


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    """Keep Python from tidying up by chance what the store has left behind."""
    gc.disable()
    yield
    gc.enable()


class UndoneError(Exception):
    """Undoes a transaction."""


def must_wait(db: Db, operation: Operation) -> bool:
    """Say whether an operation cannot be done without waiting for anything."""
    may_read_at_once = db._backend.capabilities.in_process
    return any(word != "SELECT" or not may_read_at_once for word in operation.sends)


async def all_rows_are_free(db: Db) -> None:
    """Change every row there is, which waits for whatever transaction has been left open."""
    async with asyncio.timeout(10):
        with suppress(UndoneError):
            async with db.transaction() as tx:
                for table in reversed(metadata.sorted_tables):
                    await tx.settings._executor.write(delete(table))
                raise UndoneError


async def by_itself(db: Db, operation: Operation, scene: Scene) -> None:
    await operation.call(db, scene)


async def in_a_transaction(db: Db, operation: Operation, scene: Scene) -> None:
    async with db.transaction() as tx:
        await operation.call(tx, scene)


async def test_every_operation_is_cancelled(db: Db) -> None:
    """There is no public operation of any store that is not cancelled below."""
    async with db.transaction() as tx:
        assert {operation_name(entry) for entry in OPERATIONS} == public_operations(tx)


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize(
    ("run", "manner"),
    [
        *((by_itself, manner) for manner in Manner),
        (in_a_transaction, Manner.WAITING),
        (in_a_transaction, Manner.ANSWERED),
    ],
)
async def test_a_cancelled_operation_leaves_nothing_behind(
    db: Db, open_db: OpenDb, clock: MutableClock, run: Run, manner: Manner
) -> None:
    """Wherever it waits when it is cancelled, it leaves no connection, transaction or lock."""
    scene = await set_the_scene(db, clock)
    left_open = note_open_transactions(db)
    for entry, operation in OPERATIONS.items():
        try:
            points = await cancel_everywhere(partial(run, db, operation, scene), manner)
            await all_returned(db)
            assert not left_open
        except BaseException as error:
            error.add_note(f"The operation was {entry}.")
            raise
        assert points or not must_wait(db, operation), entry
    await all_rows_are_free(await open_db())
    await db.settings.set("alive", "yes")


@pytest.mark.usefixtures("no_garbage_collection")
async def test_cancelled_housekeeping_leaves_nothing_behind(
    db: Db, open_db: OpenDb, manner: Manner
) -> None:
    """Wherever maintenance is cancelled, it leaves no connection, transaction or lock."""
    await cancel_everywhere(db.maintain, manner)  # not every engine has something to do
    await all_returned(db)
    await all_rows_are_free(await open_db())


@pytest.mark.usefixtures("no_garbage_collection")
async def test_a_cancelled_transaction_happened_or_not(db: Db, manner: Manner) -> None:
    """Wherever a transaction is cancelled, either all of it is there or nothing."""
    runs = count()

    async def write_both() -> None:
        found = await db.settings.all()
        assert found.get("one") == found.get("other")
        async with db.transaction() as tx:
            number = str(next(runs))
            await tx.settings.set("one", number)
            await tx.settings.set("other", number)

    assert await cancel_everywhere(write_both, manner)
    assert await db.settings.all() == {"one": (last := str(next(runs) - 1)), "other": last}


@pytest.mark.usefixtures("no_garbage_collection")
async def test_cancelled_opening_leaves_nothing_behind(
    migrated_config: Config, open_db: OpenDb, manner: Manner
) -> None:
    """Wherever opening or closing a store is cancelled, it can be closed, and used by others."""

    async def use() -> None:
        db = Db(migrated_config)
        try:
            async with db:
                await db.settings.set("key", "value")
        finally:
            await asyncio.shield(db.close())

    assert await cancel_everywhere(use, manner)
    await all_rows_are_free(await open_db())
