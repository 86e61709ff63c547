"""TeleClaude keeps the state of AI-agent sessions, on any SQL engine.

What users import: `Db`, `load_config`, `hookimpl` and the errors. Nothing is imported until it is
asked for, because short-lived processes must not pay for what they do not use.
"""

from __future__ import annotations

TYPE_CHECKING = False  # without `typing`, which `teleclaude-hook` would wait for
if TYPE_CHECKING:
    from typing import Final

    from teleclaude.backends.hookspecs import hookimpl
    from teleclaude.config import Config, load_config
    from teleclaude.errors import (
        AdoptionError,
        BackendError,
        BackendIncompleteError,
        BackendLoadError,
        BackendNotFoundError,
        BackupError,
        ConfigError,
        ConflictError,
        CopyError,
        InstanceLockedError,
        InstanceLockLostError,
        InvalidValueError,
        MigrationError,
        NotFoundError,
        SchemaOutdatedError,
        SchemaTooNewError,
        StoreError,
        StoreUnavailableError,
        TeleclaudeError,
    )
    from teleclaude.store import Db

__version__ = "0.1.0"

__all__ = [
    "AdoptionError",
    "BackendError",
    "BackendIncompleteError",
    "BackendLoadError",
    "BackendNotFoundError",
    "BackupError",
    "Config",
    "ConfigError",
    "ConflictError",
    "CopyError",
    "Db",
    "InstanceLockLostError",
    "InstanceLockedError",
    "InvalidValueError",
    "MigrationError",
    "NotFoundError",
    "SchemaOutdatedError",
    "SchemaTooNewError",
    "StoreError",
    "StoreUnavailableError",
    "TeleclaudeError",
    "__version__",
    "hookimpl",
    "load_config",
]

_HOMES: Final = {
    "Config": "teleclaude.config",
    "Db": "teleclaude.store",
    "hookimpl": "teleclaude.backends.hookspecs",
    "load_config": "teleclaude.config",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module  # noqa: PLC0415 - as for `typing`

    value: object = getattr(import_module(_HOMES.get(name, "teleclaude.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted(__all__)
