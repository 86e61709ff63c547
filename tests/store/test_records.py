"""The records that stores give back."""

from __future__ import annotations

from teleclaude.store.records import Webhook
from teleclaude.testing.clock import START

SECRET = "correct-horse-battery"


def webhook(secret: str | None) -> Webhook:
    values: dict[str, object] = dict.fromkeys(Webhook._fields)
    given = {"id": 7, "created_at": START, "target_url": "https://x", "target_secret": secret}
    return Webhook(**{**values, **given})  # type: ignore[arg-type]


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
