"""Table of who wants which events sent where."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index

from teleclaude.store.models.base import Model, document, flag, instant, key, key_with_default
from teleclaude.store.values import Document


class WebhookContract(Model, table=True):
    """One subscription to events."""

    __tablename__ = "webhook_contracts"
    __table_args__ = (Index(None, "active"),)

    id: str = key(primary_key=True)
    contract_json: Document = document()
    active: bool = flag(default=True)
    source: str = key_with_default("api")
    created_at: datetime = instant()
    updated_at: datetime = instant()
