"""Tables of what is remembered about projects."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint

from teleclaude.store.models.base import (
    Model,
    counter,
    document_or_null,
    instant,
    integer,
    integer_or_null,
    key,
    key_or_null,
    searched_text,
    surrogate_key,
    text,
)
from teleclaude.store.words import words_of_observation


class ManualSession(Model, table=True):
    """The session that observations made by hand belong to; each project has one."""

    __tablename__ = "memory_manual_sessions"
    __table_args__ = (UniqueConstraint("project"),)

    memory_session_id: str = key(primary_key=True)
    project: str = key()
    created_at_epoch: int = integer()


class Observation(Model, table=True):
    """One thing that is remembered about a project."""

    __tablename__ = "memory_observations"
    __table_args__ = (
        Index(None, "created_at_epoch"),
        Index(None, "project", "created_at_epoch"),
        Index(None, "memory_session_id"),
        Index(None, "project", "identity_key"),
    )

    id: int = surrogate_key()
    memory_session_id: str = key()
    project: str = key()
    type: str = key()
    title: str | None = text()
    subtitle: str | None = text()
    facts: list[object] | None = document_or_null()
    narrative: str | None = text()
    concepts: list[object] | None = document_or_null()
    files_read: list[object] | None = document_or_null()
    files_modified: list[object] | None = document_or_null()
    prompt_number: int | None = integer_or_null()
    discovery_tokens: int = counter()
    created_at: datetime = instant()
    created_at_epoch: int = integer()
    identity_key: str | None = key_or_null()
    search_text: str | None = searched_text(words_of_observation)


class Summary(Model, table=True):
    """What one session was about and how it ended."""

    __tablename__ = "memory_summaries"
    __table_args__ = (
        Index(None, "project", "created_at_epoch"),
        Index(None, "memory_session_id"),
    )

    id: int = surrogate_key()
    memory_session_id: str = key()
    project: str = key()
    request: str | None = text()
    investigated: str | None = text()
    learned: str | None = text()
    completed: str | None = text()
    next_steps: str | None = text()
    created_at: datetime = instant()
    created_at_epoch: int = integer()
