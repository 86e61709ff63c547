"""What the databases of earlier TeleClaude versions look like: facts, no code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORD: Final = "schema_migrations"
"""The table in which the old runner recorded its migrations."""

QUARANTINE: Final = "quarantine"
"""The table of the first revision that takes what has no place; no old database may have one."""

LEVELS: Final = (
    "001_fix_sessions_tmux_nullable",
    "002_add_last_output_digest",
    "003_add_agent_output_fields",
    "004_add_checkpoint_fields",
    "005_add_memory_tables",
    "006_widen_observation_types",
    "007_rename_activity_columns",
    "008_add_human_identity_fields",
    "009_add_notification_outbox",
    "010_add_session_listeners",
    "011_rename_feedback_to_output_summary",
    "012_add_help_desk_session_fields",
    "012_add_memory_identity_key",
    "013_add_session_relay_columns",
    "014_add_memory_obs_identity_index",
    "015_add_session_char_offset",
    "016_add_transcript_files",
    "017_add_session_visibility",
)
"""The migrations in the order in which they ran; the last one recorded is a database's level."""

OLD_NUMBERING: Final = (
    "001_add_ux_columns",
    "002_add_working_slug",
    "003_add_closed_at",
    "004_remove_closed_column",
    "005_project_path_refactor",
    "006_remove_working_directory",
    "007_split_project_path_subdir",
    "008_rename_terminal_outbox",
    "008_add_lifecycle_status",
    "009_drop_api_outbox",
    "010_last_input_origin",
    "011_add_last_feedback_summary",
)
"""Migrations from before that; databases that lived through them have their names as well."""

SEARCH: Final = "memory_observations_fts"
"""The old full-text table; it has its content in `memory_observations`."""

SEARCH_PARTS: Final = frozenset(
    {SEARCH, *(f"{SEARCH}_{part}" for part in ("data", "idx", "content", "docsize", "config"))}
)
SEARCH_TRIGGERS: Final = frozenset({"memory_obs_ai", "memory_obs_ad", "memory_obs_au"})


class OldTable(NamedTuple):
    """A table of the old program.

    Attributes:
        key: The columns that identify a row.
        others: Columns without which it is not the old program's table.
        renamed: By today's name of a column: its earlier ones, the latest first.
    """

    key: tuple[str, ...]
    others: tuple[str, ...] = ()
    renamed: Mapping[str, tuple[str, ...]] = {}


TABLES: Final[Mapping[str, OldTable]] = {
    "sessions": OldTable(
        ("session_id",),
        ("computer_name", "tmux_session_name", "adapter_metadata"),
        {
            "last_input_origin": ("last_input_adapter", "origin_adapter"),
            "last_output_raw": ("last_feedback_received",),
            "last_output_at": ("last_feedback_received_at",),
            "last_output_summary": ("last_feedback_summary",),
            "last_tool_use_at": ("last_after_model_at",),
            "last_tool_done_at": ("last_agent_output_at",),
        },
    ),
    "voice_assignments": OldTable(("id",), ("assigned_at",)),
    "pending_message_deletions": OldTable(
        ("id",), ("session_id", "message_id", "deletion_type", "created_at")
    ),
    "system_settings": OldTable(("key",), ("value",)),
    "agent_availability": OldTable(("agent",), ("available",)),
    "hook_outbox": OldTable(("id",), ("session_id", "event_type", "payload")),
    "notification_outbox": OldTable(("id",), ("channel", "recipient_email", "content", "status")),
    "memory_observations": OldTable(
        ("id",), ("memory_session_id", "project", "type", "created_at_epoch")
    ),
    "memory_summaries": OldTable(("id",), ("memory_session_id", "project", "created_at_epoch")),
    "memory_manual_sessions": OldTable(("memory_session_id",), ("project",)),
    "webhook_contracts": OldTable(("id",), ("contract_json",)),
    "webhook_outbox": OldTable(("id",), ("contract_id", "event_json", "target_url", "status")),
    "session_listeners": OldTable(
        ("target_session_id", "caller_session_id"), ("caller_tmux_session", "registered_at")
    ),
}
"""All tables of the old program but its record and its full-text table."""
