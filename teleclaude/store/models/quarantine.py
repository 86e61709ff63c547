"""Table of what an earlier TeleClaude's database held and this one has no place for."""

from __future__ import annotations

from datetime import datetime

from teleclaude.store.models.base import (
    Model,
    instant,
    key,
    key_or_null,
    required_text,
    surrogate_key,
)


class QuarantinedValue(Model, table=True):
    """One value, or one whole row, that could not be converted; nobody needs it but people."""

    __tablename__ = "quarantine"

    id: int = surrogate_key()
    source_table: str = key()
    source_key: str = required_text()
    source_column: str | None = key_or_null()
    original: str = required_text()
    reason: str = required_text()
    quarantined_at: datetime = instant()
