"""Tables of agent sessions and of the messages that are still to be deleted for them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint

from teleclaude.store.models.base import (
    Model,
    counter,
    document_or_null,
    flag,
    instant,
    instant_or_null,
    key,
    key_or_null,
    key_with_default,
    list_document,
    surrogate_key,
    text,
)
from teleclaude.store.values import Document


class Session(Model, table=True):
    """One agent session in a terminal, or headless."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index(None, "closed_at", "lifecycle_status", "last_activity"),
        Index(None, "tmux_session_name"),
        Index(None, "native_session_id"),
    )

    session_id: str = key(primary_key=True)
    computer_name: str = key()
    title: str | None = text()
    tmux_session_name: str | None = key_or_null()
    last_input_origin: str = key_with_default("telegram")
    adapter_metadata: Document | None = document_or_null()
    created_at: datetime = instant()
    last_activity: datetime = instant()
    closed_at: datetime | None = instant_or_null()
    terminal_size: str | None = text("80x24")
    project_path: str | None = text()
    subdir: str | None = text()
    description: str | None = text()
    initiated_by_ai: bool = flag(default=False)
    initiator_session_id: str | None = key_or_null()
    output_message_id: str | None = key_or_null()
    notification_sent: bool = flag(default=False)
    native_session_id: str | None = key_or_null()
    native_log_file: str | None = text()
    active_agent: str | None = key_or_null()
    thinking_mode: str | None = key_or_null()
    tui_log_file: str | None = text()
    tui_capture_started: bool = flag(default=False)
    last_message_sent: str | None = text()
    last_message_sent_at: datetime | None = instant_or_null()
    last_output_raw: str | None = text()
    last_output_at: datetime | None = instant_or_null()
    last_output_summary: str | None = text()
    last_output_digest: str | None = text()
    last_tool_done_at: datetime | None = instant_or_null()
    last_tool_use_at: datetime | None = instant_or_null()
    last_checkpoint_at: datetime | None = instant_or_null()
    working_slug: str | None = key_or_null()
    lifecycle_status: str = key_with_default("active")
    human_email: str | None = key_or_null()
    human_role: str | None = key_or_null()
    last_memory_extraction_at: datetime | None = instant_or_null()
    help_desk_processed_at: datetime | None = instant_or_null()
    relay_status: str | None = key_or_null()
    relay_discord_channel_id: str | None = key_or_null()
    relay_started_at: datetime | None = instant_or_null()
    transcript_files: list[object] = list_document()
    char_offset: int = counter()
    visibility: str = key_with_default("private")


class PendingMessageDeletion(Model, table=True):
    """A chat message that is to be deleted when its session's next message arrives."""

    __tablename__ = "pending_message_deletions"
    __table_args__ = (
        # Named by hand: by the convention it would be longer than the 63 bytes some engines allow.
        UniqueConstraint(
            "session_id", "message_id", "deletion_type", name="uq_pending_message_deletions_message"
        ),
        CheckConstraint("deletion_type IN ('user_input', 'feedback')", name="deletion_type"),
    )

    id: int = surrogate_key()
    session_id: str = key(sa_column_args=[ForeignKey("sessions.session_id", ondelete="CASCADE")])
    message_id: str = key()
    deletion_type: str = key()
    created_at: datetime = instant()
