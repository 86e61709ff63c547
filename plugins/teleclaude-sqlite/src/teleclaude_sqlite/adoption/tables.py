"""What is special about single tables: defaults, and what the old program wrote in another way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from teleclaude_sqlite.adoption.reading import read_adapters, read_epoch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    Stored = MutableMapping[str, object]

DEFAULTS: Final[Mapping[str, object]] = {
    "active": 1,
    "attempt_count": 0,
    "available": 1,
    "char_offset": 0,
    "discovery_tokens": 0,
    "initiated_by_ai": 0,
    "last_input_origin": "telegram",
    "lifecycle_status": "active",
    "notification_sent": 0,
    "source": "api",
    "status": "pending",
    "transcript_files": "[]",
    "tui_capture_started": 0,
    "visibility": "private",
}
"""What stands in a column that must not be null where the old row has nothing."""

LISTS: Final = frozenset({"concepts", "facts", "files_modified", "files_read", "transcript_files"})
"""Documents that are lists."""

SUBSTITUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "created_at": ("last_activity", "updated_at", "next_attempt_at", "delivered_at"),
    "last_activity": ("created_at",),
    "closed_at": ("last_activity", "created_at"),
    "delivered_at": ("next_attempt_at", "created_at"),
    "updated_at": ("created_at",),
    "next_attempt_at": ("created_at",),
}
"""Which other instants of the row stand for one that must be there and is not: the first there is,
otherwise the time of the adoption."""

NEW: Final = frozenset({"claim_token", "dead_at", "search_text"})
"""Columns that the old program never had: one of that name is somebody else's."""

MEANT: Final = frozenset({"closed_at", "delivered_at"})
"""Instants that say that something happened, even where they cannot be read: without one, a session
would be open again, and an event would be sent twice."""

READERS: Final[Mapping[str, Callable[[object], object]]] = {
    "adapter_metadata": read_adapters,
    "created_at_epoch": read_epoch,
}
"""Columns whose values are read in a way of their own."""

ALLOWED: Final = {("pending_message_deletions", "deletion_type"): {"user_input", "feedback"}}
"""What a constraint of the table admits."""

_OLD_TYPES: Final = frozenset({"bugfix", "feature", "refactor", "change"})
_VOICES: Final = {
    "elevenlabs": "elevenlabs_id",
    "macos": "macos_voice",
    "openai": "openai_voice",
}
_VOICE_NAME: Final = "voice_name"
_GIVEN_UP: Final = frozenset({"rejected", "dead_letter"})
_UNREADABLE: Final = "adopted without what could not be read; see the table quarantine"


def settle_voice(raw: Mapping[str, object]) -> tuple[Mapping[str, object], frozenset[str]]:
    """Bring the columns of one voice per service into those of a service and its voice.

    Args:
        raw: The old row.

    Returns:
        The row with `service_name` and `voice`; the old columns that say nothing beside those.
    """
    olds = (*_VOICES.values(), _VOICE_NAME)
    row = {name: raw[name] for name in raw if name not in olds}
    if not row.get("service_name") and not row.get("voice"):
        filled = [(service, raw[name]) for service, name in _VOICES.items() if raw.get(name)]
        if filled:
            row["service_name"], row["voice"] = filled[0]
        elif raw.get(_VOICE_NAME):
            row["voice"] = raw[_VOICE_NAME]
    source = _VOICES.get(str(row.get("service_name")), _VOICE_NAME)
    said = {source} if raw.get(source) == row.get("voice") else set()
    return row, frozenset(said | {name for name in olds if raw.get(name) == ""})


def settle(table: str, stored: Stored, raw: Mapping[str, object], unreadable: set[str]) -> None:
    """Bring a row into agreement with itself.

    Args:
        table: Its table.
        stored: The new row, as it will be stored; it is changed.
        raw: The old row.
        unreadable: The columns, among those that must not be null, that could not be read.
    """
    if table == "sessions":
        _settle_session(stored)
    elif table == "memory_observations":
        if stored["type"] in _OLD_TYPES:
            stored["type"] = "discovery"
    elif table == "webhook_contracts":
        if "contract_json" in unreadable:
            stored["active"] = 0  # an empty contract could stand for everything
    elif table.endswith("_outbox"):
        _settle_outbox(stored, raw, unreadable)


def _settle_session(stored: Stored) -> None:
    if stored["tmux_session_name"] == "":
        stored["tmux_session_name"] = None
    if stored["closed_at"] is not None and stored["lifecycle_status"] == "active":
        stored["lifecycle_status"] = "closed"


def _settle_outbox(stored: Stored, raw: Mapping[str, object], unreadable: set[str]) -> None:
    stored["locked_at"] = stored["claim_token"] = None  # whoever had it is gone
    given_up = stored.get("status") in _GIVEN_UP or raw.get("next_attempt_at") == ""
    is_pending = stored["delivered_at"] is None
    if is_pending and (given_up or unreadable):
        stored["dead_at"] = stored["created_at"]
        if stored.get("status") == "pending":
            stored["status"] = "dead"
        if unreadable and stored["last_error"] is None:
            stored["last_error"] = _UNREADABLE
    elif is_pending and stored["next_attempt_at"] is None:
        stored["next_attempt_at"] = stored["created_at"]
