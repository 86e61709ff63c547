"""The data: `Db` and what its stores give back.

Nothing is imported until it is asked for: `teleclaude-hook` needs the rules of `values` and nothing
else.
"""

from __future__ import annotations

TYPE_CHECKING = False  # without `typing`, which `teleclaude-hook` would wait for
if TYPE_CHECKING:
    from typing import Final

    from teleclaude.store.context import Clock, utc_now
    from teleclaude.store.db import Db, Stores
    from teleclaude.store.executor import RetryPolicy
    from teleclaude.store.records import SessionRecord
    from teleclaude.store.values import Document

__all__ = ["Clock", "Db", "Document", "RetryPolicy", "SessionRecord", "Stores", "utc_now"]

_HOMES: Final = {
    "Clock": "context",
    "Db": "db",
    "Document": "values",
    "RetryPolicy": "executor",
    "SessionRecord": "records",
    "Stores": "db",
    "utc_now": "context",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module  # noqa: PLC0415 - as for `typing`

    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted(__all__)
