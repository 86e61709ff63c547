"""The tables. They are the schema: migrations must lead to exactly what is declared here."""

from teleclaude.store.models.agents import AgentAvailability
from teleclaude.store.models.base import Model
from teleclaude.store.models.listeners import SessionListener
from teleclaude.store.models.memory import ManualSession, Observation, Summary
from teleclaude.store.models.outbox import (
    HookOutboxRow,
    NotificationOutboxRow,
    OutboxRow,
    WebhookOutboxRow,
)
from teleclaude.store.models.quarantine import QuarantinedValue
from teleclaude.store.models.sessions import PendingMessageDeletion, Session
from teleclaude.store.models.settings import SystemSetting
from teleclaude.store.models.voices import VoiceAssignment
from teleclaude.store.models.webhooks import WebhookContract
from teleclaude.store.types import label_columns

__all__ = [
    "AgentAvailability",
    "HookOutboxRow",
    "ManualSession",
    "Model",
    "NotificationOutboxRow",
    "Observation",
    "OutboxRow",
    "PendingMessageDeletion",
    "QuarantinedValue",
    "Session",
    "SessionListener",
    "Summary",
    "SystemSetting",
    "VoiceAssignment",
    "WebhookContract",
    "WebhookOutboxRow",
    "metadata",
]

metadata = Model.metadata
"""All tables, complete once this package is imported."""

label_columns(metadata)
