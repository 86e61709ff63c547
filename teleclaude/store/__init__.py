"""The data: `Db` and what its stores give back."""

from teleclaude.store.context import Clock, utc_now
from teleclaude.store.db import Db, Stores
from teleclaude.store.executor import RetryPolicy
from teleclaude.store.records import SessionRecord
from teleclaude.store.values import Document

__all__ = ["Clock", "Db", "Document", "RetryPolicy", "SessionRecord", "Stores", "utc_now"]
