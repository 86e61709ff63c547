"""Table of settings that are changed while the daemon runs."""

from __future__ import annotations

from datetime import datetime

from teleclaude.store.models.base import Model, instant, key, required_text


class SystemSetting(Model, table=True):
    """One setting."""

    __tablename__ = "system_settings"

    key: str = key(primary_key=True)
    value: str = required_text()
    updated_at: datetime = instant()
