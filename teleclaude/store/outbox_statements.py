"""The statements of an outbox; `outbox` says when they run.

Parameters end in an underscore, so that none is mistaken for the new value of a column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, bindparam, case, delete, exists, func, not_, null, or_, select, update

if TYPE_CHECKING:
    from sqlalchemy import CTE, ColumnElement, Delete, FromClause, Select, Table, Update

PENDING: Final = "pending"
DELIVERED: Final = "delivered"
DEAD: Final = "dead"


def claimable(table: Table, in_order_of: str | None, *, lock: bool) -> CTE:
    """Find the ids of up to `limit_` rows that can be claimed at `now_`, oldest first.

    Two claimers at once never find the same row: the first locks it and the second passes over it.
    A common table expression, because PostgreSQL may run a locking subquery more than once.

    Args:
        table: The outbox.
        in_order_of: A column; rows with the same value in it are handed out in their order, and not
            before the ones ahead of them are settled. `None`: each row stands for itself.
        lock: Whether the rows are going to be claimed.
    """
    if in_order_of is None:
        return _limited(table, select(table.c.id), _due(table), lock=lock).cte("claimable")
    # Whoever has locked the head of a queue has the queue: nobody else may take what follows. What
    # is not settled blocks what follows in every snapshot, so no isolation level is needed for it.
    queue = table.c[in_order_of]
    ahead, follower, blocked = table.alias("ahead"), table.alias("follower"), table.alias("blocked")
    is_head = not_(_exists_before(ahead, table, in_order_of))
    heads = _limited(table, select(queue), and_(_due(table), is_head), lock=lock).cte("heads")
    not_blocked = not_(_exists_before(blocked, follower, in_order_of, not_(_due(blocked))))
    ready = (
        select(follower.c.id)
        .join(heads, heads.c[in_order_of] == follower.c[in_order_of])
        .where(_pending(follower), _due(follower), not_blocked)
    )
    return ready.order_by(follower.c.id).limit(bindparam("limit_")).cte("claimable")


def claim(table: Table, in_order_of: str | None) -> Update:
    """Claim what is claimable: for `token_`, from `now_` `until_` then."""
    ids = claimable(table, in_order_of, lock=True)
    mine = table.c.id.in_(select(ids.c.id))
    return _claim_where(table, mine).returning(*table.c)


def claim_by_id(table: Table) -> Update:
    """Claim the row `id_`, which the caller has locked."""
    return _claim_where(table, table.c.id == bindparam("id_"))


def peek(table: Table, in_order_of: str | None) -> Select[Any]:
    """Give the rows that could be claimed, without claiming them."""
    ids = claimable(table, in_order_of, lock=False)
    return select(table).where(table.c.id.in_(select(ids.c.id))).order_by(table.c.id)


def claimed_by_token(table: Table) -> Select[Any]:
    """Give the rows that `token_` has claimed."""
    return select(table).where(table.c.claim_token == bindparam("token_")).order_by(table.c.id)


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


def failed(table: Table) -> Update:
    """Settle the rows `ids_` of `token_` as failed: try again at `retry_at_`, or give up.

    A row is given up when it has been attempted `attempts_` times.
    """
    is_last = table.c.attempt_count + 1 >= bindparam("attempts_")
    now = bindparam("now_", type_=table.c.dead_at.type)
    status = case((is_last, DEAD), else_=PENDING)
    return (
        update(table)
        .where(_still_claimed(table))
        .values(
            **_released(table, status),
            attempt_count=table.c.attempt_count + 1,
            last_error=bindparam("error_"),
            next_attempt_at=bindparam("retry_at_"),
            dead_at=case((is_last, now), else_=null()),
        )
    )


def dead(table: Table) -> Select[Any]:
    """Give up to `limit_` rows that were given up, oldest first."""
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


def stats(table: Table) -> Select[Any]:
    """Count pending, claimed, dead and delivered rows, and find the oldest one due at `now_`."""
    is_claimed = and_(_pending(table), table.c.claim_token.is_not(None), not_(_due(table)))
    return select(
        _count(table, and_(_pending(table), not_(is_claimed))),
        _count(table, is_claimed),
        _count(table, and_(table.c.delivered_at.is_(None), table.c.dead_at.is_not(None))),
        _count(table, table.c.delivered_at.is_not(None)),
        select(func.min(table.c.created_at)).where(_pending(table), _due(table)).scalar_subquery(),
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
    # What was never claimed is due whatever its producer's clock said.
    untouched = and_(rows.c.claim_token.is_(None), rows.c.attempt_count == 0)
    return or_(rows.c.next_attempt_at <= bindparam("now_"), untouched)


def _limited(
    table: Table, columns: Select[Any], condition: ColumnElement[bool], *, lock: bool
) -> Select[Any]:
    found = _oldest(table, columns.where(_pending(table), condition))
    return found.with_for_update(skip_locked=True) if lock else found


def _oldest(table: Table, rows: Select[Any]) -> Select[Any]:
    # By the whole index: both instants are null in pending rows, but not every planner knows that
    # an index whose first columns are null in all rows gives the order of the next one.
    order = (table.c.delivered_at, table.c.dead_at, table.c.id)
    return rows.order_by(*order).limit(bindparam("limit_"))


def _exists_before(
    earlier: FromClause, row: FromClause, queue: str, *conditions: ColumnElement[bool]
) -> ColumnElement[bool]:
    return exists().where(
        _pending(earlier), earlier.c[queue] == row.c[queue], earlier.c.id < row.c.id, *conditions
    )


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


def _still_claimed(table: Table) -> ColumnElement[bool]:
    mine: ColumnElement[bool] = table.c.id.in_(bindparam("ids_", expanding=True))
    return and_(mine, table.c.claim_token == bindparam("token_"))


def _released(table: Table, status: object) -> dict[str, Any]:
    values: dict[str, Any] = {"claim_token": null(), "locked_at": null()}
    return {**values, "status": status} if "status" in table.c else values


def _count(table: Table, condition: ColumnElement[bool]) -> ColumnElement[int]:
    return select(func.count()).select_from(table).where(condition).scalar_subquery()
