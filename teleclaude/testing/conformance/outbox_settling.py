"""What becomes of claims: delivered, failed, lost, dead, requeued, pruned; and the statistics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from teleclaude.errors import InvalidValueError
from teleclaude.store.models import metadata
from teleclaude.store.outbox import MAX_ATTEMPTS
from teleclaude.store.records import OutboxStats
from teleclaude.testing.outboxes import LEASE, ids

if TYPE_CHECKING:
    from typing import Any

    from teleclaude.store import Db, Stores
    from teleclaude.store.outbox import Outbox
    from teleclaude.testing.clock import MutableClock
    from teleclaude.testing.fixtures import Execute
    from teleclaude.testing.outboxes import AnyOutbox

MINUTE = timedelta(minutes=1)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


async def claim_one(outbox: Outbox[Any]) -> Any:
    [claim] = await outbox.claim(1, LEASE)
    return claim


async def kill(outbox: Outbox[Any], clock: MutableClock) -> Any:
    """Let the oldest row die, and give the claim it died of."""
    claim = await claim_one(outbox)
    assert await outbox.failed(claim, "fatal", clock.now, max_attempts=1)
    return claim


async def state(outbox: Outbox[Any]) -> tuple[OutboxStats, list[Any], list[Any]]:
    """Everything that can be seen of an outbox."""
    return await outbox.stats(), list(await outbox.peek(100)), list(await outbox.dead())


# --- delivered ----------------------------------------------------------------------------------


async def test_a_delivered_row_is_done(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """A delivered row counts as delivered and is never handed out again."""
    await outbox.fill(stores, 1)
    assert await outbox.of(stores).delivered(await claim_one(outbox.of(stores))) is True
    clock.now += 100 * LEASE
    assert await outbox.of(stores).claim(10, LEASE) == []
    assert await outbox.of(stores).stats() == OutboxStats(0, 0, 0, 1, None)


async def test_delivering_twice_counts_once(stores: Stores, outbox: AnyOutbox) -> None:
    """The second report about the same claim changes nothing."""
    await outbox.fill(stores, 1)
    claim = await claim_one(outbox.of(stores))
    assert await outbox.of(stores).delivered(claim) is True
    assert await outbox.of(stores).delivered(claim, "again") is False
    assert await outbox.of(stores).failed(claim, "again", NEVER) is False


@pytest.mark.parametrize("remark", [None, "half of it"])
async def test_what_a_delivered_row_looks_like(
    db: Db,
    outbox: AnyOutbox,
    remark: str | None,
    execute: Execute,
) -> None:
    """People's own SQL finds the time of delivery, the remark, and no lock."""
    [row_id] = await outbox.fill(db, 1)
    await outbox.of(db).delivered(await claim_one(outbox.of(db)), remark)
    sql = (
        "SELECT id, delivered_at IS NOT NULL, locked_at IS NULL, claim_token IS NULL,"
        f" last_error, attempt_count FROM {outbox.name}"
    )
    rows = execute(sql)
    assert rows == [(row_id, True, True, True, remark, 0)]


@pytest.mark.parametrize("outbox_name", ["notification_outbox", "webhook_outbox"])
async def test_the_status_follows(
    db: Db,
    clock: MutableClock,
    outbox_name: str,
    execute: Execute,
) -> None:
    """Where a table has a status, it says what became of each row, and again after requeueing."""

    async def add() -> None:
        await db.notification_outbox.enqueue("mail", "a@b", "text")
        await db.webhook_outbox.enqueue("c", {}, "https://x")

    outbox = getattr(db, outbox_name)
    for _ in range(4):
        await add()
    delivered, dead, retried, requeued = await outbox.claim(4, LEASE)
    await outbox.delivered(delivered)
    await outbox.failed(retried, "later", clock.now + MINUTE)
    await outbox.failed_many([dead, requeued], "never", clock.now, max_attempts=1)
    await outbox.requeue(requeued.id)
    sql = f"SELECT status FROM {outbox_name} ORDER BY id"
    rows = execute(sql)
    assert [status for (status,) in rows] == ["delivered", "dead", "pending", "pending"]


# --- lost claims --------------------------------------------------------------------------------


