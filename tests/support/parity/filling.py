"""What half of the examples begin with: some of everything, so that most operations find a row."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from parity.calls import Call, Row
from teleclaude.testing.clock import START

if TYPE_CHECKING:
    from collections.abc import Sequence


def _call(operation: str, *args: Any, **kwargs: Any) -> Call:
    store, _, method = operation.partition(".")
    return Call(store, method, args, kwargs)


def _session(session_id: str, title: str, **fields: Any) -> Call:
    return _call(
        "sessions.create", "mac", "tmux1", "telegram", title, session_id=session_id, **fields
    )


def _settled(outbox: str) -> Sequence[Call]:
    """Claim one row after the other: one is delivered, one dead, one waits and one is claimed."""
    settle = [
        _call(f"{outbox}.delivered", Row(outbox, 0)),
        _call(f"{outbox}.failed", Row(outbox, 0), "boom", START, max_attempts=1),
        _call(f"{outbox}.failed", Row(outbox, 0), "boom", START + timedelta(seconds=10)),
    ]
    claim = _call(f"{outbox}.claim", 1, timedelta(seconds=10))
    return [*(call for settling in settle for call in (claim, settling)), claim]


_TOPIC: Final = {"telegram": {"topic": 7}}
_TOPIC_AS_TEXT: Final = {"telegram": {"topic": "7"}}

FILLING: Final[Sequence[Call]] = [
    _session("s1", "Fix", transcript_files=[1], adapter_metadata=_TOPIC),
    _session("s2", "Fix the build", transcript_files=[1.0], adapter_metadata=_TOPIC_AS_TEXT),
    _session("S1", "fix", adapter_metadata={"a": True}, char_offset=1),
    _call("sessions.create_headless", "pc", "api", "F%x", session_id="s%", active_agent="claude"),
    _call("pending_deletions.add", "s1", "m1"),
    _call("pending_deletions.add", "s1", "m2", "feedback"),
    *(
        _call("hook_outbox.enqueue", session, "stop", {"a": 1})
        for session in ("s1", "s2", "s3", "s1", "s2", "s_")
    ),
    *_settled("hook_outbox"),
    *(
        _call("notification_outbox.enqueue", "mail", "ann@example.org", f"{number}")
        for number in range(6)
    ),
    *_settled("notification_outbox"),
    *(
        _call("webhook_outbox.enqueue", "c1", {"a": 1.0}, "https://example.org", "secret")
        for _ in range(6)
    ),
    *_settled("webhook_outbox"),
    _call("listeners.register", "s1", "s2", "tmux1"),
    _call("listeners.register", "s1", "s3", "tmux1"),
    _call("listeners.register", "s2", "s1", "tmux2"),
    _call("voices.assign", "s1", "tts", "a"),
    _call("voices.assign", "s3", "say", ""),
    _call("agents.mark_unavailable", "claude", START + timedelta(seconds=10), "quota"),
    _call("agents.mark_degraded", "codex", "slow"),
    _call("settings.set", "k", "v"),
    _call("settings.set", "\u00e9", "it's"),
    _call("webhook_contracts.upsert", "c1", {"a": 1}),
    _call("webhook_contracts.upsert", "c2", [1.0], source="file"),
    _call("memory.save", "The caf\u00e9 cache. A ca of x-y", concepts=["cache"], facts=["3.14"]),
    _call("memory.save", "stra\u00dfe NEAR CACHE", identity_key="ann", type="decision"),
    _call("memory.save", "\u4f60\u597d \u0130stanbul na\u00efve", project="other"),
    _call("memory.save", "cache ca a_b", "and"),
    _call("memory.save_summary", request="a", learned="it's"),
]
"""Calls, each of which gives something."""
