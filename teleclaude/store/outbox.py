"""The outboxes: `db.hook_outbox`, `db.notification_outbox`, `db.webhook_outbox`.

One implementation for three tables. A row is enqueued once, handed out to one claimer at a time,
and kept until it is delivered or given up. A claim is a lease: who does not report before it runs
out may lose the row to somebody else, and what is reported after that does not count.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Protocol, TypeVar
from uuid import uuid4

from sqlalchemy import insert

from teleclaude.errors import InvalidValueError
from teleclaude.store import outbox_statements as statements
from teleclaude.store.columns import checked
from teleclaude.store.models import metadata
from teleclaude.store.records import HookEvent, Notification, OutboxStats, Webhook
from teleclaude.store.values import check_instant, check_limit, moved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import Delete, Insert, Select, Table, Update

    from teleclaude.store.context import StoreContext
    from teleclaude.store.executor import Executor
    from teleclaude.store.values import Document
    from teleclaude.store.ways import Row

MAX_ATTEMPTS: Final = 10
"""How often a row is attempted before it is given up, unless `failed` is told otherwise."""

_PRUNED_AT_ONCE: Final = 1000
"""Rows deleted in one statement: few enough not to keep others from writing for long."""

_SETTLED_AT_ONCE: Final = 500
"""Ids in one statement: engines limit the number of parameters."""


class Claimed(Protocol):
    """What `claim` gives and `delivered` and `failed` take: any record of an outbox."""

    @property
    def id(self) -> int:
        """The row."""
        ...

    @property
    def claim_token(self) -> str | None:
        """The claim it belongs to."""
        ...


R = TypeVar("R")


class _Settlement(NamedTuple):
    """A statement that settles claims, with and without RETURNING the ids that counted."""

    plain: Update
    returning: Update


@dataclass(frozen=True, slots=True)
class _Kind(Generic[R]):
    """One of the tables: what its rows become, and its statements."""

    make: Callable[[Iterable[Any]], R]
    table: Table
    insert: Insert
    claim: Update
    claimable: Select[Any]
    claim_by_id: Update
    claimed_by_token: Select[Any]
    still_claimed: Select[Any]
    delivered: _Settlement
    failed: _Settlement
    peek: Select[Any]
    stats: Select[Any]
    dead: Select[Any]
    requeue: Update
    prune: Delete


def _kind(
    name: str, make: Callable[[Iterable[Any]], R], *, in_order_of: str | None = None
) -> _Kind[R]:
    table = metadata.tables[name]
    return _Kind(
        make=make,
        table=table,
        insert=insert(table),
        claim=statements.claim(table, in_order_of),
        claimable=statements.claimable(table, in_order_of),
        claim_by_id=statements.claim_by_id(table),
        claimed_by_token=statements.claimed_by_token(table),
        still_claimed=statements.still_claimed(table),
        delivered=_settlement(statements.delivered(table), table),
        failed=_settlement(statements.failed(table, in_order_of), table),
        peek=statements.peek(table, in_order_of),
        stats=statements.stats(table, in_order_of),
        dead=statements.dead(table),
        requeue=statements.requeue(table),
        prune=statements.prune(table),
    )


def _settlement(statement: Update, table: Table) -> _Settlement:
    return _Settlement(statement, statement.returning(table.c.id))


_HOOKS: Final = _kind("hook_outbox", HookEvent._make, in_order_of="session_id")
_NOTIFICATIONS: Final = _kind("notification_outbox", Notification._make)
_WEBHOOKS: Final = _kind("webhook_outbox", Webhook._make)


class Outbox(Generic[R]):
    """What all outboxes can do."""

    def __init__(self, context: StoreContext, kind: _Kind[R]) -> None:
        """Make the store; `Db` and `db.transaction()` do."""
        self._executor = context.executor
        self._clock = context.clock
        self._dialect = context.dialect
        self._kind = kind

    async def claim(self, limit: int, lease: timedelta) -> Sequence[R]:
        """Take rows that are due; nobody else gets them before the lease runs out.

        Args:
            limit: How many at most.
            lease: For how long.

        Returns:
            The rows, oldest first. Give them to `delivered` or `failed`.

        Raises:
            InvalidValueError: The limit is no positive integer, or the lease is not positive or
                leads beyond the year 9999.
        """
        now = self._clock()
        check_limit(limit)
        until = moved(now, lease, "lease")
        _check_lease(lease)
        token = uuid4().hex
        claim = {"token_": token, "now_": now, "until_": until}
        found = {"now_": now, "limit_": limit}
        if self._dialect.update_returning:
            rows = (await self._executor.write(self._kind.claim, {**claim, **found})).rows
        else:
            rows = await self._claim_in_steps(claim, found)
        return self._records(sorted(rows, key=lambda row: int(row[0])))

    async def delivered(self, claim: Claimed, error: str | None = None) -> bool:
        """Report that a row is done.

        Args:
            claim: A row that `claim` gave.
            error: A remark to keep, for a row that is done though something went wrong.

        Returns:
            Whether it counted: `False` when the claim was lost in the meantime.
        """
        return claim.id in await self.delivered_many([claim], error)

    async def delivered_many(
        self, claims: Iterable[Claimed], error: str | None = None
    ) -> frozenset[int]:
        """Report that rows are done.

        Args:
            claims: Rows that `claim` gave.
            error: A remark to keep with all of them.

        Returns:
            The ids of those that counted; the claims of the others were lost in the meantime.
        """
        values = {"now_": self._clock(), "error_": error}
        return await self._settle(self._kind.delivered, claims, values)

    async def failed(
        self,
        claim: Claimed,
        error: str,
        retry_at: datetime,
        *,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> bool:
        """Report that an attempt failed.

        Args:
            claim: A row that `claim` gave.
            error: What went wrong.
            retry_at: When it is due again.
            max_attempts: After how many attempts it is given up: it is then dead, stays, and can be
                listed and requeued.

        Returns:
            Whether it counted: `False` when the claim was lost in the meantime.

        Raises:
            InvalidValueError: The number of attempts is no positive integer, or another value
                cannot be stored.
        """
        settled = await self.failed_many([claim], error, retry_at, max_attempts=max_attempts)
        return claim.id in settled

    async def failed_many(
        self,
        claims: Iterable[Claimed],
        error: str,
        retry_at: datetime,
        *,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> frozenset[int]:
        """Report that the attempts at rows failed, for the same reason; see `failed`.

        Returns:
            The ids of those that counted; the claims of the others were lost in the meantime.
        """
        values = {
            "now_": self._clock(),
            "error_": error,
            "retry_at_": check_instant(retry_at, f"{self._kind.table.name}.next_attempt_at"),
            "attempts_": check_limit(max_attempts, "number of attempts"),
        }
        return await self._settle(self._kind.failed, claims, values)

    async def peek(self, limit: int) -> Sequence[R]:
        """Give rows that could be claimed now, oldest first, without claiming them.

        Args:
            limit: How many at most.
        """
        check_limit(limit)
        parameters = {"now_": self._clock(), "limit_": limit}
        return self._records(await self._executor.read(self._kind.peek, parameters))

    async def stats(self) -> OutboxStats:
        """Count the rows by what became of them."""
        now = self._clock()
        row = (await self._executor.read(self._kind.stats, {"now_": now}))[0]
        pending, claimed, dead, delivered, oldest = row
        return OutboxStats(
            pending, claimed, dead, delivered, None if oldest is None else now - oldest
        )

    async def dead(self, limit: int = 100) -> Sequence[R]:
        """List rows that were given up, in the order in which they were.

        Args:
            limit: How many at most.
        """
        check_limit(limit)
        return self._records(await self._executor.read(self._kind.dead, {"limit_": limit}))

    async def requeue(self, row_id: int) -> bool:
        """Make a dead row pending again, with all its attempts before it.

        Args:
            row_id: Which row.

        Returns:
            Whether there was such a dead row.
        """
        parameters = {"id_": row_id, "now_": self._clock()}
        return (await self._executor.write(self._kind.requeue, parameters)).rowcount > 0

    async def prune(self, older_than: timedelta) -> int:
        """Delete delivered rows, a batch at a time.

        Args:
            older_than: How long ago they must have been delivered.

        Returns:
            How many were deleted.

        Raises:
            InvalidValueError: The age leads out of the years 1 to 9999.
        """
        before = moved(self._clock(), older_than, "age", back=True)
        parameters = {"before_": before, "limit_": _PRUNED_AT_ONCE}
        total = 0
        while True:
            deleted = (await self._executor.write(self._kind.prune, parameters)).rowcount
            total += deleted
            if deleted < _PRUNED_AT_ONCE:
                return total

    async def _enqueue(self, fields: Mapping[str, object]) -> int:
        now = self._clock()
        row = checked(self._kind.table, {"created_at": now, "next_attempt_at": now, **fields})
        return await self._executor.insert(self._kind.insert, row)

    async def _claim_in_steps(
        self, claim: Mapping[str, object], found: Mapping[str, object]
    ) -> Sequence[Row]:
        async def unit(executor: Executor) -> Sequence[Row]:
            ids = await executor.read(self._kind.claimable, found)
            await executor.write_many(self._kind.claim_by_id, [{**claim, "id_": i} for (i,) in ids])
            return await executor.read(self._kind.claimed_by_token, {"token_": claim["token_"]})

        return await self._executor.run(unit)

    async def _settle(
        self, settlement: _Settlement, claims: Iterable[Claimed], values: Mapping[str, object]
    ) -> frozenset[int]:
        settled: set[int] = set()
        for token, ids in _batches(claims):
            parameters = {**values, "token_": token, "ids_": ids}
            # What was given back with them was not asked for.
            settled |= (await self._settle_batch(settlement, parameters)).intersection(ids)
        return frozenset(settled)

    async def _settle_batch(
        self, settlement: _Settlement, parameters: Mapping[str, object]
    ) -> frozenset[int]:
        if self._dialect.update_returning:
            rows = (await self._executor.write(settlement.returning, parameters)).rows
            return frozenset(row[0] for row in rows)

        async def unit(executor: Executor) -> frozenset[int]:
            mine = {name: parameters[name] for name in ("token_", "ids_")}
            ids = frozenset(row[0] for row in await executor.read(self._kind.still_claimed, mine))
            await executor.write(settlement.plain, parameters)
            return ids

        return await self._executor.run(unit)

    def _records(self, rows: Iterable[Row]) -> Sequence[R]:
        return [self._kind.make(row) for row in rows]


class HookOutbox(Outbox[HookEvent]):
    """Hook events of agents.

    The events of one session are handed out strictly in their order, and to one claimer at a time.
    A claim may give several: they must be handled one after another. When one of them fails and is
    to be tried again, those behind it are given back: to report them as delivered does not count,
    and they are handed out again after it.
    """

    def __init__(self, context: StoreContext) -> None:
        """Make the store; `Db` and `db.transaction()` do."""
        super().__init__(context, _HOOKS)

    async def enqueue(self, session_id: str, event_type: str, payload: Document) -> int:
        """Store an event; it is durable when this returns, and due at once.

        Args:
            session_id: The session it belongs to; the session need not exist.
            event_type: What happened.
            payload: The details.

        Returns:
            The id of the row.
        """
        return await self._enqueue(
            {"session_id": session_id, "event_type": event_type, "payload": payload}
        )


class NotificationOutbox(Outbox[Notification]):
    """Notifications to people."""

    def __init__(self, context: StoreContext) -> None:
        """Make the store; `Db` and `db.transaction()` do."""
        super().__init__(context, _NOTIFICATIONS)

    async def enqueue(
        self, channel: str, recipient_email: str, content: str, file_path: str | None = None
    ) -> int:
        """Store a notification; it is durable when this returns, and due at once.

        Args:
            channel: How it is sent.
            recipient_email: Who gets it.
            content: What it says.
            file_path: A file to attach.

        Returns:
            The id of the row.
        """
        return await self._enqueue(
            {
                "channel": channel,
                "recipient_email": recipient_email,
                "content": content,
                "file_path": file_path,
            }
        )


class WebhookOutbox(Outbox[Webhook]):
    """Events for subscribers' URLs."""

    def __init__(self, context: StoreContext) -> None:
        """Make the store; `Db` and `db.transaction()` do."""
        super().__init__(context, _WEBHOOKS)

    async def enqueue(
        self,
        contract_id: str,
        event_json: Document,
        target_url: str,
        target_secret: str | None = None,
    ) -> int:
        """Store an event; it is durable when this returns, and due at once.

        Args:
            contract_id: The subscription it is for.
            event_json: The event.
            target_url: Where it goes.
            target_secret: What it is signed with.

        Returns:
            The id of the row.
        """
        return await self._enqueue(
            {
                "contract_id": contract_id,
                "event_json": event_json,
                "target_url": target_url,
                "target_secret": target_secret,
            }
        )


def _batches(claims: Iterable[Claimed]) -> Iterable[tuple[str, list[int]]]:
    by_token: defaultdict[str, list[int]] = defaultdict(list)
    for claim in claims:
        if claim.claim_token is None:
            message = f"The row {claim.id} is not claimed; take it with `claim` first."
            raise InvalidValueError(message)
        by_token[claim.claim_token].append(claim.id)
    for token, ids in by_token.items():
        # The last of a queue first: a failure gives back what is claimed behind it.
        ids.sort(reverse=True)
        for start in range(0, len(ids), _SETTLED_AT_ONCE):
            yield token, ids[start : start + _SETTLED_AT_ONCE]


def _check_lease(lease: timedelta) -> None:
    if (seconds := lease.total_seconds()) <= 0:
        message = f"The lease in seconds must be greater than 0, not {seconds}."
        raise InvalidValueError(message)
