"""What is in the databases that `legacy_databases.py` makes: rows as the old program wrote them.

Every format and every nasty value that was found in old databases is here once. Columns have the
names they had last; a database of an earlier level gets those it has a place for. What becomes of
the rows is written down in `tests/data/adopted.yml`, by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Row = Mapping[str, object]

SENTENCE: Final = 'it\'s "quoted"\n\N{PILE OF POO} \u05e9\u05dc\u05d5\u05dd 100 % \\u0041'
"""Quotes, a newline, an emoji, right-to-left text."""

TOO_LONG: Final = "k" * 1200
"""Longer than a key can be today."""

SESSIONS: Final[Sequence[Row]] = (
    {
        "session_id": "plain",
        "computer_name": "mac",
        "title": SENTENCE,
        "tmux_session_name": "tc_plain",
        "last_input_origin": "discord",
        "origin_adapter": "telegram",
        "last_input_adapter": "discord",
        "adapter_metadata": (
            '{"telegram": {"topic_id": "4711", "output_message_id": "9"},'
            ' "x": "\\u00e9\\ud83d\\ude00"}'
        ),
        "created_at": "2026-02-01 10:00:00.000001",
        "last_activity": "2026-02-01 10:00:00.999999",
        "closed_at": None,
        "terminal_size": "120x40",
        "project_path": "/home/me/project",
        "subdir": "trees/one",
        "description": "",
        "initiated_by_ai": 1,
        "initiator_session_id": "old",
        "output_message_id": "123456789012",
        "notification_sent": 1,
        "native_session_id": "native-1",
        "native_log_file": "/tmp/native.jsonl",  # noqa: S108 - only a text
        "active_agent": "claude",
        "thinking_mode": "slow",
        "tui_log_file": None,
        "tui_capture_started": 0,
        "last_message_sent": "hello",
        "last_message_sent_at": "2026-02-01 10:00:01.100000",
        "last_output_raw": "raw " + SENTENCE,
        "last_output_at": "2026-02-01 10:00:02.200000",
        "working_slug": "a-slug",
        "lifecycle_status": "active",
        "last_output_summary": "summary",
        "last_output_digest": "abc123",
        "last_tool_done_at": "2026-02-01 10:00:03.300000",
        "last_tool_use_at": "2026-02-01 10:00:04.400000",
        "last_checkpoint_at": "2026-02-01 10:00:05.500000",
        "human_email": "me@example.org",
        "human_role": "admin",
        "last_memory_extraction_at": "2026-02-01T10:00:06.600000+00:00",
        "help_desk_processed_at": "2026-02-01T10:00:07+00:00",
        "relay_status": "active",
        "relay_discord_channel_id": "998877",
        "relay_started_at": "2026-02-01T10:00:08+00:00",
        "char_offset": 4096,
        "transcript_files": '["/tmp/a.jsonl", "/tmp/b.jsonl"]',
        "visibility": "public",
    },
    {
        "session_id": "old",
        "computer_name": "mac",
        "title": "from before January 18",
        "tmux_session_name": "",
        "origin_adapter": "telegram",
        "adapter_metadata": "",
        "created_at": "2026-01-10T08:00:00.123456+00:00",
        "last_activity": "2026-01-10T08:00:00+00:00",
        "closed_at": "2026-01-11T08:00:00+00:00",
        "lifecycle_status": "closed",
        "transcript_files": "",
    },
    {
        "session_id": "defaults",
        "computer_name": "pi",
        "title": None,
        "tmux_session_name": None,
        "adapter_metadata": None,
        "created_at": "2026-01-12 12:30:00",
        "last_activity": "2026-01-12 12:30:01",
        "initiated_by_ai": None,
        "notification_sent": None,
        "tui_capture_started": None,
        "lifecycle_status": None,
        "char_offset": None,
        "transcript_files": None,
        "visibility": None,
    },
    {
        "session_id": "closed but active",
        "computer_name": "mac",
        "title": "closed",
        "tmux_session_name": "tc_closed",
        "adapter_metadata": "[]",
        "created_at": "2026-02-02 10:00:00.000000",
        "last_activity": "2026-02-02 11:00:00.000000",
        "closed_at": "2026-02-02 12:00:00.000000",
        "lifecycle_status": "active",
    },
    {
        "session_id": "headless",
        "computer_name": "headless-host",
        "title": "headless",
        "tmux_session_name": "",
        "adapter_metadata": '{"telegram": {"topic_id": 77}}',
        "created_at": "2026-02-03 10:00:00.000000",
        "last_activity": "2026-02-03 10:00:00.000000",
        "lifecycle_status": "headless",
    },
    {
        "session_id": "broken",
        "computer_name": "broken-host",
        "title": "nul\0character",
        "tmux_session_name": "tc_broken",
        "adapter_metadata": '{"telegram": {"topic_id": ',
        "created_at": "yesterday",
        "last_activity": "2026-02-04 10:00:00.000000",
        "closed_at": None,
        "description": bytearray(b"not \xff UTF-8"),
        "initiated_by_ai": 7,
        "native_session_id": TOO_LONG,
        "native_log_file": b"\x00\x01bytes",
        "last_message_sent_at": "",
        "last_output_at": "2026-02-30 10:00:00.000000",
        "lifecycle_status": "active",
        "last_checkpoint_at": "soon",
        "char_offset": 1.5e300,
        "transcript_files": '{"not": "a list"}',
    },
    {
        "session_id": "numbers",
        "computer_name": "other",
        "title": "numbers",
        "tmux_session_name": "tc_numbers",
        "adapter_metadata": (
            '{"telegram": {"topic_id": "99999999999999999999", "n": 0.1}, "list": [1, null, true]}'
        ),
        "created_at": "2026-02-05 10:00:00.000000",
        "last_activity": "2026-02-05 10:00:00.000000",
    },
    {
        "session_id": "closed badly",
        "computer_name": "other",
        "title": "closed badly",
        "tmux_session_name": "tc_badly",
        "created_at": "2026-02-05 11:00:00.000000",
        "last_activity": "2026-02-05 12:00:00.000000",
        "closed_at": "some day",
        "lifecycle_status": "active",
    },
    {
        "session_id": None,
        "computer_name": "nobody",
        "title": "without a key",
        "tmux_session_name": "tc_null",
        "created_at": "2026-02-06 10:00:00.000000",
        "last_activity": "2026-02-06 10:00:00.000000",
    },
)

OTHERS: Final[Mapping[str, Sequence[Row]]] = {
    "voice_assignments": (
        {
            "id": "plain",
            "service_name": "openai",
            "voice": "alloy",
            "openai_voice": "alloy",
            "voice_name": "Alloy",
            "assigned_at": "2026-02-01 10:00:00.500000",
        },
        {
            "id": "old",
            "service_name": "macos",
            "voice": "Daniel",
            "macos_voice": "Daniel",
            "assigned_at": "2026-01-01 10:00:00",
        },
        {"id": "none", "service_name": None, "voice": None, "assigned_at": None},
    ),
    "pending_message_deletions": (
        {
            "id": 1,
            "session_id": "plain",
            "message_id": "100",
            "deletion_type": "user_input",
            "created_at": None,
        },
        {
            "id": 2,
            "session_id": "plain",
            "message_id": "100",
            "deletion_type": "feedback",
            "created_at": "2026-02-01 10:00:00",
        },
        {
            "id": 3,
            "session_id": "gone",
            "message_id": "101",
            "deletion_type": "feedback",
            "created_at": None,
        },
        {
            "id": 7,
            "session_id": "gone",
            "message_id": "102",
            "deletion_type": "user_input",
            "created_at": "2026-02-01 10:00:00",
        },
    ),
    "system_settings": (
        {"key": "voice", "value": "on " + SENTENCE, "updated_at": "2026-02-01 10:00:00"},
        {"key": "empty", "value": "", "updated_at": None},
    ),
    "agent_availability": (
        {"agent": "claude", "available": 1, "unavailable_until": None, "reason": None},
        {
            "agent": "codex",
            "available": 0,
            "unavailable_until": "2026-02-01T12:00:00.123Z",
            "reason": "limit",
        },
        {
            "agent": "gemini",
            "available": 0,
            "unavailable_until": "2026-02-01T12:00:00+02:00",
            "reason": "limit",
        },
        {
            "agent": "words",
            "available": 0,
            "unavailable_until": "tomorrow 9am",
            "reason": "limit",
        },
        {
            "agent": "null",
            "available": None,
            "unavailable_until": "2026-02-01T12:00:00.654321+00:00",
            "reason": "degraded: slow",
        },
    ),
    "hook_outbox": (
        {
            "id": 1,
            "session_id": "plain",
            "event_type": "stop",
            "payload": '{"text": "caf\\u00e9 \\ud83d\\ude00", "n": 12345678901234567}',
            "created_at": "2026-02-01T10:00:00.000001+00:00",
            "next_attempt_at": "2026-02-01T10:00:00+00:00",
            "attempt_count": 2,
            "last_error": "refused",
            "delivered_at": "2026-02-01T10:00:09.000009+00:00",
            "locked_at": "2026-02-01T10:00:08+00:00",
        },
        {
            "id": 2,
            "session_id": "plain",
            "event_type": "claimed",
            "payload": "{}",
            "created_at": "2026-02-01T10:01:00+00:00",
            "next_attempt_at": "2026-02-01T10:01:00+00:00",
            "attempt_count": None,
            "locked_at": "2026-02-01T10:01:01.000000+00:00",
        },
        {
            "id": 3,
            "session_id": "gone",
            "event_type": "defaults",
            "payload": "[]",
            "created_at": "2026-02-01 10:02:00",
            "next_attempt_at": "2026-02-01 10:02:00",
        },
        {
            "id": 4,
            "session_id": "plain",
            "event_type": "broken",
            "payload": '{"text": "cut o',
            "created_at": "2026-02-01T10:03:00+00:00",
            "next_attempt_at": None,
        },
        {
            "id": 5,
            "session_id": "plain",
            "event_type": "nul",
            "payload": '{"text": "a\\u0000b"}',
            "created_at": "2026-02-01T10:04:00+00:00",
            "next_attempt_at": "2026-02-01T10:04:00+00:00",
        },
        {
            "id": 6,
            "session_id": TOO_LONG,
            "event_type": "long",
            "payload": "{}",
            "created_at": "2026-02-01T10:05:00+00:00",
            "next_attempt_at": "2026-02-01T10:05:00+00:00",
        },
        {
            "id": 7,
            "session_id": "plain",
            "event_type": "large",
            "payload": '{"n": 99999999999999999999}',
            "created_at": "2026-02-01T10:06:00+00:00",
            "next_attempt_at": "2026-02-01T10:06:00+00:00",
            "delivered_at": "2026-02-01T10:06:01+00:00",
        },
        {
            "id": 8,
            "session_id": "plain",
            "event_type": "done",
            "payload": "{}",
            "created_at": "2026-02-01T10:07:00+00:00",
            "next_attempt_at": "2026-02-01T10:07:00+00:00",
            "delivered_at": "whenever",
        },
    ),
    "notification_outbox": (
        {
            "id": 1,
            "channel": "telegram",
            "recipient_email": "me@example.org",
            "content": SENTENCE,
            "file_path": "/tmp/file.txt",  # noqa: S108 - only a text
            "status": "pending",
            "created_at": "2026-02-01T10:00:00.000001+00:00",
            "next_attempt_at": "2026-02-01T10:00:00+00:00",
            "locked_at": "2026-02-01T10:00:01+00:00",
        },
        {
            "id": 2,
            "channel": "telegram",
            "recipient_email": "me@example.org",
            "content": "given up",
            "status": "failed",
            "created_at": "2026-02-01T10:00:00+00:00",
            "next_attempt_at": "",
            "attempt_count": 10,
            "last_error": "no such chat",
        },
        {
            "id": 3,
            "channel": "telegram",
            "recipient_email": "me@example.org",
            "content": "delivered",
            "status": "delivered",
            "created_at": "2026-02-01T10:00:00+00:00",
            "next_attempt_at": "",
            "delivered_at": "2026-02-01T10:00:05+00:00",
        },
        {
            "id": 4,
            "channel": "telegram",
            "recipient_email": "me@example.org",
            "content": "nul\0",
            "status": "pending",
            "created_at": "2026-02-01T10:00:00+00:00",
            "next_attempt_at": None,
        },
    ),
    "webhook_contracts": (
        {
            "id": "c1",
            "contract_json": '{"url": "https://example.org/hook"}',
            "active": 1,
            "created_at": "2026-02-01T10:00:00+00:00",
            "updated_at": "2026-02-01T10:00:00.000001+00:00",
        },
        {
            "id": "c2",
            "contract_json": "not JSON",
            "active": 1,
            "source": "config",
            "created_at": "2026-02-01T10:00:00+00:00",
            "updated_at": "2026-02-01T10:00:00+00:00",
        },
    ),
    "webhook_outbox": (
        {
            "id": 1,
            "contract_id": "c1",
            "event_json": '{"event": 1}',
            "target_url": "https://example.org/hook",
            "target_secret": "secret",
            "status": "pending",
            "created_at": "2026-02-01T10:00:00+00:00",
            "next_attempt_at": "2026-02-01T10:00:10.5+00:00",
            "attempt_count": 1,
        },
        {
            "id": 2,
            "contract_id": "c1",
            "event_json": '{"event": 2}',
            "target_url": "https://example.org/hook",
            "status": "rejected",
            "created_at": "2026-02-01T10:00:01+00:00",
            "next_attempt_at": None,
            "last_error": "410",
        },
        {
            "id": 3,
            "contract_id": "c1",
            "event_json": '{"event": 3}',
            "target_url": "https://example.org/hook",
            "status": "dead_letter",
            "created_at": "2026-02-01T10:00:02+00:00",
            "next_attempt_at": None,
            "attempt_count": 10,
        },
    ),
    "session_listeners": (
        {
            "target_session_id": "plain",
            "caller_session_id": "old",
            "caller_tmux_session": "tc_old",
            "registered_at": "2026-02-01T10:00:00.000001+00:00",
        },
        {
            "target_session_id": "gone",
            "caller_session_id": "old",
            "caller_tmux_session": "",
            "registered_at": "2026-02-01T10:00:00+00:00",
        },
    ),
    "memory_summaries": (
        {
            "id": 1,
            "memory_session_id": "m1",
            "project": "teleclaude",
            "request": SENTENCE,
            "learned": "something",
            "created_at": "2026-02-01T10:00:00.123Z",
            "created_at_epoch": 1769940000123,
        },
        {
            "id": 2,
            "memory_session_id": "m1",
            "project": "teleclaude",
            "created_at": "2026-02-01T10:00:00+00:00",
            "created_at_epoch": 1769940000,
        },
    ),
    "memory_manual_sessions": (
        {"memory_session_id": "m1", "project": "teleclaude", "created_at_epoch": 1769940000},
        {"memory_session_id": "m2", "project": "imported", "created_at_epoch": 1769940000123},
    ),
}


def _observation(row_id: int, kind: str, **more: object) -> Row:
    return {
        "id": row_id,
        "memory_session_id": "m1",
        "project": "teleclaude",
        "type": kind,
        "created_at": "2026-02-01T10:00:00.000001+00:00",
        "created_at_epoch": 1769940000,
        **more,
    }


OBSERVATIONS: Final = (
    _observation(
        1,
        "decision",
        title="Caf\u00e9 locks",
        subtitle="A subtitle",
        narrative="Use advisory locks.\n" + SENTENCE,
        facts='["one fact", "caf\\u00e9"]',
        concepts='["locking"]',
        files_read='["a.py"]',
        files_modified="[]",
        prompt_number=3,
        discovery_tokens=120,
        identity_key="me@example.org",
    ),
    _observation(2, "discovery", discovery_tokens=None),
    _observation(
        3,
        "discovery",
        title="imported",
        facts='["imported',
        created_at="2026-02-01T10:00:00.123Z",
        created_at_epoch=1769940000123,
    ),
)


def rows_of(*, is_widened: bool) -> Mapping[str, Sequence[Row]]:
    """Give the rows by table, parents first.

    Args:
        is_widened: Whether observations can have the later types.
    """
    kinds = ("gotcha", "preference") if is_widened else ("bugfix", "feature", "refactor", "change")
    first = 10 if is_widened else 20
    more = [_observation(number, kind, title=kind) for number, kind in enumerate(kinds, first)]
    return {"sessions": SESSIONS, **OTHERS, "memory_observations": [*OBSERVATIONS, *more]}
