"""Enqueueing and claiming, in all outboxes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from teleclaude.errors import InvalidValueError
from teleclaude.testing.declared import needs
from teleclaude.testing.outboxes import LEASE, OUTBOXES, ids

if TYPE_CHECKING:
    from teleclaude.store import Db, Stores
    from teleclaude.testing.clock import MutableClock
    from teleclaude.testing.fixtures import Execute, OpenDb
    from teleclaude.testing.outboxes import AnyOutbox

FAR = {"long ago": datetime(1, 1, 2, tzinfo=UTC), "in the future": datetime(9999, 1, 1, tzinfo=UTC)}


# --- enqueue ------------------------------------------------------------------------------------


async def test_a_hook_event_comes_back_as_it_was_enqueued(
    stores: Stores, clock: MutableClock
) -> None:
    """A claimed hook event has what was enqueued, and says by whom and since when it is claimed."""
    row_id = await stores.hook_outbox.enqueue("1", "stop", {"a": [1, None]})
    [event] = await stores.hook_outbox.claim(1, LEASE)
    assert (event.id, event.session_id, event.event_type) == (row_id, "1", "stop")
    assert event.payload == {"a": [1, None]}
    assert event.created_at == event.locked_at == clock.now
    assert event.next_attempt_at == clock.now + LEASE
    assert event.claim_token
    assert (event.attempt_count, event.last_error, event.delivered_at) == (0, None, None)
    assert event.dead_at is None


async def test_a_notification_comes_back_as_it_was_enqueued(stores: Stores) -> None:
    """A claimed notification has what was enqueued."""
    row_id = await stores.notification_outbox.enqueue("mail", "a@b", "text", "/file")
    [claim] = await stores.notification_outbox.claim(1, LEASE)
    assert (claim.id, claim.channel, claim.recipient_email) == (row_id, "mail", "a@b")
    assert (claim.content, claim.file_path, claim.status) == ("text", "/file", "pending")


async def test_a_webhook_comes_back_as_it_was_enqueued(stores: Stores) -> None:
    """A claimed webhook has what was enqueued."""
    row_id = await stores.webhook_outbox.enqueue("c", ["event"], "https://x", "secret")
    [claim] = await stores.webhook_outbox.claim(1, LEASE)
    assert (claim.id, claim.contract_id, claim.event_json) == (row_id, "c", ["event"])
    assert (claim.target_url, claim.target_secret, claim.status) == (
        "https://x",
        "secret",
        "pending",
    )


async def test_what_may_be_left_out(stores: Stores) -> None:
    """A notification needs no file, a webhook no secret."""
    await stores.notification_outbox.enqueue("mail", "a@b", "text")
    await stores.webhook_outbox.enqueue("c", {}, "https://x")
    assert (await stores.notification_outbox.peek(1))[0].file_path is None
    assert (await stores.webhook_outbox.peek(1))[0].target_secret is None


async def test_an_enqueued_row_is_there_for_others(
    db: Db, open_db: OpenDb, outbox: AnyOutbox
) -> None:
    """A row is in the database when `enqueue` returns, for every other connection."""
    row_id = await outbox.add(db, "text")
    assert ids(await outbox.of(await open_db()).peek(10)) == [row_id]


async def test_a_row_enqueued_in_a_transaction_is_undone_with_it(db: Db, outbox: AnyOutbox) -> None:
    """A row of a transaction that fails was never there."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what fails
        async with db.transaction() as tx:
            await outbox.add(tx, "text")
            raise ZeroDivisionError
    assert await outbox.of(db).peek(10) == []


@pytest.mark.parametrize("producer", FAR.values(), ids=FAR)
async def test_a_row_is_due_at_once_whatever_the_producers_clock_says(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock, producer: datetime
) -> None:
    """A row can be claimed at once though its producer's clock is far off."""
    now, clock.now = clock.now, producer
    row_id = await outbox.add(stores, "text")
    clock.now = now
    assert ids(await outbox.of(stores).peek(10)) == [row_id]
    assert ids(await outbox.of(stores).claim(10, LEASE)) == [row_id]


@pytest.mark.parametrize("name", ["notification_outbox", "webhook_outbox"])
async def test_a_row_without_a_time_is_due(db: Db, name: str, execute: Execute) -> None:
    """A row whose next attempt people's own SQL has set to null is due, and counts as pending."""
    [row_id] = await OUTBOXES[name].fill(db, 1)
    sql = f"UPDATE {name} SET next_attempt_at = NULL, attempt_count = 3"
    execute(sql)
    outbox = OUTBOXES[name].of(db)
    assert (await outbox.stats())[:2] == (1, 0)
    assert ids(await outbox.claim(1, LEASE)) == [row_id]
    assert (await outbox.stats())[:2] == (0, 1)


