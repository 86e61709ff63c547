"""The records that stores give back."""

from __future__ import annotations

from typing import Any

import pytest

from mutable_clock import START
from teleclaude.store import records
from teleclaude.store.models import metadata
from teleclaude.store.records import (
    Contract,
    HookEvent,
    Listener,
    Notification,
    ObservationRecord,
    SessionRecord,
    SummaryRecord,
    Voice,
    Webhook,
)

MIRRORS: dict[str, Any] = {
    "sessions": SessionRecord,
    "hook_outbox": HookEvent,
    "notification_outbox": Notification,
    "webhook_outbox": Webhook,
    "session_listeners": Listener,
    "voice_assignments": Voice,
    "webhook_contracts": Contract,
    "memory_observations": ObservationRecord,
    "memory_summaries": SummaryRecord,
}
OTHERS = {"OutboxStats", "Availability", "SavedObservation"}
"""Records that are no rows."""

SECRET = "correct-horse-battery"


def webhook(secret: str | None) -> Webhook:
    values: dict[str, object] = dict.fromkeys(Webhook._fields)
    given = {"id": 7, "created_at": START, "target_url": "https://x", "target_secret": secret}
    return Webhook(**{**values, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize("table", MIRRORS)
def test_a_record_has_the_columns_of_its_table(table: str) -> None:
    """A record has exactly the columns of its table, in the same order."""
    assert list(MIRRORS[table]._fields) == metadata.tables[table].columns.keys()


def test_every_record_is_known_here() -> None:
    """No record is forgotten by the test above."""
    made_here = {
        name
        for name, value in vars(records).items()
        if isinstance(value, type) and issubclass(value, tuple) and hasattr(value, "_fields")
    }
    assert made_here == {record.__name__ for record in MIRRORS.values()} | OTHERS


def test_a_webhook_does_not_show_its_secret() -> None:
    """Neither `repr` nor `str` of a webhook shows what it is signed with."""
    for shown in (repr(webhook(SECRET)), str(webhook(SECRET)), f"{[webhook(SECRET)]}"):
        assert SECRET not in shown
        assert "********" in shown
        assert "https://x" in shown


def test_a_webhook_without_a_secret_shows_that() -> None:
    """Where there is no secret, nothing pretends that there is one."""
    assert "********" not in repr(webhook(None))


def test_a_secret_can_be_read() -> None:
    """Hiding the secret does not change it."""
    assert webhook(SECRET).target_secret == SECRET
