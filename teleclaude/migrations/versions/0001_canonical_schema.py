"""The canonical schema: all fourteen tables.

Written with the logical types, so that one revision serves every engine.
"""

import sqlalchemy as sa
from alembic import op

from teleclaude.store import types

revision = "0001"
down_revision = None

_OBSERVATIONS = sa.table("memory_observations", sa.column("id"), sa.column("search_text"))


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "agent_availability",
        sa.Column("agent", types.Key(), nullable=False),
        sa.Column("available", types.Flag(), server_default=sa.true(), nullable=False),
        sa.Column("unavailable_until", types.UtcDateTime(), nullable=True),
        sa.Column("reason", types.LongText(), nullable=True),
        sa.PrimaryKeyConstraint("agent", name=op.f("pk_agent_availability")),
    )
    op.create_table(
        "hook_outbox",
        sa.Column("id", types.SurrogateKey(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("next_attempt_at", types.UtcDateTime(), nullable=False),
        sa.Column("attempt_count", types.BigInt(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", types.LongText(), nullable=True),
        sa.Column("delivered_at", types.UtcDateTime(), nullable=True),
        sa.Column("locked_at", types.UtcDateTime(), nullable=True),
        sa.Column("dead_at", types.UtcDateTime(), nullable=True),
        sa.Column("claim_token", types.Key(), nullable=True),
        sa.Column("session_id", types.Key(), nullable=False),
        sa.Column("event_type", types.Key(), nullable=False),
        sa.Column("payload", types.JsonDocument(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook_outbox")),
    )
    op.create_index(
        op.f("ix_hook_outbox_dead_at_delivered_at_id"),
        "hook_outbox",
        ["dead_at", "delivered_at", "id"],
    )
    op.create_index(
        op.f("ix_hook_outbox_session_id_delivered_at_dead_at_id"),
        "hook_outbox",
        ["session_id", "delivered_at", "dead_at", "id"],
    )
    op.create_table(
        "memory_manual_sessions",
        sa.Column("memory_session_id", types.Key(), nullable=False),
        sa.Column("project", types.Key(), nullable=False),
        sa.Column("created_at_epoch", types.BigInt(), nullable=False),
        sa.PrimaryKeyConstraint("memory_session_id", name=op.f("pk_memory_manual_sessions")),
        sa.UniqueConstraint("project", name=op.f("uq_memory_manual_sessions_project")),
    )
    op.create_table(
        "memory_observations",
        sa.Column("id", types.SurrogateKey(), sa.Identity(always=False), nullable=False),
        sa.Column("memory_session_id", types.Key(), nullable=False),
        sa.Column("project", types.Key(), nullable=False),
        sa.Column("type", types.Key(), nullable=False),
        sa.Column("title", types.LongText(), nullable=True),
        sa.Column("subtitle", types.LongText(), nullable=True),
        sa.Column("facts", types.JsonDocument(), nullable=True),
        sa.Column("narrative", types.LongText(), nullable=True),
        sa.Column("concepts", types.JsonDocument(), nullable=True),
        sa.Column("files_read", types.JsonDocument(), nullable=True),
        sa.Column("files_modified", types.JsonDocument(), nullable=True),
        sa.Column("prompt_number", types.BigInt(), nullable=True),
        sa.Column("discovery_tokens", types.BigInt(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("created_at_epoch", types.BigInt(), nullable=False),
        sa.Column("identity_key", types.Key(), nullable=True),
        sa.Column("search_text", types.LongText(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memory_observations")),
    )
    op.create_index(
        op.f("ix_memory_observations_created_at_epoch"),
        "memory_observations",
        ["created_at_epoch"],
    )
    op.create_index(
        op.f("ix_memory_observations_memory_session_id"),
        "memory_observations",
        ["memory_session_id"],
    )
    op.create_index(
        op.f("ix_memory_observations_project_created_at_epoch"),
        "memory_observations",
        ["project", "created_at_epoch"],
    )
    op.create_index(
        op.f("ix_memory_observations_project_identity_key"),
        "memory_observations",
        ["project", "identity_key"],
    )
    op.create_table(
        "memory_summaries",
        sa.Column("id", types.SurrogateKey(), sa.Identity(always=False), nullable=False),
        sa.Column("memory_session_id", types.Key(), nullable=False),
        sa.Column("project", types.Key(), nullable=False),
        sa.Column("request", types.LongText(), nullable=True),
        sa.Column("investigated", types.LongText(), nullable=True),
        sa.Column("learned", types.LongText(), nullable=True),
        sa.Column("completed", types.LongText(), nullable=True),
        sa.Column("next_steps", types.LongText(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("created_at_epoch", types.BigInt(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memory_summaries")),
    )
    op.create_index(
        op.f("ix_memory_summaries_memory_session_id"), "memory_summaries", ["memory_session_id"]
    )
    op.create_index(
        op.f("ix_memory_summaries_project_created_at_epoch"),
        "memory_summaries",
        ["project", "created_at_epoch"],
    )
    op.create_table(
        "notification_outbox",
        sa.Column("id", types.SurrogateKey(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("next_attempt_at", types.UtcDateTime(), nullable=True),
        sa.Column("attempt_count", types.BigInt(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", types.LongText(), nullable=True),
        sa.Column("delivered_at", types.UtcDateTime(), nullable=True),
        sa.Column("locked_at", types.UtcDateTime(), nullable=True),
        sa.Column("dead_at", types.UtcDateTime(), nullable=True),
        sa.Column("claim_token", types.Key(), nullable=True),
        sa.Column("channel", types.Key(), nullable=False),
        sa.Column("recipient_email", types.Key(), nullable=False),
        sa.Column("content", types.LongText(), nullable=False),
        sa.Column("file_path", types.LongText(), nullable=True),
        sa.Column("status", types.Key(), server_default="pending", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_outbox")),
    )
    op.create_index(
        op.f("ix_notification_outbox_dead_at_delivered_at_id"),
        "notification_outbox",
        ["dead_at", "delivered_at", "id"],
    )
    op.create_table(
        "quarantine",
        sa.Column("id", types.SurrogateKey(), sa.Identity(always=False), nullable=False),
        sa.Column("source_table", types.Key(), nullable=False),
        sa.Column("source_key", types.LongText(), nullable=False),
        sa.Column("source_column", types.Key(), nullable=True),
        sa.Column("original", types.LongText(), nullable=False),
        sa.Column("reason", types.LongText(), nullable=False),
        sa.Column("quarantined_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
    )
    op.create_table(
        "session_listeners",
        sa.Column("target_session_id", types.Key(), nullable=False),
        sa.Column("caller_session_id", types.Key(), nullable=False),
        sa.Column("caller_tmux_session", types.Key(), nullable=False),
        sa.Column("registered_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint(
            "target_session_id", "caller_session_id", name=op.f("pk_session_listeners")
        ),
    )
    op.create_index(
        op.f("ix_session_listeners_caller_session_id"), "session_listeners", ["caller_session_id"]
    )
    op.create_index(
        op.f("ix_session_listeners_registered_at"), "session_listeners", ["registered_at"]
    )
    op.create_table(
        "sessions",
        sa.Column("session_id", types.Key(), nullable=False),
        sa.Column("computer_name", types.Key(), nullable=False),
        sa.Column("title", types.LongText(), nullable=True),
        sa.Column("tmux_session_name", types.Key(), nullable=True),
        sa.Column("last_input_origin", types.Key(), server_default="telegram", nullable=False),
        sa.Column("adapter_metadata", types.JsonDocument(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("last_activity", types.UtcDateTime(), nullable=False),
        sa.Column("closed_at", types.UtcDateTime(), nullable=True),
        sa.Column("terminal_size", types.LongText(), server_default="80x24", nullable=True),
        sa.Column("project_path", types.LongText(), nullable=True),
        sa.Column("subdir", types.LongText(), nullable=True),
        sa.Column("description", types.LongText(), nullable=True),
        sa.Column("initiated_by_ai", types.Flag(), server_default=sa.false(), nullable=False),
        sa.Column("initiator_session_id", types.Key(), nullable=True),
        sa.Column("output_message_id", types.Key(), nullable=True),
        sa.Column("notification_sent", types.Flag(), server_default=sa.false(), nullable=False),
        sa.Column("native_session_id", types.Key(), nullable=True),
        sa.Column("native_log_file", types.LongText(), nullable=True),
        sa.Column("active_agent", types.Key(), nullable=True),
        sa.Column("thinking_mode", types.Key(), nullable=True),
        sa.Column("tui_log_file", types.LongText(), nullable=True),
        sa.Column("tui_capture_started", types.Flag(), server_default=sa.false(), nullable=False),
        sa.Column("last_message_sent", types.LongText(), nullable=True),
        sa.Column("last_message_sent_at", types.UtcDateTime(), nullable=True),
        sa.Column("last_output_raw", types.LongText(), nullable=True),
        sa.Column("last_output_at", types.UtcDateTime(), nullable=True),
        sa.Column("last_output_summary", types.LongText(), nullable=True),
        sa.Column("last_output_digest", types.LongText(), nullable=True),
        sa.Column("last_tool_done_at", types.UtcDateTime(), nullable=True),
        sa.Column("last_tool_use_at", types.UtcDateTime(), nullable=True),
        sa.Column("last_checkpoint_at", types.UtcDateTime(), nullable=True),
        sa.Column("working_slug", types.Key(), nullable=True),
        sa.Column("lifecycle_status", types.Key(), server_default="active", nullable=False),
        sa.Column("human_email", types.Key(), nullable=True),
        sa.Column("human_role", types.Key(), nullable=True),
        sa.Column("last_memory_extraction_at", types.UtcDateTime(), nullable=True),
        sa.Column("help_desk_processed_at", types.UtcDateTime(), nullable=True),
        sa.Column("relay_status", types.Key(), nullable=True),
        sa.Column("relay_discord_channel_id", types.Key(), nullable=True),
        sa.Column("relay_started_at", types.UtcDateTime(), nullable=True),
        sa.Column("transcript_files", types.JsonDocument(), server_default="[]", nullable=False),
        sa.Column("char_offset", types.BigInt(), server_default=sa.text("0"), nullable=False),
        sa.Column("visibility", types.Key(), server_default="private", nullable=False),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_sessions")),
    )
    op.create_index(
        op.f("ix_sessions_closed_at_lifecycle_status_last_activity"),
        "sessions",
        ["closed_at", "lifecycle_status", "last_activity"],
    )
    op.create_index(op.f("ix_sessions_native_session_id"), "sessions", ["native_session_id"])
    op.create_index(op.f("ix_sessions_tmux_session_name"), "sessions", ["tmux_session_name"])
    op.create_table(
        "system_settings",
        sa.Column("key", types.Key(), nullable=False),
        sa.Column("value", types.LongText(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_system_settings")),
    )
    op.create_table(
        "voice_assignments",
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("service_name", types.Key(), nullable=True),
        sa.Column("voice", types.LongText(), server_default=sa.text("''"), nullable=True),
        sa.Column("assigned_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voice_assignments")),
    )
    op.create_index(op.f("ix_voice_assignments_assigned_at"), "voice_assignments", ["assigned_at"])
    op.create_table(
        "webhook_contracts",
        sa.Column("id", types.Key(), nullable=False),
        sa.Column("contract_json", types.JsonDocument(), nullable=False),
        sa.Column("active", types.Flag(), server_default=sa.true(), nullable=False),
        sa.Column("source", types.Key(), server_default="api", nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_contracts")),
    )
    op.create_index(op.f("ix_webhook_contracts_active"), "webhook_contracts", ["active"])
    op.create_table(
        "webhook_outbox",
        sa.Column("id", types.SurrogateKey(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("next_attempt_at", types.UtcDateTime(), nullable=True),
        sa.Column("attempt_count", types.BigInt(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", types.LongText(), nullable=True),
        sa.Column("delivered_at", types.UtcDateTime(), nullable=True),
        sa.Column("locked_at", types.UtcDateTime(), nullable=True),
        sa.Column("dead_at", types.UtcDateTime(), nullable=True),
        sa.Column("claim_token", types.Key(), nullable=True),
        sa.Column("contract_id", types.Key(), nullable=False),
        sa.Column("event_json", types.JsonDocument(), nullable=False),
        sa.Column("target_url", types.LongText(), nullable=False),
        sa.Column("target_secret", types.LongText(), nullable=True),
        sa.Column("status", types.Key(), server_default="pending", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_outbox")),
    )
    op.create_index(
        op.f("ix_webhook_outbox_dead_at_delivered_at_id"),
        "webhook_outbox",
        ["dead_at", "delivered_at", "id"],
    )
    op.create_table(
        "pending_message_deletions",
        sa.Column("id", types.SurrogateKey(), sa.Identity(always=False), nullable=False),
        sa.Column("session_id", types.Key(), nullable=False),
        sa.Column("message_id", types.Key(), nullable=False),
        sa.Column("deletion_type", types.Key(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "deletion_type IN ('user_input', 'feedback')",
            name=op.f("ck_pending_message_deletions_deletion_type"),
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["sessions.session_id"],
            name=op.f("fk_pending_message_deletions_session_id_sessions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_message_deletions")),
        sa.UniqueConstraint(
            "session_id", "message_id", "deletion_type", name="uq_pending_message_deletions_message"
        ),
    )
    search = op.get_context().opts["backend"].text_search(_OBSERVATIONS, "search_text")
    for statement in search.create if search else ():
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables, those that refer to others first."""
    search = op.get_context().opts["backend"].text_search(_OBSERVATIONS, "search_text")
    for statement in search.drop if search else ():
        op.execute(statement)
    for table in (
        "pending_message_deletions",
        "agent_availability",
        "hook_outbox",
        "memory_manual_sessions",
        "memory_observations",
        "memory_summaries",
        "notification_outbox",
        "quarantine",
        "session_listeners",
        "sessions",
        "system_settings",
        "voice_assignments",
        "webhook_contracts",
        "webhook_outbox",
    ):
        op.drop_table(table)
