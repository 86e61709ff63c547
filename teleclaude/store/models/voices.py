"""Table of the voices that sessions speak with."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index

from teleclaude.store.models.base import Model, instant, key, key_or_null, text


class VoiceAssignment(Model, table=True):
    """The text-to-speech voice of one session."""

    __tablename__ = "voice_assignments"
    __table_args__ = (Index(None, "assigned_at"),)

    id: str = key(primary_key=True)
    service_name: str | None = key_or_null()
    voice: str | None = text("")
    assigned_at: datetime = instant()
