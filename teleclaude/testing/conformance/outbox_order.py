"""The order of each session's events in the hook outbox."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from teleclaude.store.records import OutboxStats
from teleclaude.testing.declared import needs
from teleclaude.testing.outboxes import LEASE, ids

if TYPE_CHECKING:
    from teleclaude.store import Db, Stores
    from teleclaude.testing.clock import MutableClock
    from teleclaude.testing.fixtures import OpenDb

MINUTE = timedelta(minutes=1)


async def enqueue(stores: Stores, sessions: str) -> list[int]:
    """Enqueue an event for each letter, which is the session's id."""
    return [await stores.hook_outbox.enqueue(session, "stop", {}) for session in sessions]


async def claimed(stores: Stores, limit: int = 100) -> list[int]:
    return ids(await stores.hook_outbox.claim(limit, LEASE))


async def test_one_claim_hands_out_the_events_of_a_session_in_order(stores: Stores) -> None:
    """A claim gives several events of a session, in their order among those of others."""
    enqueued = await enqueue(stores, "abaabca")
    assert await claimed(stores) == enqueued


async def test_later_events_wait_while_one_is_claimed(stores: Stores) -> None:
    """While an event is claimed, later ones of its session wait; those of others do not."""
    a1, a2, b1, a3 = await enqueue(stores, "aaba")
    [claim] = await stores.hook_outbox.claim(1, LEASE)
    assert claim.id == a1
    assert ids(await stores.hook_outbox.peek(10)) == [b1]
    assert await claimed(stores) == [b1]
    assert await stores.hook_outbox.delivered(claim)
    assert await claimed(stores) == [a2, a3]


async def test_later_events_wait_for_the_retry_of_an_earlier_one(
    stores: Stores, clock: MutableClock
) -> None:
    """While an event waits for its retry, later ones of its session wait; others do not."""
    a1, a2, b1 = await enqueue(stores, "aab")
    [claim] = await stores.hook_outbox.claim(1, LEASE)
    assert await stores.hook_outbox.failed(claim, "error", clock.now + MINUTE)
    assert ids(await stores.hook_outbox.peek(10)) == [b1]
    assert await claimed(stores) == [b1]
    clock.now += MINUTE
    assert await claimed(stores, 2) == [a1, a2]


async def test_an_event_that_arrives_later_waits_too(stores: Stores) -> None:
    """An event enqueued while an earlier one of its session is claimed is not handed out."""
    await enqueue(stores, "a")
    [claim] = await stores.hook_outbox.claim(1, LEASE)
    [late] = await enqueue(stores, "a")
    assert await claimed(stores) == []
    await stores.hook_outbox.delivered(claim)
    assert await claimed(stores) == [late]


async def test_delivering_only_the_later_event_frees_nothing(stores: Stores) -> None:
    """Of two claimed events, settling the second does not let a third pass the first."""
    enqueued = await enqueue(stores, "aaa")
    first, second = await stores.hook_outbox.claim(2, LEASE)
    assert await stores.hook_outbox.delivered(second)
    assert await claimed(stores) == []
    assert await stores.hook_outbox.delivered(first)
    assert await claimed(stores) == enqueued[2:]


async def test_a_failed_event_holds_back_those_behind_a_delivered_one(
    stores: Stores, clock: MutableClock
) -> None:
    """When the first of a batch fails, what follows the batch waits for its retry."""
    enqueued = await enqueue(stores, "aaa")
    first, second = await stores.hook_outbox.claim(2, LEASE)
    assert await stores.hook_outbox.delivered(second)
    assert await stores.hook_outbox.failed(first, "error", clock.now + MINUTE)
    assert await claimed(stores) == []
    clock.now += MINUTE
    assert await claimed(stores) == [enqueued[0], enqueued[2]]


async def test_a_failed_event_takes_back_those_claimed_behind_it(
    stores: Stores, clock: MutableClock
) -> None:
    """Who fails an event can no longer deliver, or fail, later ones of its session."""
    a1, b1, a2, c1, a3 = await enqueue(stores, "abaca")
    first, other, second, another, third = await stores.hook_outbox.claim(10, LEASE)
    assert await stores.hook_outbox.failed_many([first], "error", clock.now + MINUTE) == {a1}
    assert await stores.hook_outbox.delivered(second) is False
    assert await stores.hook_outbox.failed(third, "error", clock.now) is False
    assert await stores.hook_outbox.delivered_many([other, another]) == {b1, c1}
    assert await claimed(stores) == []
    clock.now += MINUTE
    again = await stores.hook_outbox.claim(10, LEASE)
    assert ids(again) == [a1, a2, a3]
    assert [event.attempt_count for event in again] == [1, 0, 0]
    assert [event.last_error for event in again] == ["error", None, None]


