"""The outboxes on engines without UPDATE ... RETURNING: several statements, the same answers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from teleclaude.store.records import OutboxStats
from teleclaude.testing.outboxes import LEASE, ids

if TYPE_CHECKING:
    from teleclaude.store import Db
    from teleclaude.testing.clock import MutableClock
    from teleclaude.testing.outboxes import AnyOutbox

MINUTE = timedelta(minutes=1)


@pytest.fixture
def without_returning(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine say that its UPDATE returns nothing."""
    monkeypatch.setattr(db._engine.dialect, "update_returning", False)


@pytest.mark.usefixtures("without_returning")
async def test_claiming_in_steps(db: Db, outbox: AnyOutbox, clock: MutableClock) -> None:
    """Claims in several statements give the same rows, oldest first, up to the limit."""
    enqueued = await outbox.fill(db, 5)
    first = await outbox.of(db).claim(2, LEASE)
    assert ids(first) == enqueued[:2]
    assert {row.locked_at for row in first} == {clock.now}
    assert {row.next_attempt_at for row in first} == {clock.now + LEASE}
    assert ids(await outbox.of(db).claim(10, LEASE)) == enqueued[2:]
    assert await outbox.of(db).claim(10, LEASE) == []
    clock.now += LEASE
    assert ids(await outbox.of(db).claim(10, LEASE)) == enqueued


@pytest.mark.usefixtures("without_returning")
async def test_claiming_in_steps_is_one_transaction(
    db: Db, outbox: AnyOutbox, statements: list[str]
) -> None:
    """The statements of a claim are one transaction, without any UPDATE ... RETURNING."""
    await outbox.fill(db, 2)
    statements.clear()
    await outbox.of(db).claim(2, LEASE)
    words = [sent.split()[0] for sent in statements]
    assert (words[0], *words[2:]) == ("BEGIN", "UPDATE", "SELECT", "COMMIT")
    assert not any("RETURNING" in sent for sent in statements)


@pytest.mark.usefixtures("without_returning")
async def test_claiming_in_steps_keeps_the_order_of_sessions(db: Db, clock: MutableClock) -> None:
    """Events of a session wait for earlier ones also where claims take several statements."""
    a1, a2, b1 = [await db.hook_outbox.enqueue(session, "stop", {}) for session in "aab"]
    [claim] = await db.hook_outbox.claim(1, LEASE)
    assert claim.id == a1
    assert ids(await db.hook_outbox.claim(10, LEASE)) == [b1]
    assert await db.hook_outbox.failed(claim, "error", clock.now + MINUTE)
    assert await db.hook_outbox.claim(10, LEASE) == []
    clock.now += MINUTE
    assert ids(await db.hook_outbox.claim(10, LEASE)) == [a1, a2, b1]


@pytest.mark.usefixtures("without_returning")
async def test_failing_in_steps_takes_back_what_is_claimed_behind(
    db: Db, clock: MutableClock
) -> None:
    """A failed event takes back later ones of its session also where that takes several steps."""
    a1, b1, a2 = [await db.hook_outbox.enqueue(session, "stop", {}) for session in "aba"]
    first, other, second = await db.hook_outbox.claim(10, LEASE)
    counted = await db.hook_outbox.failed_many([first], "error", clock.now + MINUTE)
    assert counted == {a1}
    assert await db.hook_outbox.delivered_many([other, second]) == {b1}
    clock.now += MINUTE
    assert ids(await db.hook_outbox.claim(10, LEASE)) == [a1, a2]


@pytest.mark.usefixtures("without_returning")
async def test_reporting_in_steps(db: Db, outbox: AnyOutbox, clock: MutableClock) -> None:
    """Reports in several statements count, or are refused, as they are everywhere."""
    enqueued = await outbox.fill(db, 6)
    lost = await outbox.of(db).claim(2, LEASE)
    clock.now += LEASE
    await outbox.of(db).claim(2, LEASE)
    mine = await outbox.of(db).claim(4, LEASE)
    assert await outbox.of(db).delivered(lost[0], "late") is False
    assert await outbox.of(db).delivered_many([lost[1], *mine[:2]]) == set(enqueued[2:4])
    counted = await outbox.of(db).failed_many([*lost, *mine], "x", clock.now, max_attempts=1)
    assert counted == set(enqueued[4:])
    assert await outbox.of(db).stats() == OutboxStats(0, 2, 2, 2, None)


@pytest.mark.usefixtures("without_returning")
async def test_everything_in_steps_inside_a_transaction(
    db: Db, outbox: AnyOutbox, statements: list[str]
) -> None:
    """Inside a transaction the steps belong to it and open none of their own."""
    async with db.transaction() as tx:
        enqueued = await outbox.fill(tx, 2)
        claims = await outbox.of(tx).claim(2, LEASE)
        assert await outbox.of(tx).delivered_many(claims) == set(enqueued)
    assert statements.count("BEGIN") == statements.count("COMMIT") == 1