@pytest.mark.parametrize("late", ["delivered", "failed"])
async def test_a_late_report_is_refused_and_changes_nothing(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock, late: str
) -> None:
    """Once somebody else has the row, what the first one reports does not count."""
    await outbox.fill(stores, 1)
    first = await claim_one(outbox.of(stores))
    clock.now += LEASE
    second = await claim_one(outbox.of(stores))
    before = await outbox.of(stores).stats()
    if late == "delivered":
        assert await outbox.of(stores).delivered(first, "late") is False
    else:
        assert await outbox.of(stores).failed(first, "late", clock.now, max_attempts=1) is False
    assert await outbox.of(stores).stats() == before
    assert await outbox.of(stores).failed(second, "mine", clock.now) is True
    [row] = await outbox.of(stores).peek(10)
    assert (row.attempt_count, row.last_error) == (1, "mine")


async def test_a_report_after_the_lease_counts_while_nobody_else_has_the_row(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """A lease that ran out is not lost before somebody else claims the row."""
    await outbox.fill(stores, 2)
    delivered, failed = await outbox.of(stores).claim(2, LEASE)
    clock.now += 10 * LEASE
    assert await outbox.of(stores).delivered(delivered) is True
    assert await outbox.of(stores).failed(failed, "slow", clock.now + MINUTE) is True
    assert await outbox.of(stores).stats() == OutboxStats(1, 0, 0, 1, None)


async def test_the_row_of_another_claim_is_not_settled(stores: Stores, outbox: AnyOutbox) -> None:
    """A token counts only for the rows that were claimed with it."""
    await outbox.fill(stores, 2)
    mine = await claim_one(outbox.of(stores))
    theirs = await claim_one(outbox.of(stores))
    forged = theirs._replace(claim_token=mine.claim_token)
    assert await outbox.of(stores).delivered(forged) is False
    assert await outbox.of(stores).failed(forged, "", NEVER) is False
    assert await outbox.of(stores).delivered(theirs) is True


async def test_a_row_that_nobody_claimed_cannot_be_settled(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """Settling a row that was only peeked at is a mistake of the caller, and changes nothing."""
    [row_id] = await outbox.fill(stores, 1)
    [row] = before = await outbox.of(stores).peek(1)
    with pytest.raises(InvalidValueError, match=f"The row {row_id} is not claimed"):
        await outbox.of(stores).delivered(row)
    with pytest.raises(InvalidValueError, match=f"The row {row_id} is not claimed"):
        await outbox.of(stores).failed(row, "error", clock.now)
    assert await outbox.of(stores).peek(1) == before


# --- failed -------------------------------------------------------------------------------------


async def test_a_failed_row_waits_for_its_retry(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """A failed row is handed out again from the time of its retry on, not before."""
    [row_id] = await outbox.fill(stores, 1)
    assert await outbox.of(stores).failed(
        await claim_one(outbox.of(stores)), "no network", clock.now + MINUTE
    )
    clock.now += MINUTE - timedelta(microseconds=1)
    assert await outbox.of(stores).claim(1, LEASE) == []
    clock.now += timedelta(microseconds=1)
    claim = await claim_one(outbox.of(stores))
    assert (claim.id, claim.attempt_count, claim.last_error) == (row_id, 1, "no network")


async def test_every_failure_counts_an_attempt(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """Attempts add up; a lease that runs out is none."""
    await outbox.fill(stores, 1)
    for attempts in range(4):
        await claim_one(outbox.of(stores))
        clock.now += LEASE
        claim = await claim_one(outbox.of(stores))
        assert claim.attempt_count == attempts
        assert await outbox.of(stores).failed(claim, f"{attempts}", clock.now)
    assert (await outbox.of(stores).peek(1))[0].last_error == "3"


async def test_a_retry_may_be_given_in_any_time_zone_or_as_text(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """What counts of the time of the retry is the instant."""
    await outbox.fill(stores, 1)
    text = (clock.now + MINUTE).astimezone(None).isoformat()
    await outbox.of(stores).failed(await claim_one(outbox.of(stores)), "", text)  # type: ignore[arg-type]
    assert await outbox.of(stores).peek(1) == []
    clock.now += MINUTE
    assert len(await outbox.of(stores).peek(1)) == 1


async def test_failing_leaves_the_lock(
    db: Db,
    outbox: AnyOutbox,
    clock: MutableClock,
    execute: Execute,
) -> None:
    """A row that waits for its retry is not locked by anybody."""
    await outbox.fill(db, 1)
    await outbox.of(db).failed(await claim_one(outbox.of(db)), "", clock.now + MINUTE)
    sql = f"SELECT locked_at, claim_token, delivered_at, dead_at FROM {outbox.name}"
    assert execute(sql) == [(None, None, None, None)]


REFUSED_ERRORS = {
    "NUL": ("a\0b", "contains a NUL character"),
    "no text": (ValueError("x"), "must be text, not ValueError"),
}
REFUSED_TIMES = {
    "no time zone": (datetime(2025, 1, 1), "has no time zone"),  # noqa: DTZ001
    "nothing": (None, "must be a date and time, not NoneType"),
}


@pytest.mark.parametrize(("error", "reason"), REFUSED_ERRORS.values(), ids=REFUSED_ERRORS)
async def test_refused_errors_change_nothing(
    stores: Stores, outbox: AnyOutbox, error: Any, reason: str
) -> None:
    """A report with an error that cannot be stored is refused; the claim is still good."""
    await outbox.fill(stores, 1)
    claim = await claim_one(outbox.of(stores))
    for report in (
        outbox.of(stores).failed(claim, error, NEVER),
        outbox.of(stores).delivered(claim, error),
    ):
        with pytest.raises(InvalidValueError, match=rf"{outbox.name}\.last_error {reason}"):
            await report
    assert await outbox.of(stores).stats() == OutboxStats(0, 1, 0, 0, None)
    assert await outbox.of(stores).delivered(claim) is True


@pytest.mark.parametrize(("retry_at", "reason"), REFUSED_TIMES.values(), ids=REFUSED_TIMES)
async def test_refused_times_change_nothing(
    stores: Stores, outbox: AnyOutbox, retry_at: Any, reason: str
) -> None:
    """A report with a retry at no instant is refused; the claim is still good."""
    await outbox.fill(stores, 1)
    claim = await claim_one(outbox.of(stores))
    with pytest.raises(InvalidValueError, match=rf"{outbox.name}\.next_attempt_at {reason}"):
        await outbox.of(stores).failed(claim, "error", retry_at)
    assert await outbox.of(stores).stats() == OutboxStats(0, 1, 0, 0, None)
    assert await outbox.of(stores).delivered(claim) is True


# --- dead ---------------------------------------------------------------------------------------


async def test_a_row_dies_at_the_maximum_of_attempts(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """A row is given up with its last attempt and not before; it stays, and is not handed out."""
    [row_id] = await outbox.fill(stores, 1)
    for _ in range(MAX_ATTEMPTS):
        assert await outbox.of(stores).dead() == []
        claim = await claim_one(outbox.of(stores))
        assert await outbox.of(stores).failed(claim, "broken", clock.now)
    clock.now += 100 * LEASE
    assert await outbox.of(stores).claim(10, LEASE) == []
    [dead] = await outbox.of(stores).dead()
    assert (dead.id, dead.attempt_count, dead.last_error) == (row_id, MAX_ATTEMPTS, "broken")
    assert dead.claim_token is None
    assert dead.locked_at is None
    assert dead.delivered_at is None
    assert dead.dead_at == clock.now - 100 * LEASE


async def test_the_maximum_of_attempts_may_be_given(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """`failed` may say after how many attempts a row is given up."""
    await outbox.fill(stores, 1)
    for _ in range(2):
        claim = await claim_one(outbox.of(stores))
        assert await outbox.of(stores).failed(claim, "", clock.now, max_attempts=2)
    assert len(await outbox.of(stores).dead()) == 1


async def test_dead_rows_are_listed_in_the_order_of_their_death(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """Those that died first come first, and the limit holds; others are not listed."""
    first, second, third, *_ = await outbox.fill(stores, 5)
    for _ in range(3):
        await kill(outbox.of(stores), clock)
        clock.advance()
    await outbox.of(stores).delivered(await claim_one(outbox.of(stores)))
    assert ids(await outbox.of(stores).dead()) == [first, second, third]
    assert ids(await outbox.of(stores).dead(2)) == [first, second]


async def test_a_requeued_row_is_as_good_as_new(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """A requeued row is due at once, has all its attempts before it, and is no longer dead."""
    [row_id] = await outbox.fill(stores, 1)
    await kill(outbox.of(stores), clock)
    clock.now -= 100 * LEASE
    assert await outbox.of(stores).requeue(row_id) is True
    assert await outbox.of(stores).dead() == []
    claim = await claim_one(outbox.of(stores))
    assert (claim.id, claim.attempt_count, claim.dead_at) == (row_id, 0, None)
    assert claim.last_error == "fatal"
    assert await outbox.of(stores).delivered(claim) is True


async def test_only_dead_rows_can_be_requeued(stores: Stores, outbox: AnyOutbox) -> None:
    """Requeueing what is pending, claimed, delivered or unknown does nothing and says so."""
    delivered, claimed, pending = await outbox.fill(stores, 3)
    await outbox.of(stores).delivered(await claim_one(outbox.of(stores)))
    claim = await claim_one(outbox.of(stores))
    before = await state(outbox.of(stores))
    for row_id in (delivered, claimed, pending, pending + 1):
        assert await outbox.of(stores).requeue(row_id) is False
    assert await state(outbox.of(stores)) == before
    assert await outbox.of(stores).delivered(claim) is True


@pytest.mark.parametrize("row_id", ["1", 2**63, True, 1.5])
async def test_requeue_refuses_what_is_no_id(
    stores: Stores, outbox: AnyOutbox, row_id: Any
) -> None:
    """An id is an integer of 64 bits."""
    with pytest.raises(InvalidValueError, match=rf"{outbox.name}\.id"):
        await outbox.of(stores).requeue(row_id)


# --- batches ------------------------------------------------------------------------------------


async def test_a_batch_says_which_claims_counted(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """Of a batch from several claims, those that were lost do not count and are not changed."""
    enqueued = await outbox.fill(stores, 6)
    lost = await outbox.of(stores).claim(2, LEASE)
    clock.now += LEASE
    theirs = await outbox.of(stores).claim(2, LEASE)
    mine = [*await outbox.of(stores).claim(2, LEASE), *await outbox.of(stores).claim(1, LEASE)]
    assert ids([*theirs, *mine]) == enqueued[:5]
    counted = await outbox.of(stores).delivered_many([*lost, *mine], "remark")
    assert counted == set(ids(mine))
    assert await outbox.of(stores).stats() == OutboxStats(1, 2, 0, 3, timedelta() + LEASE)
    assert await outbox.of(stores).delivered_many(theirs) == set(ids(theirs))


async def test_a_batch_of_failures(stores: Stores, outbox: AnyOutbox, clock: MutableClock) -> None:
    """Every row of a failed batch counts its own attempts; lost ones are not touched."""
    once, twice, lost = await outbox.fill(stores, 3)
    _, second, third = await outbox.of(stores).claim(3, LEASE)
    await outbox.of(stores).failed(second, "before", clock.now)
    clock.now += LEASE
    claims = await outbox.of(stores).claim(3, LEASE)
    counted = await outbox.of(stores).failed_many(
        [claims[0], claims[1], third], "now", clock.now + MINUTE, max_attempts=2
    )
    assert counted == {once, twice}
    assert ids(await outbox.of(stores).dead()) == [twice]
    clock.now += MINUTE
    rows = await outbox.of(stores).claim(10, LEASE)
    assert [(row.id, row.attempt_count) for row in rows] == [(once, 1), (lost, 0)]


async def test_an_empty_batch(
    db: Db, outbox: AnyOutbox, clock: MutableClock, statements: list[str]
) -> None:
    """A batch of nothing counts nothing and asks the database nothing."""
    assert await outbox.of(db).delivered_many([]) == frozenset()
    assert await outbox.of(db).failed_many([], "error", clock.now) == frozenset()
    assert statements == []


async def test_the_same_claim_twice_in_a_batch_counts_once(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """A claim that stands in a batch twice is one attempt."""
    [row_id] = await outbox.fill(stores, 1)
    claim = await claim_one(outbox.of(stores))
    assert await outbox.of(stores).failed_many([claim, claim], "", clock.now) == {row_id}
    assert (await outbox.of(stores).peek(1))[0].attempt_count == 1


async def test_large_batches(db: Db, outbox: AnyOutbox, clock: MutableClock) -> None:
    """A batch may hold more rows than one statement takes."""
    async with db.transaction() as tx:
        enqueued = await outbox.fill(tx, 1203)
    claims = await outbox.of(db).claim(2000, LEASE)
    assert ids(claims) == enqueued
    failed, delivered = claims[:601], claims[601:]
    counted = await outbox.of(db).failed_many(failed, "error", clock.now + MINUTE)
    assert counted == set(ids(failed))
    assert await outbox.of(db).delivered_many(iter(delivered)) == set(ids(delivered))
    assert await outbox.of(db).stats() == OutboxStats(601, 0, 0, 602, None)


async def test_a_batch_with_an_unclaimed_row_changes_nothing(
    stores: Stores, outbox: AnyOutbox
) -> None:
    """One row that nobody claimed spoils a batch before anything is written."""
    await outbox.fill(stores, 2)
    claim = await claim_one(outbox.of(stores))
    [peeked] = await outbox.of(stores).peek(1)
    with pytest.raises(InvalidValueError, match="is not claimed"):
        await outbox.of(stores).delivered_many([claim, peeked])
    assert await outbox.of(stores).delivered(claim) is True


# --- statistics ---------------------------------------------------------------------------------


async def test_the_statistics_of_an_empty_outbox(stores: Stores, outbox: AnyOutbox) -> None:
    """An empty outbox has nothing of anything."""
    assert await outbox.of(stores).stats() == OutboxStats(0, 0, 0, 0, None)


async def test_the_statistics_of_a_mixed_outbox(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """Each row counts in exactly one way, and the age is that of the oldest row that is due."""
    for number in range(10):
        await outbox.fill(stores, 1, start=number)
        clock.advance()
    start = clock.now
    await kill(outbox.of(stores), clock)
    delivered = await outbox.of(stores).claim(2, LEASE)
    await outbox.of(stores).delivered_many(delivered)
    waiting = await claim_one(outbox.of(stores))
    await outbox.of(stores).failed(waiting, "later", start + 10 * LEASE)
    await outbox.of(stores).claim(1, LEASE)  # runs out
    await outbox.of(stores).claim(2, 2 * LEASE)
    assert await outbox.of(stores).stats() == OutboxStats(4, 3, 1, 2, timedelta(seconds=3))
    clock.now += LEASE
    age = LEASE + timedelta(seconds=6)
    assert await outbox.of(stores).stats() == OutboxStats(5, 2, 1, 2, age)


# --- prune --------------------------------------------------------------------------------------


async def test_prune_deletes_only_what_was_delivered_long_ago(
    stores: Stores, outbox: AnyOutbox, clock: MutableClock
) -> None:
    """Pending, claimed, dead and freshly delivered rows stay however old they are."""
    await outbox.fill(stores, 5)
    await kill(outbox.of(stores), clock)
    old, fresh, _ = await outbox.of(stores).claim(3, 1000 * LEASE)
    await outbox.of(stores).delivered(old)
    clock.now += MINUTE
    await outbox.of(stores).delivered(fresh)
    assert await outbox.of(stores).prune(MINUTE) == 0
    clock.now += timedelta(microseconds=1)
    assert await outbox.of(stores).prune(MINUTE) == 1
    assert await outbox.of(stores).stats() == OutboxStats(
        1, 1, 1, 1, MINUTE + timedelta(microseconds=1)
    )
    assert await outbox.of(stores).prune(MINUTE) == 0


async def test_prune_deletes_what_was_delivered_after_it_was_given_up(
    db: Db, outbox: AnyOutbox, clock: MutableClock, execute: Execute
) -> None:
    """A row that somebody delivered by hand though it was dead is pruned like any other."""
    await outbox.fill(db, 2)
    await kill(outbox.of(db), clock)
    await outbox.of(db).delivered(await claim_one(outbox.of(db)))
    table = metadata.tables[outbox.name]
    execute(update(table).where(table.c.dead_at.is_not(None)).values(delivered_at=clock.now))
    clock.advance()
    assert await outbox.of(db).prune(timedelta()) == 2


async def test_prune_works_in_batches(
    db: Db, outbox: AnyOutbox, clock: MutableClock, statements: list[str]
) -> None:
    """More rows than one statement deletes are deleted by several, each by itself."""
    async with db.transaction() as tx:
        await outbox.fill(tx, 2005)
        await outbox.of(tx).delivered_many(await outbox.of(tx).claim(2005, LEASE))
        await outbox.fill(tx, 1)
    clock.advance()
    statements.clear()
    assert await outbox.of(db).prune(timedelta()) == 2005
    assert len(statements) == 3
    assert await outbox.of(db).stats() == OutboxStats(1, 0, 0, 0, timedelta(seconds=1))


async def test_prune_in_a_transaction(db: Db, outbox: AnyOutbox, clock: MutableClock) -> None:
    """Pruning in a transaction that fails has deleted nothing."""
    await outbox.fill(db, 1)
    await outbox.of(db).delivered(await claim_one(outbox.of(db)))
    clock.advance()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what fails
        async with db.transaction() as tx:
            assert await outbox.of(tx).prune(timedelta()) == 1
            raise ZeroDivisionError
    assert (await outbox.of(db).stats()).delivered == 1
