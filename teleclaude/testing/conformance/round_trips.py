"""What each operation sends: one statement where one is enough, one transaction where it is not."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from teleclaude.testing.operations import (
    OPERATIONS,
    operation_name,
    public_operations,
    set_the_scene,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teleclaude.store import Db
    from teleclaude.testing.clock import MutableClock


def words(statements: list[str]) -> list[str]:
    """Give the first word of each statement."""
    return [sent.split()[0] for sent in statements]


def within(sends: Sequence[str]) -> list[str]:
    """Leave out what begins and ends a transaction."""
    return [word for word in sends if word not in ("BEGIN", "COMMIT")]


class UndoneError(Exception):
    """Undoes a transaction."""


async def test_every_operation_is_counted(db: Db) -> None:
    """There is no public operation of any store whose statements are not counted below."""
    async with db.transaction() as tx:
        assert {operation_name(entry) for entry in OPERATIONS} == public_operations(tx)


@pytest.mark.parametrize("entry", OPERATIONS)
async def test_an_operation_by_itself(
    db: Db, clock: MutableClock, statements: list[str], entry: str
) -> None:
    """A single statement is sent alone; several that belong together are one transaction."""
    scene = await set_the_scene(db, clock)
    statements.clear()
    await OPERATIONS[entry].call(db, scene)
    assert words(statements) == list(OPERATIONS[entry].sends)


async def test_operations_in_a_transaction(
    db: Db, clock: MutableClock, statements: list[str]
) -> None:
    """In a transaction an operation sends the same statements, and none to begin or end one."""
    scene = await set_the_scene(db, clock)
    sent = {}
    for entry, operation in OPERATIONS.items():
        statements.clear()
        with suppress(UndoneError):
            async with db.transaction() as tx:
                await operation.call(tx, scene)
                raise UndoneError
        sent[entry] = words(statements)
    assert sent == {
        entry: ["BEGIN", *within(operation.sends), "ROLLBACK"]
        for entry, operation in OPERATIONS.items()
    }