async def test_a_retry_that_has_come_brings_those_behind_it_along(
    stores: Stores, clock: MutableClock
) -> None:
    """An event that may be tried again at once is handed out with all that follow it."""
    enqueued = await enqueue(stores, "aaa")
    first, second = await stores.hook_outbox.claim(2, LEASE)
    assert await stores.hook_outbox.failed(first, "error", clock.now)
    assert await claimed(stores) == enqueued
    assert await stores.hook_outbox.delivered(second) is False


async def test_a_failed_event_leaves_those_before_it_alone(
    stores: Stores, clock: MutableClock
) -> None:
    """Who fails an event still has the earlier ones of its session."""
    a1, a2, a3 = await enqueue(stores, "aaa")
    first, second, third = await stores.hook_outbox.claim(10, LEASE)
    assert await stores.hook_outbox.failed(second, "error", clock.now + MINUTE)
    assert await stores.hook_outbox.delivered(third) is False
    assert await stores.hook_outbox.delivered(first)
    assert await claimed(stores) == []
    clock.now += MINUTE
    assert await claimed(stores) == [a2, a3]
    assert a1


async def test_an_event_that_dies_takes_nothing_back(stores: Stores, clock: MutableClock) -> None:
    """What is claimed behind an event that is given up need not wait, and can be delivered."""
    await enqueue(stores, "aa")
    first, second = await stores.hook_outbox.claim(2, LEASE)
    assert await stores.hook_outbox.failed(first, "error", clock.now, max_attempts=1)
    assert await stores.hook_outbox.delivered(second)


async def test_a_failure_that_does_not_count_takes_nothing_back(
    stores: Stores, clock: MutableClock
) -> None:
    """A claimer that has lost its events cannot disturb the one that has them now."""
    await enqueue(stores, "aa")
    lost, _ = await stores.hook_outbox.claim(2, LEASE)
    clock.now += LEASE
    claims = await stores.hook_outbox.claim(2, LEASE)
    assert await stores.hook_outbox.failed(lost, "late", clock.now) is False
    assert await stores.hook_outbox.delivered_many(claims) == set(ids(claims))


async def test_events_of_a_session_may_fail_together(stores: Stores, clock: MutableClock) -> None:
    """However many events of one session fail in one call, all of them count."""
    enqueued = await enqueue(stores, "a" * 600)
    claims = await stores.hook_outbox.claim(600, LEASE)
    failed = await stores.hook_outbox.failed_many(claims, "error", clock.now)
    assert failed == set(enqueued)
    again = await stores.hook_outbox.claim(600, LEASE)
    assert ids(again) == enqueued
    assert {event.attempt_count for event in again} == {1}


async def test_a_requeued_event_waits_while_a_later_one_is_claimed(
    stores: Stores, clock: MutableClock
) -> None:
    """An event that is requeued while somebody works on its session comes when that is done."""
    first, _ = await enqueue(stores, "aa")
    [claim] = await stores.hook_outbox.claim(1, LEASE)
    await stores.hook_outbox.failed(claim, "error", clock.now, max_attempts=1)
    [second] = await stores.hook_outbox.claim(1, LEASE)
    assert await stores.hook_outbox.requeue(first)
    assert await claimed(stores) == []
    assert await stores.hook_outbox.delivered(second)
    assert await claimed(stores) == [first]


async def test_an_event_that_waits_holds_back_what_was_released_with_it(
    stores: Stores, clock: MutableClock
) -> None:
    """Of three events that failed, the last waits for the one before it, not only for the first."""
    a1, a2, a3 = await enqueue(stores, "aaa")
    first, second, third = await stores.hook_outbox.claim(3, LEASE)
    await stores.hook_outbox.failed(third, "error", clock.now)
    await stores.hook_outbox.failed(second, "error", clock.now + MINUTE)
    await stores.hook_outbox.failed(first, "error", clock.now)
    assert ids(await stores.hook_outbox.peek(10)) == [a1]
    [claim] = await stores.hook_outbox.claim(10, LEASE)
    assert claim.id == a1
    await stores.hook_outbox.delivered(claim)
    assert await claimed(stores) == []
    clock.now += MINUTE
    assert await claimed(stores) == [a2, a3]