async def test_ids_of_rows_are_never_given_twice(stores: Stores, outbox: AnyOutbox) -> None:
    """The id of a pruned row does not come back."""
    row_id = await outbox.add(stores, "text")
    [claim] = await outbox.of(stores).claim(1, LEASE)
    await outbox.of(stores).delivered(claim)
    assert await outbox.of(stores).prune(timedelta(seconds=-1)) == 1
    assert await outbox.add(stores, "text") > row_id


# --- claim --------------------------------------------------------------------------------------


async def test_claims_come_oldest_first(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """Rows are handed out in the order in which they were enqueued, whatever the clocks said."""
    enqueued = []
    for second in (5, -50, 20, 0):
        clock.advance(second)
        enqueued.append(await outbox.add(stores, str(second)))
    assert ids(await outbox.of(stores).claim(10, LEASE)) == enqueued


async def test_a_claim_takes_no_more_than_the_limit(stores: Stores, outbox: AnyOutbox) -> None:
    """A claim takes the oldest rows up to its limit, the next one those that follow."""
    enqueued = await outbox.fill(stores, 5)
    assert ids(await outbox.of(stores).claim(2, LEASE)) == enqueued[:2]
    assert ids(await outbox.of(stores).claim(2, LEASE)) == enqueued[2:4]
    assert ids(await outbox.of(stores).claim(2, LEASE)) == enqueued[4:]
    assert await outbox.of(stores).claim(2, LEASE) == []


async def test_an_empty_outbox_has_nothing_to_claim(stores: Stores, outbox: AnyOutbox) -> None:
    """Claiming from an empty outbox gives nothing."""
    assert await outbox.of(stores).claim(10, LEASE) == []


async def test_all_rows_of_one_claim_have_one_token(stores: Stores, outbox: AnyOutbox) -> None:
    """The rows of a claim belong together, those of another one do not."""
    await outbox.fill(stores, 3)
    first = await outbox.of(stores).claim(2, LEASE)
    second = await outbox.of(stores).claim(2, LEASE)
    assert len({claim.claim_token for claim in first}) == 1
    assert {claim.claim_token for claim in first}.isdisjoint(claim.claim_token for claim in second)


async def test_an_expired_lease_is_handed_out_again(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """A row stays claimed to the end of the lease, and is somebody else's from then on."""
    [row_id] = await outbox.fill(stores, 1)
    [first] = await outbox.of(stores).claim(1, LEASE)
    clock.now += LEASE - timedelta(microseconds=1)
    assert await outbox.of(stores).claim(1, LEASE) == []
    clock.now += timedelta(microseconds=1)
    [second] = await outbox.of(stores).claim(1, LEASE)
    assert second.id == row_id
    assert second.claim_token != first.claim_token
    assert second.attempt_count == 0


async def test_an_expired_row_comes_before_younger_ones(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """A row whose lease ran out is as old as it was."""
    enqueued = await outbox.fill(stores, 3)
    await outbox.of(stores).claim(1, LEASE)
    clock.now += LEASE
    assert ids(await outbox.of(stores).claim(2, LEASE)) == enqueued[:2]


async def test_a_claim_that_is_rolled_back_was_none(db: Db, outbox: AnyOutbox) -> None:
    """Rows claimed in a transaction that fails can be claimed at once."""
    enqueued = await outbox.fill(db, 2)
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what fails
        async with db.transaction() as tx:
            await outbox.of(tx).claim(10, LEASE)
            raise ZeroDivisionError
    assert ids(await outbox.of(db).claim(10, LEASE)) == enqueued


@needs("several writers")
async def test_what_an_open_transaction_claims_is_passed_over(db: Db, outbox: AnyOutbox) -> None:
    """Who claims while another claim is not committed gets other rows, and gets them at once."""
    enqueued = await outbox.fill(db, 4)
    async with db.transaction() as tx:
        assert ids(await outbox.of(tx).claim(2, LEASE)) == enqueued[:2]
        async with asyncio.timeout(5):
            second = asyncio.create_task(outbox.of(db).claim(10, LEASE))
            assert ids(await second) == enqueued[2:]


async def test_outboxes_do_not_disturb_each_other(stores: Stores) -> None:
    """What is claimed from one outbox is not claimed from another."""
    await stores.notification_outbox.enqueue("mail", "a@b", "text")
    await stores.webhook_outbox.enqueue("c", {}, "https://x")
    assert await stores.hook_outbox.claim(10, LEASE) == []
    assert len(await stores.notification_outbox.claim(10, LEASE)) == 1
    assert len(await stores.webhook_outbox.claim(10, LEASE)) == 1


# --- peek ---------------------------------------------------------------------------------------


async def test_peek_shows_what_could_be_claimed_and_claims_nothing(
    stores: Stores, outbox: AnyOutbox
) -> None:
    """Peeking shows the oldest rows that are due, up to its limit, and changes nothing."""
    enqueued = await outbox.fill(stores, 4)
    await outbox.of(stores).claim(1, LEASE)
    peeked = await outbox.of(stores).peek(2)
    assert ids(peeked) == enqueued[1:3]
    assert {row.claim_token for row in peeked} == {None}
    assert await outbox.of(stores).peek(2) == peeked
    assert ids(await outbox.of(stores).claim(10, LEASE)) == enqueued[1:]
    assert await outbox.of(stores).peek(10) == []


# --- many tasks, wrong input --------------------------------------------------------------------


async def test_many_tasks_enqueue_and_claim_at_once(db: Db, outbox: AnyOutbox) -> None:
    """64 tasks that enqueue and claim at once lose no row and never get one twice."""
    claimed: list[int] = []

    async def work(number: int) -> list[int]:
        enqueued = await outbox.fill(db, 4, start=number * 4)
        for limit in (1, 3, 2):
            claims = await outbox.of(db).claim(limit, LEASE)
            claimed.extend(ids(claims))
            assert await outbox.of(db).delivered_many(claims) == set(ids(claims))
        return enqueued

    enqueued = await asyncio.gather(*map(work, range(64)))
    while claims := await outbox.of(db).claim(100, LEASE):
        claimed.extend(ids(claims))
        await outbox.of(db).delivered_many(claims)
    assert sorted(claimed) == sorted(row_id for rows in enqueued for row_id in rows)


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_limit_must_be_positive(stores: Stores, outbox: AnyOutbox, limit: int) -> None:
    """A limit that admits nothing is refused by every operation that takes one."""
    row_ids = await outbox.fill(stores, 1)
    of = outbox.of(stores)
    for operation in (of.claim(limit, LEASE), of.peek(limit), of.dead(limit)):
        with pytest.raises(InvalidValueError, match=f"limit must be greater than 0, not {limit}"):
            await operation
    assert ids(await of.peek(10)) == row_ids


@pytest.mark.parametrize("seconds", [0, -5])
async def test_a_lease_must_be_positive(stores: Stores, outbox: AnyOutbox, seconds: int) -> None:
    """A lease that is over before it begins is refused."""
    row_ids = await outbox.fill(stores, 1)
    with pytest.raises(InvalidValueError, match="lease in seconds must be greater than 0"):
        await outbox.of(stores).claim(1, timedelta(seconds=seconds))
    assert ids(await outbox.of(stores).peek(10)) == row_ids


REFUSED_ROWS = {
    "hook_outbox.session_id": lambda db: db.hook_outbox.enqueue("a\0b", "stop", {}),
    "hook_outbox.event_type": lambda db: db.hook_outbox.enqueue("1", "\ud800", {}),
    "hook_outbox.payload": lambda db: db.hook_outbox.enqueue("1", "stop", {"a": float("nan")}),
    "notification_outbox.channel": lambda db: db.notification_outbox.enqueue("\0", "a@b", "text"),
    "notification_outbox.recipient_email": lambda db: db.notification_outbox.enqueue(
        "mail", "x" * 1001, "text"
    ),
    "notification_outbox.content": lambda db: db.notification_outbox.enqueue("mail", "a@b", None),
    "notification_outbox.file_path": lambda db: db.notification_outbox.enqueue(
        "mail", "a@b", "text", "\0"
    ),
    "webhook_outbox.contract_id": lambda db: db.webhook_outbox.enqueue(None, {}, "https://x"),
    "webhook_outbox.event_json": lambda db: db.webhook_outbox.enqueue("c", "text", "https://x"),
    "webhook_outbox.target_url": lambda db: db.webhook_outbox.enqueue("c", {}, b"https://x"),
    "webhook_outbox.target_secret": lambda db: db.webhook_outbox.enqueue("c", {}, "x", 7),
}


@pytest.mark.parametrize("where", REFUSED_ROWS)
async def test_refused_values_are_not_enqueued(stores: Stores, where: str) -> None:
    """A value that cannot be stored is refused by table and column, and no row is written."""
    with pytest.raises(InvalidValueError, match=where):
        await REFUSED_ROWS[where](stores)
    for outbox in (stores.hook_outbox, stores.notification_outbox, stores.webhook_outbox):
        assert await outbox.peek(10) == []
