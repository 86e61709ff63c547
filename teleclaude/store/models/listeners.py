"""Table of sessions that want to hear when another session stops."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index

from teleclaude.store.models.base import Model, instant, key


class SessionListener(Model, table=True):
    """One session (the caller) that listens for another one (the target)."""

    __tablename__ = "session_listeners"
    __table_args__ = (Index(None, "caller_session_id"), Index(None, "registered_at"))

    target_session_id: str = key(primary_key=True)
    caller_session_id: str = key(primary_key=True)
    caller_tmux_session: str = key()
    registered_at: datetime = instant()
