"""The statements of an outbox; `outbox` says when they run.

Parameters end in an underscore, so that none is mistaken for the new value of a column.

What they cost must not depend on how much was delivered or waits, and statistics do not help there:
they are gathered when hardly anything is pending, and a planner that expects nothing to be pending
takes one way to it for as good as the other. It then looks for the rows of one queue among those of
all queues, for each of them. So each statement leaves only one way:

* All pending rows are found with `_pending` and the index that begins with `dead_at`.
* Those of one queue are found with `_pending_in_queue`, which the other index cannot serve: it does
  not say of `dead_at` what an index could be asked.
* Nothing is joined. A scalar subquery with LIMIT is run for each row, in the order of the index and
  only until there are enough rows; a join, or EXISTS, may be turned into one over all pending rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    and_,
    bindparam,
    case,
    delete,
    false,
    func,
    not_,
    null,
    or_,
    select,
    true,
    union_all,
    update,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Delete, FromClause, ScalarSelect, Select, Table, Update

PENDING: Final = "pending"
DELIVERED: Final = "delivered"
DEAD: Final = "dead"


def claimable(table: Table, in_order_of: str | None) -> Select[Any]:
    """Find and lock the ids of up to `limit_` rows that can be claimed at `now_`, oldest first.

    Two claimers at once never find the same row: the first locks it and the second passes over it.

    Args:
        table: The outbox.
        in_order_of: A column; rows with the same value in it are a queue: they are handed out in
            their order, not before the ones ahead of them are settled, and to one claimer at a
            time. `None`: each row stands for itself.
    """
    if in_order_of is None:
        ready = select(table.c.id).where(_ready(table))
        return _oldest(table, ready).with_for_update(skip_locked=True)
    found = _oldest(table, select(table.c.id).where(_ready(table), _is_free(table, in_order_of)))
    free, row = found.cte("free"), table.alias("claimed")
    # All are found before the first is claimed: who has claimed the first of a queue in the
    # meantime cannot lock it for the next one. To count them needs them all.
    is_complete = select(func.count()).select_from(free).scalar_subquery() > 0
    ids = select(row.c.id).where(is_complete, row.c.id.in_(select(free.c.id)), _still_ready(row))
    # Not passing over what is locked: that would hand out what is behind it.
    return ids.order_by(row.c.id).with_for_update(of=row)


def claim(table: Table, in_order_of: str | None) -> Update:
    """Claim what is claimable: for `token_`, from `now_` `until_` then."""
    # A common table expression, because PostgreSQL may run a subquery more than once.
    ids = claimable(table, in_order_of).cte("claimable")
    mine = table.c.id.in_(select(ids.c.id))
    return _claim_where(table, mine).returning(*table.c)


def claim_by_id(table: Table) -> Update:
    """Claim the row `id_`, which the caller has locked."""
    return _claim_where(table, table.c.id == bindparam("id_"))


def peek(table: Table, in_order_of: str | None) -> Select[Any]:
    """Give up to `limit_` rows that could be claimed at `now_`, oldest first."""
    return _oldest(table, select(table).where(_could_be_claimed(table, in_order_of)))


def claimed_by_token(table: Table) -> Select[Any]:
    """Give the rows that `token_` has claimed."""
    mine = table.c.claim_token == bindparam("token_")
    return select(table).where(_pending(table), mine).order_by(table.c.id)


def still_claimed(table: Table) -> Select[Any]:
    """Give and lock the ids among `ids_` that `token_` still has."""
    return select(table.c.id).where(_still_claimed(table)).with_for_update()


def delivered(table: Table) -> Update:
    """Settle the rows `ids_` of `token_` as delivered at `now_`, with a remark `error_`."""
    return (
        update(table)
        .where(_still_claimed(table))
        .values(
            **_released(table, DELIVERED),
            delivered_at=bindparam("now_"),
            last_error=bindparam("error_"),
        )
    )


def failed(table: Table, in_order_of: str | None) -> Update:
    """Settle the rows `ids_` of `token_` as failed: try again at `retry_at_`, or give up.

    A row is given up when it has been attempted `attempts_` times. Where rows are in queues, what
    `token_` has behind a row that will be tried again is given back, and its ids come back too:
    otherwise it could be delivered first.
    """
    failure = _failure(table)
    if in_order_of is None:
        return update(table).where(_still_claimed(table)).values(**failure)
    behind = _held_behind(table, in_order_of)
    settled = union_all(select(table.c.id).where(_still_claimed(table)), behind).subquery()
    given_back = _given_back(table)
    failing = table.c.id.in_(bindparam("ids_", expanding=True))
    values = {name: case((failing, failure[name]), else_=given_back[name]) for name in given_back}
    # The token once more: meanwhile somebody else may have claimed a row that was found.
    still_mine = table.c.claim_token == bindparam("token_")
    return (
        update(table)
        .where(table.c.id.in_(select(settled.c.id)), still_mine)
        .values(**{**failure, **values})
    )


def dead(table: Table) -> Select[Any]:
    """Give up to `limit_` rows that were given up, the one that was first comes first."""
    condition = and_(table.c.delivered_at.is_(None), table.c.dead_at.is_not(None))
    return _oldest(table, select(table).where(condition))


def requeue(table: Table) -> Update:
    """Make the dead row `id_` pending again, as if it were new."""
    return (
        update(table)
        .where(table.c.id == bindparam("id_"), table.c.dead_at.is_not(None))
        .values(
            **_released(table, PENDING),
            dead_at=null(),
            attempt_count=0,
            next_attempt_at=bindparam("now_"),
        )
    )


def stats(table: Table, in_order_of: str | None) -> Select[Any]:
    """Count pending, claimed, dead and delivered rows, and find the oldest claimable at `now_`."""
    is_claimed = and_(_pending(table), _claimed(table))
    first = select(table.c.created_at).where(_could_be_claimed(table, in_order_of))
    return select(
        _count(table, and_(_pending(table), not_(_claimed(table)))),
        _count(table, is_claimed),
        _count(table, and_(table.c.delivered_at.is_(None), table.c.dead_at.is_not(None))),
        _count(table, table.c.delivered_at.is_not(None)),
        _in_order(table, first).limit(1).scalar_subquery(),
    )


def prune(table: Table) -> Delete:
    """Delete rows that were delivered before `before_`, up to `limit_` of those never given up."""
    # Two ranges of the index, because it begins with the instant at which a row was given up. A row
    # that was delivered after that has both.
    # Without a common table expression: some drivers count rows only for statements that begin with
    # the word for what they do.
    old = table.c.delivered_at < bindparam("before_")
    given_up = (table.c.dead_at.is_(None), table.c.dead_at.is_not(None))
    ranges = [_oldest(table, select(table.c.id).where(which, old)).subquery() for which in given_up]
    return delete(table).where(table.c.id.in_(union_all(*(select(part.c.id) for part in ranges))))


def _pending(rows: FromClause) -> ColumnElement[bool]:
    return and_(rows.c.delivered_at.is_(None), rows.c.dead_at.is_(None))


def _due(rows: FromClause) -> ColumnElement[bool]:
    # What was never claimed is due whatever its producer's clock said; so is what has no time.
    untouched = and_(rows.c.claim_token.is_(None), rows.c.attempt_count == 0)
    timeless = rows.c.next_attempt_at.is_(None)
    return or_(rows.c.next_attempt_at <= bindparam("now_"), untouched, timeless)


def _claimed(rows: FromClause) -> ColumnElement[bool]:
    return and_(rows.c.claim_token.is_not(None), not_(_due(rows)))


def _ready(rows: FromClause) -> ColumnElement[bool]:
    return and_(_pending(rows), _due(rows))


def _pending_in_queue(rows: FromClause, queue: str, of: FromClause) -> ColumnElement[bool]:
    """Say which rows are pending in the queue of a row, so that only one index serves it."""
    return and_(
        rows.c[queue] == of.c[queue], rows.c.delivered_at.is_(None), _is_unset(rows.c.dead_at)
    )


def _still_ready(row: FromClause) -> ColumnElement[bool]:
    """Say whether a row that is known by its id is ready, so that it is found by that alone."""
    return and_(_is_unset(row.c.delivered_at), _is_unset(row.c.dead_at), _due(row))


def _is_unset(instant: ColumnElement[Any]) -> ColumnElement[bool]:
    # What IS NULL says, but planners do not see that an index has the answer.
    return case((instant.is_not(None), false()), else_=true())


def _is_free(table: Table, queue: str) -> ColumnElement[bool]:
    """Lock the first row of the queue of a row, if the row may be handed out; say whether it is."""
    # Whoever has locked the first row of a queue has the queue: nobody else may take what follows.
    # What is not settled blocks what follows in every snapshot, so no isolation level is needed.
    other, first = table.alias("other"), table.alias("first")
    first_id = select(other.c.id).where(_pending_in_queue(other, queue, table))
    lock = select(first.c.id).where(
        first.c.id == _first(other, first_id, table),
        _still_ready(first),
        not_(_is_blocked(table, queue, first)),
    )
    locked = lock.with_for_update(of=first, skip_locked=True)
    return locked.correlate(table).scalar_subquery().is_not(None)


def _is_blocked(table: Table, queue: str, of: FromClause) -> ColumnElement[bool]:
    """Say whether a row must wait for one in the same queue, which is also the queue of `of`."""
    # A later row can be claimed where the first was settled and has come back, or was committed
    # after it; whoever has any of the queue has all of it.
    other = table.alias("in_the_way")
    in_the_way = or_(other.c.claim_token.is_not(None), other.c.id < table.c.id)
    blocking = select(other.c.id).where(
        _pending_in_queue(other, queue, of), not_(_due(other)), in_the_way
    )
    return _first(other, blocking, table, of).is_not(None)


def _first(rows: FromClause, ids: Select[Any], *correlated: FromClause) -> ScalarSelect[Any]:
    # In the order of the whole index, as in `_in_order`, of a queue's rows.
    in_order = ids.order_by(rows.c.delivered_at, rows.c.dead_at, rows.c.id)
    return in_order.limit(1).correlate(*correlated).scalar_subquery()


def _could_be_claimed(table: Table, in_order_of: str | None) -> ColumnElement[bool]:
    if in_order_of is None:
        return _ready(table)
    return and_(_ready(table), not_(_is_blocked(table, in_order_of, table)))


def _oldest(table: FromClause, rows: Select[Any]) -> Select[Any]:
    return _in_order(table, rows).limit(bindparam("limit_"))


def _in_order(table: FromClause, rows: Select[Any]) -> Select[Any]:
    # By the whole index: both instants are null in pending rows, but not every planner knows that
    # an index whose first columns are null in all rows gives the order of the next one.
    return rows.order_by(table.c.dead_at, table.c.delivered_at, table.c.id)


def _claim_where(table: Table, condition: ColumnElement[bool]) -> Update:
    return (
        update(table)
        .where(condition)
        .values(
            claim_token=bindparam("token_"),
            locked_at=bindparam("now_"),
            next_attempt_at=bindparam("until_"),
        )
    )


def _still_claimed(rows: FromClause) -> ColumnElement[bool]:
    mine: ColumnElement[bool] = rows.c.id.in_(bindparam("ids_", expanding=True))
    return and_(mine, rows.c.claim_token == bindparam("token_"))


def _released(table: Table, status: object) -> dict[str, Any]:
    values: dict[str, Any] = {"claim_token": null(), "locked_at": null()}
    return {**values, "status": status} if "status" in table.c else values


def _failure(table: Table) -> dict[str, Any]:
    is_last = table.c.attempt_count + 1 >= bindparam("attempts_")
    now = bindparam("now_", type_=table.c.dead_at.type)
    return {
        **_released(table, case((is_last, DEAD), else_=PENDING)),
        "attempt_count": table.c.attempt_count + 1,
        "last_error": bindparam("error_", type_=table.c.last_error.type),
        "next_attempt_at": bindparam("retry_at_", type_=table.c.next_attempt_at.type),
        "dead_at": case((is_last, now), else_=null()),
    }


def _held_behind(table: Table, in_order_of: str) -> Select[Any]:
    """Give the ids of what `token_` has behind those of the rows `ids_` that are tried again."""
    first, behind = table.alias("first"), table.alias("behind")
    is_retried = first.c.attempt_count + 1 < bindparam("attempts_")
    return (
        select(behind.c.id)
        .join(first, _pending_in_queue(behind, in_order_of, first))
        .where(_still_claimed(first), is_retried)
        .where(behind.c.claim_token == bindparam("token_"))
        .where(behind.c.id > first.c.id)
    )


def _given_back(table: Table) -> dict[str, Any]:
    values = {
        "attempt_count": table.c.attempt_count,
        "last_error": table.c.last_error,
        "next_attempt_at": bindparam("now_", type_=table.c.next_attempt_at.type),
        "dead_at": table.c.dead_at,
    }
    return {**values, "status": PENDING} if "status" in table.c else values


def _count(table: Table, condition: ColumnElement[bool]) -> ColumnElement[int]:
    return select(func.count()).select_from(table).where(condition).scalar_subquery()
