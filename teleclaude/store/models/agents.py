"""Table of the agents that can be used at the moment."""

from __future__ import annotations

from datetime import datetime

from teleclaude.store.models.base import Model, flag, instant_or_null, key, text


class AgentAvailability(Model, table=True):
    """Whether one agent (a command-line program such as an AI assistant) can be used."""

    __tablename__ = "agent_availability"

    agent: str = key(primary_key=True)
    available: bool = flag(default=True)
    unavailable_until: datetime | None = instant_or_null()
    reason: str | None = text()
