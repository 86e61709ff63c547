"""Tables of the three outboxes: hook events, notifications, webhooks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index

from teleclaude.store.models.base import (
    Model,
    counter,
    document,
    instant,
    instant_or_null,
    key,
    key_or_null,
    key_with_default,
    required_text,
    surrogate_key,
    text,
)
from teleclaude.store.values import Document

_PENDING_IN_ORDER = ("dead_at", "delivered_at", "id")
"""An index on these gives the pending rows oldest first: in them, both instants are null.

`outbox_statements` says why `dead_at` comes first, and why it does not where a queue is looked for.
"""


class OutboxRow(Model):
    """What every outbox row has.

    A row is *pending* until it is delivered or dead. While it is claimed, `claim_token` says by
    which claim, `locked_at` since when, and `next_attempt_at` when the lease runs out; while it
    waits for its next attempt, `next_attempt_at` says until when. So one condition tells what is
    due, whether a lease ran out or a retry has come.
    """

    id: int = surrogate_key()
    created_at: datetime = instant()
    next_attempt_at: datetime | None = instant_or_null()
    attempt_count: int = counter()
    last_error: str | None = text()
    delivered_at: datetime | None = instant_or_null()
    locked_at: datetime | None = instant_or_null()
    dead_at: datetime | None = instant_or_null()
    claim_token: str | None = key_or_null()


class HookOutboxRow(OutboxRow, table=True):
    """A hook event of an agent, on its way to the handlers."""

    __tablename__ = "hook_outbox"
    __table_args__ = (
        Index(None, *_PENDING_IN_ORDER),
        Index(None, "session_id", "delivered_at", "dead_at", "id"),
    )

    next_attempt_at: datetime = instant()
    session_id: str = key()
    event_type: str = key()
    payload: Document = document()


class NotificationOutboxRow(OutboxRow, table=True):
    """A notification on its way to a person."""

    __tablename__ = "notification_outbox"
    __table_args__ = (Index(None, *_PENDING_IN_ORDER),)

    channel: str = key()
    recipient_email: str = key()
    content: str = required_text()
    file_path: str | None = text()
    status: str = key_with_default("pending")


class WebhookOutboxRow(OutboxRow, table=True):
    """An event on its way to a subscriber's URL."""

    __tablename__ = "webhook_outbox"
    __table_args__ = (Index(None, *_PENDING_IN_ORDER),)

    contract_id: str = key()
    event_json: Document = document()
    target_url: str = required_text()
    target_secret: str | None = text()
    status: str = key_with_default("pending")
