"""Cancelling a coroutine at exactly the point a test wants: at the n-th time it waits.

Cancelling after a number of rounds of the event loop or after some time hits points that differ
from run to run, and misses others. Counting how often a coroutine waits reaches each of them.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from functools import partial
from itertools import count
from types import coroutine
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from sqlalchemy.pool import ConnectionPoolEntry

    from teleclaude.store import Db


class Manner(Enum):
    """How a cancellation meets what it cancels."""

    WAITING = "while it waits"
    """What it waits for has not come, and is cancelled too."""
    ANSWERED = "when the answer is there"
    """What it waited for has come, but it was not its turn yet: the answer is lost."""
    REPEATED = "again and again"
    """While it waits; and so does everything it waits for while it cleans up."""


async def cancel_everywhere(
    begin: Callable[[], Coroutine[Any, Any, object]], manner: Manner, *, seconds: float = 10
) -> int:
    """Run something again and again, cancelled one point later each time, until it comes through.

    Args:
        begin: Makes the coroutine.
        manner: How it is cancelled.
        seconds: How long one run may take.

    Returns:
        At how many points it was cancelled.
    """
    point = 0
    while await _cancel_at(begin(), point, manner, seconds):
        point += 1
    return point


def note_open_transactions(db: Db) -> list[object]:
    """Begin to note connections that lie in the pool with a transaction that nobody will end.

    Args:
        db: The store whose connections are meant.
    """
    found: list[object] = []

    def note(_dbapi_connection: object, record: ConnectionPoolEntry, *_: object) -> None:
        driver: Any = record.driver_connection
        if driver is not None and _is_in_transaction(driver):
            found.append(driver)

    for moment in ("checkin", "checkout"):  # at the first, the driver may not know it yet
        event.listen(db._engine.sync_engine, moment, note)
    return found


def _is_in_transaction(driver: Any) -> bool:
    # Drivers have two words for it; one that has neither cannot be asked.
    state = getattr(driver, "is_in_transaction", None) or getattr(driver, "in_transaction", False)
    return bool(state() if callable(state) else state)


async def _cancel_at(
    work: Coroutine[Any, Any, object],
    point: int,
    manner: Manner,
    seconds: float,
) -> bool:
    reached: list[int] = []

    async def run() -> None:
        await _interrupted(work, point, manner, reached)

    task = asyncio.create_task(run())
    async with asyncio.timeout(seconds):
        await asyncio.wait([task])
    if not task.cancelled():
        await task  # a failure is not what was asked for
    return bool(reached)


@coroutine
def _interrupted(
    work: Coroutine[Any, Any, object], point: int, manner: Manner, reached: list[int]
) -> Generator[object, None, None]:
    go_on: Callable[[], object] = partial(work.send, None)
    for number in count():
        try:
            future = go_on()
        except StopIteration:
            return
        is_here = number == point or (manner is Manner.REPEATED and number > point)
        if is_here:
            reached.append(number)
        if is_here and manner is not Manner.ANSWERED:
            _cancel_current_task()
        try:
            yield future
        except BaseException as error:  # noqa: BLE001 - it is meant for what is run
            go_on = partial(work.throw, error)
        else:
            is_lost = is_here and manner is Manner.ANSWERED
            cancel = partial(work.throw, asyncio.CancelledError())
            go_on = cancel if is_lost else partial(work.send, None)


def _cancel_current_task() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
