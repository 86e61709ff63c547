"""Several real processes at once: nothing is doubled, lost or out of order."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from teleclaude.testing.outboxes import LEASE, OUTBOXES, ids
from teleclaude.testing.processes import compete, store_process

if TYPE_CHECKING:
    from teleclaude.config import Config
    from teleclaude.store import Db
    from teleclaude.testing.clock import MutableClock
    from teleclaude.testing.fixtures import Execute


async def test_reports_of_another_process_that_come_too_late(
    db: Db, migrated_config: Config, clock: MutableClock
) -> None:
    """Rows whose lease ran out are handed out again, and their first claimer is told so."""
    enqueued = {name: await outbox.fill(db, 2) for name, outbox in OUTBOXES.items()}
    async with store_process("report_late", migrated_config.path) as process:
        assert await process.said() == "ready"
        clock.now = datetime.now(UTC)
        for outbox in OUTBOXES.values():
            assert await outbox.of(db).claim(10, LEASE) == []
        clock.now += LEASE
        claims = {name: await outbox.of(db).claim(10, LEASE) for name, outbox in OUTBOXES.items()}
        assert {name: ids(rows) for name, rows in claims.items()} == enqueued
        assert json.loads(await process.finish()) == {name: [False, False] for name in OUTBOXES}
    for name, outbox in OUTBOXES.items():
        assert (await outbox.of(db).stats())[:4] == (0, 2, 0, 0)
        assert await outbox.of(db).delivered_many(claims[name]) == set(enqueued[name])


async def test_failures_keep_the_order_of_each_session(db: Db, migrated_config: Config) -> None:
    """However often events fail, and whoever handles them, each comes after the ones before it."""
    async with db.transaction() as tx:
        for number in range(200):
            await tx.hook_outbox.enqueue(f"{number * number % 13}", "stop", {})
    handled = await compete("stumble", [(migrated_config.path, seed) for seed in range(2)])
    assert all(handled), "there was no competition"
    by_session = defaultdict(list)
    for row_id, session, succeeded, since, until in chain.from_iterable(handled):
        by_session[session].append((since, until, row_id, succeeded))
    for attempts in by_session.values():
        attempts.sort()
        for (_, until, event, succeeded), (since, _, following, _) in pairwise(attempts):
            assert until <= since
            assert following > event if succeeded else following == event
    assert (await db.hook_outbox.stats()).delivered == 200


async def test_processes_that_make_the_same_things(
    db: Db, migrated_config: Config, execute: Execute
) -> None:
    """One of several processes creates a session; what belongs together in memory, does."""
    answers = await compete("make_the_same", 3 * [(migrated_config.path, 40)])
    assert [sum(created) for created in zip(*answers, strict=True)] == [1] * 40
    assert await db.sessions.count() == len(await db.settings.all()) == 40
    sql = "SELECT count(*), count(DISTINCT project) FROM memory_manual_sessions"
    assert execute(sql) == [(40, 40)]
    for project in map(str, range(40)):
        observations = await db.memory.recent(project, 10)
        summaries = await db.memory.recent_summaries(project, 10)
        assert (len(observations), len(summaries)) == (3, 3)
        sessions = {row.memory_session_id for row in observations}
        assert len(sessions) == 1
        assert {row.memory_session_id for row in summaries} == sessions