async def test_an_expired_lease_hands_the_session_on_in_order(
    stores: Stores, clock: MutableClock
) -> None:
    """After a claimer died, its events and those behind them are handed out from the first."""
    enqueued = await enqueue(stores, "aaa")
    assert await claimed(stores, 2) == enqueued[:2]
    clock.now += LEASE
    assert await claimed(stores) == enqueued


async def test_a_dead_event_no_longer_blocks(stores: Stores, clock: MutableClock) -> None:
    """What follows an event that was given up is handed out."""
    dead, following = await enqueue(stores, "aa")
    [claim] = await stores.hook_outbox.claim(1, LEASE)
    assert await stores.hook_outbox.failed(claim, "error", clock.now + MINUTE, max_attempts=1)
    assert await claimed(stores) == [following]
    assert ids(await stores.hook_outbox.dead()) == [dead]


async def test_a_requeued_event_is_the_first_of_its_session_again(
    stores: Stores, clock: MutableClock
) -> None:
    """An event that is requeued comes before the ones that followed it."""
    first, second = await enqueue(stores, "aa")
    [claim] = await stores.hook_outbox.claim(1, LEASE)
    await stores.hook_outbox.failed(claim, "error", clock.now, max_attempts=1)
    assert await stores.hook_outbox.requeue(first)
    assert await claimed(stores, 1) == [first]
    assert await claimed(stores) == []
    assert second


async def test_a_delivered_event_does_not_block(stores: Stores) -> None:
    """A session whose events are all delivered goes on with its next one."""
    await enqueue(stores, "aa")
    await stores.hook_outbox.delivered_many(await stores.hook_outbox.claim(10, LEASE))
    enqueued = await enqueue(stores, "a")
    assert await claimed(stores) == enqueued


async def test_a_limit_cuts_a_session_in_order(stores: Stores) -> None:
    """A claim that is too small takes the oldest events, whichever sessions they belong to."""
    enqueued = await enqueue(stores, "aaabbb")
    assert await claimed(stores, 4) == enqueued[:4]
    assert await claimed(stores) == []


async def test_many_blocked_events_do_not_hide_what_is_due(stores: Stores) -> None:
    """A claim finds what is due behind more blocked events than its limit."""
    await enqueue(stores, "a" * 20)
    assert len(await claimed(stores, 1)) == 1
    enqueued = await enqueue(stores, "b")
    assert await claimed(stores, 1) == enqueued


async def test_the_age_of_the_oldest_due_event_is_of_one_that_can_be_claimed(
    stores: Stores, clock: MutableClock
) -> None:
    """Events that wait for an earlier one of their session are pending, but not due."""
    await enqueue(stores, "aa")
    await stores.hook_outbox.claim(1, MINUTE)
    assert await stores.hook_outbox.stats() == OutboxStats(1, 1, 0, 0, None)
    clock.advance(5)
    await enqueue(stores, "b")
    clock.advance(7)
    assert await stores.hook_outbox.stats() == OutboxStats(2, 1, 0, 0, timedelta(seconds=7))


@needs("several writers")
async def test_an_event_of_a_late_commit_does_not_take_back_what_is_claimed(
    db: Db, open_db: OpenDb
) -> None:
    """An event that turns up before a claimed one is handed out, the claimed one not again.

    It does where ids are given before transactions commit, so that a lower one can appear later.
    """
    others, claimers = await open_db(), await open_db()
    async with claimers.transaction() as claimer:
        async with db.transaction() as slow:
            early = await slow.hook_outbox.enqueue("a", "stop", {})
            late = await others.hook_outbox.enqueue("a", "stop", {})
            assert await claimed(claimer) == [late]
        second = asyncio.create_task(claimed(others))
        await asyncio.wait([second], timeout=0.3)  # it has its snapshot, and may wait for the first
    assert early < late
    assert set(await second) <= {early}
