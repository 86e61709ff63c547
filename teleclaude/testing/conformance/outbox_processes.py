"""Several real processes that claim from one outbox."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import pytest

from teleclaude.testing.outboxes import LEASE, OUTBOXES, ids
from teleclaude.testing.processes import compete, store_process

if TYPE_CHECKING:
    from teleclaude.config import Config
    from teleclaude.store import Db
    from teleclaude.testing.clock import MutableClock
    from teleclaude.testing.outboxes import AnyOutbox


@pytest.mark.parametrize(("name", "processes"), [("notification_outbox", 4), ("webhook_outbox", 2)])
async def test_processes_never_get_the_same_row_and_miss_none(
    db: Db, migrated_config: Config, name: str, processes: int
) -> None:
    """Processes that claim at once get all rows, and each row exactly one of them."""
    async with db.transaction() as tx:
        enqueued = await OUTBOXES[name].fill(tx, 400)
    held = await compete("drain", [(migrated_config.path, name, seed) for seed in range(processes)])
    claimed = [row_id for rows in held for (row_id, *_) in rows]
    assert sorted(claimed) == enqueued
    assert sum(map(bool, held)) >= 2, "there was no competition"
    assert (await OUTBOXES[name].of(db).stats()).delivered == 400


async def test_processes_keep_the_order_of_each_session(db: Db, migrated_config: Config) -> None:
    """The events of a session are handed out in order, and only one claimer at a time has some."""
    async with db.transaction() as tx:
        for number in range(400):
            await tx.hook_outbox.enqueue(f"{number * number % 17}", "stop", {})
    arguments = (migrated_config.path, "hook_outbox")
    held = await compete("drain", [(*arguments, seed) for seed in range(4)])
    by_session: dict[str, list[tuple[int, str, int, int]]] = {}
    for row_id, session, claimer, since, until in chain.from_iterable(held):
        by_session.setdefault(session, []).append((row_id, claimer, since, until))
    assert sum(map(len, by_session.values())) == 400
    assert sum(map(bool, held)) >= 2, "there was no competition"
    for events in by_session.values():
        events.sort()
        for (_, one, since, until), (_, other, next_since, _) in pairwise(events):
            assert since <= next_since
            assert one == other or until <= next_since


async def test_what_a_killed_process_held_comes_back_after_the_lease(
    db: Db, migrated_config: Config, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """Claims survive the death of their process until the lease ends, and only so long."""
    enqueued = await outbox.fill(db, 5)
    async with store_process("hold_claims", migrated_config.path, outbox.name, 3) as process:
        assert json.loads(await process.said()) == enqueued[:3]
        assert await process.said() == "ready"
        await process.kill()
    clock.now = datetime.now(UTC)
    assert ids(await outbox.of(db).claim(10, timedelta(days=1))) == enqueued[3:]
    assert await outbox.of(db).claim(10, LEASE) == []
    clock.now += LEASE
    assert ids(await outbox.of(db).claim(10, LEASE)) == enqueued[:3]


async def test_a_process_claims_while_others_enqueue(
    db: Db, migrated_config: Config, clock: MutableClock
) -> None:
    """Rows that are enqueued while several claim are all handed out exactly once."""
    outbox = OUTBOXES["notification_outbox"]
    mine: list[int] = []
    clock.now = datetime.now(UTC)  # what the other process goes by

    async def claim() -> int:
        claims = await db.notification_outbox.claim(4, LEASE)
        mine.extend(ids(claims))
        return len(await db.notification_outbox.delivered_many(claims))

    enqueued = await outbox.fill(db, 100)
    async with store_process("drain", migrated_config.path, outbox.name, 1) as process:
        assert await process.said() == "ready"
        rest = asyncio.create_task(process.finish())
        for number in range(50):
            enqueued += await outbox.fill(db, 3, start=100 + 3 * number)
            await claim()
        while await claim():
            pass
        theirs = [row_id for row_id, *_ in json.loads(await rest)]
    assert sorted([*mine, *theirs]) == enqueued
