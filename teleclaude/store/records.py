"""What stores give back: plain immutable tuples with names, and nothing that belongs to an ORM.

A record has exactly the columns of its table, in the same order; a test holds the two in step.
Named tuples, because they are built in a third of a microsecond where a frozen dataclass takes
nine.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from teleclaude.store.values import Document


class SessionRecord(NamedTuple):
    """One agent session; the fields are the columns of `sessions`."""

    session_id: str
    computer_name: str
    title: str | None
    tmux_session_name: str | None
    last_input_origin: str
    adapter_metadata: Document | None
    created_at: datetime
    last_activity: datetime
    closed_at: datetime | None
    terminal_size: str | None
    project_path: str | None
    subdir: str | None
    description: str | None
    initiated_by_ai: bool
    initiator_session_id: str | None
    output_message_id: str | None
    notification_sent: bool
    native_session_id: str | None
    native_log_file: str | None
    active_agent: str | None
    thinking_mode: str | None
    tui_log_file: str | None
    tui_capture_started: bool
    last_message_sent: str | None
    last_message_sent_at: datetime | None
    last_output_raw: str | None
    last_output_at: datetime | None
    last_output_summary: str | None
    last_output_digest: str | None
    last_tool_done_at: datetime | None
    last_tool_use_at: datetime | None
    last_checkpoint_at: datetime | None
    working_slug: str | None
    lifecycle_status: str
    human_email: str | None
    human_role: str | None
    last_memory_extraction_at: datetime | None
    help_desk_processed_at: datetime | None
    relay_status: str | None
    relay_discord_channel_id: str | None
    relay_started_at: datetime | None
    transcript_files: list[object]
    char_offset: int
    visibility: str


class HookEvent(NamedTuple):
    """One hook event; the fields are the columns of `hook_outbox`."""

    id: int
    created_at: datetime
    next_attempt_at: datetime
    attempt_count: int
    last_error: str | None
    delivered_at: datetime | None
    locked_at: datetime | None
    dead_at: datetime | None
    claim_token: str | None
    session_id: str
    event_type: str
    payload: Document


class Notification(NamedTuple):
    """One notification; the fields are the columns of `notification_outbox`."""

    id: int
    created_at: datetime
    next_attempt_at: datetime | None
    attempt_count: int
    last_error: str | None
    delivered_at: datetime | None
    locked_at: datetime | None
    dead_at: datetime | None
    claim_token: str | None
    channel: str
    recipient_email: str
    content: str
    file_path: str | None
    status: str


class Webhook(NamedTuple):
    """One event on its way to a URL; the fields are the columns of `webhook_outbox`."""

    id: int
    created_at: datetime
    next_attempt_at: datetime | None
    attempt_count: int
    last_error: str | None
    delivered_at: datetime | None
    locked_at: datetime | None
    dead_at: datetime | None
    claim_token: str | None
    contract_id: str
    event_json: Document
    target_url: str
    target_secret: str | None
    status: str

    def __repr__(self) -> str:
        """Show everything but the secret, which belongs in no log."""
        shown = self if self.target_secret is None else self._replace(target_secret="********")  # noqa: S106
        return f"Webhook{tuple(shown)}"


class OutboxStats(NamedTuple):
    """How an outbox is doing.

    Attributes:
        pending: Rows that wait, for their first attempt or another one.
        claimed: Rows that somebody works on.
        dead: Rows that were given up.
        delivered: Rows that are done and not pruned yet.
        oldest_due: How long the oldest row that could be claimed now has existed; `None` when
            there is none.
    """

    pending: int
    claimed: int
    dead: int
    delivered: int
    oldest_due: timedelta | None


class Listener(NamedTuple):
    """One session that listens for another; the fields are the columns of `session_listeners`."""

    target_session_id: str
    caller_session_id: str
    caller_tmux_session: str
    registered_at: datetime


class Voice(NamedTuple):
    """The voice of a session; the fields are the columns of `voice_assignments`."""

    id: str
    service_name: str | None
    voice: str | None
    assigned_at: datetime


class Availability(NamedTuple):
    """Whether an agent can be used.

    Attributes:
        agent: The agent.
        status: `available`, `degraded` or `unavailable`.
        unavailable_until: When it is available again, where that is known.
        reason: Why it is not, or not fully, available.
    """

    agent: str
    status: str
    unavailable_until: datetime | None
    reason: str | None


class Contract(NamedTuple):
    """One webhook subscription; the fields are the columns of `webhook_contracts`."""

    id: str
    contract_json: Document
    active: bool
    source: str
    created_at: datetime
    updated_at: datetime


class ObservationRecord(NamedTuple):
    """One thing that is remembered; the fields are the columns of `memory_observations`."""

    id: int
    memory_session_id: str
    project: str
    type: str
    title: str | None
    subtitle: str | None
    facts: list[object] | None
    narrative: str | None
    concepts: list[object] | None
    files_read: list[object] | None
    files_modified: list[object] | None
    prompt_number: int | None
    discovery_tokens: int
    created_at: datetime
    created_at_epoch: int
    identity_key: str | None
    search_text: str | None


class SummaryRecord(NamedTuple):
    """How a session went; the fields are the columns of `memory_summaries`."""

    id: int
    memory_session_id: str
    project: str
    request: str | None
    investigated: str | None
    learned: str | None
    completed: str | None
    next_steps: str | None
    created_at: datetime
    created_at_epoch: int


class SavedObservation(NamedTuple):
    """What was saved.

    Attributes:
        id: The observation's id.
        title: Its title, given or found.
        project: Its project.
    """

    id: int
    title: str
    project: str
