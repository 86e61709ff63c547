"""The statements of an outbox; `outbox` says when they run.

Parameters end in an underscore, so that none is mistaken for the new value of a column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    not_,
    null,
    or_,
    select,
    union_all,
    update,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Delete, FromClause, Select, Table, Update

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
    # Whoever has locked the head of a queue has the queue: nobody else may take what follows. What
    # is not settled blocks what follows in every snapshot, so no isolation level is needed for it.
    queue = table.c[in_order_of]
    first = select(queue).where(_ready(table), _is_head(table, in_order_of))
    heads = _oldest(table, first).with_for_update(skip_locked=True).cte("heads")
    follower, waiting = table.alias("follower"), table.alias("waiting")
    blocked = _exists_in_queue(
        waiting, follower, in_order_of, waiting.c.id < follower.c.id, not_(_due(waiting))
    )
    ready = (
        select(follower.c.id)
        .join(heads, heads.c[in_order_of] == follower.c[in_order_of])
        .where(_ready(follower), not_(blocked))
    )
    # Not passing over what is locked: that would hand out what is behind it.
    return _oldest(follower, ready).with_for_update(of=follower)


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
    """Delete up to `limit_` rows that were delivered before `before_`."""
    # Without a common table expression: some drivers count rows only for statements that begin with
    # the word for what they do.
    old = _oldest(table, select(table.c.id).where(table.c.delivered_at < bindparam("before_")))
    return delete(table).where(table.c.id.in_(old))


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


def _is_head(table: Table, in_order_of: str) -> ColumnElement[bool]:
    # A scalar subquery, because as NOT EXISTS some planners compare all rows of a queue with all.
    first, other = table.alias("first"), table.alias("other")
    in_queue = select(first.c.id).where(
        _pending(first), first.c[in_order_of] == table.c[in_order_of]
    )
    is_first = table.c.id == _in_order(first, in_queue).limit(1).scalar_subquery()
    # A later row can be claimed where the first was settled and has come back, or was committed
    # after it; whoever has any of the queue has all of it.
    is_taken = _exists_in_queue(other, table, in_order_of, _claimed(other))
    return and_(is_first, not_(is_taken))


def _could_be_claimed(table: Table, in_order_of: str | None) -> ColumnElement[bool]:
    if in_order_of is None:
        return _ready(table)
    other = table.alias("other")
    in_the_way = or_(other.c.claim_token.is_not(None), other.c.id < table.c.id)
    is_blocked = _exists_in_queue(other, table, in_order_of, not_(_due(other)), in_the_way)
    return and_(_ready(table), not_(is_blocked))


def _oldest(table: FromClause, rows: Select[Any]) -> Select[Any]:
    return _in_order(table, rows).limit(bindparam("limit_"))


def _in_order(table: FromClause, rows: Select[Any]) -> Select[Any]:
    # By the whole index: both instants are null in pending rows, but not every planner knows that
    # an index whose first columns are null in all rows gives the order of the next one.
    return rows.order_by(table.c.delivered_at, table.c.dead_at, table.c.id)


def _exists_in_queue(
    other: FromClause, row: FromClause, queue: str, *conditions: ColumnElement[bool]
) -> ColumnElement[bool]:
    return exists().where(_pending(other), other.c[queue] == row.c[queue], *conditions)


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
        .join(first, first.c[in_order_of] == behind.c[in_order_of])
        .where(_still_claimed(first), is_retried)
        .where(_pending(behind), behind.c.claim_token == bindparam("token_"))
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
