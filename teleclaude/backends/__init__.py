"""The contract between the core and the backends; see `docs/writing-a-backend.md`."""

from teleclaude.backends.backend import REQUIRED_HOOKS, Backend
from teleclaude.backends.bulk import Batch
from teleclaude.backends.contract import (
    DAEMON_LOCK,
    Adoption,
    AdoptionReport,
    Capabilities,
    ErrorKind,
    InstanceLock,
    LockHolder,
    LogicalType,
    Quarantined,
    QuickWrite,
    SearchWord,
    TextSearch,
    locked,
)
from teleclaude.backends.discovery import InstalledBackend, installed_backends, load_backend
from teleclaude.backends.hookspecs import CONTRACT_VERSION, hookimpl
from teleclaude.backends.lanes import (
    CommitError,
    LaneConnection,
    LaneResult,
    LaneStatement,
    LaneTransaction,
    StatementLane,
)
from teleclaude.backends.settings import BackendSettings
from teleclaude.backends.upserts import upsert_on_conflict

__all__ = [
    "CONTRACT_VERSION",
    "DAEMON_LOCK",
    "REQUIRED_HOOKS",
    "Adoption",
    "AdoptionReport",
    "Backend",
    "BackendSettings",
    "Batch",
    "Capabilities",
    "CommitError",
    "ErrorKind",
    "InstalledBackend",
    "InstanceLock",
    "LaneConnection",
    "LaneResult",
    "LaneStatement",
    "LaneTransaction",
    "LockHolder",
    "LogicalType",
    "Quarantined",
    "QuickWrite",
    "SearchWord",
    "StatementLane",
    "TextSearch",
    "hookimpl",
    "installed_backends",
    "load_backend",
    "locked",
    "upsert_on_conflict",
]
