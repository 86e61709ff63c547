"""What a backend may declare absent, and the tests that are skipped because of it.

A declaration is a capability, or an optional hook that is left out. Nothing else skips a test of
the kit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from teleclaude.backends import hookspecs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from teleclaude.backends import Backend

ABILITIES: Final[Mapping[str, Callable[[Backend], bool]]] = {
    "several writers": lambda backend: not backend.capabilities.single_writer,
    "connections": lambda backend: not backend.capabilities.in_process,
    "parsed documents": lambda backend: backend.capabilities.parses_documents,
    "text of instants": lambda backend: backend.capabilities.loads_instant_text,
    "lock holder": lambda backend: backend.implements("teleclaude_lock_holder"),
    "backup": lambda backend: backend.implements("teleclaude_backup"),
    "native backup": lambda backend: backend.implements("teleclaude_native_backup"),
    "id counter": lambda backend: backend.implements("teleclaude_id_counter"),
    "snapshot": lambda backend: backend.implements("teleclaude_snapshot"),
    "text search": lambda backend: backend.implements("teleclaude_text_search"),
}
"""What not every backend can do: a name, and how to find out."""

needs = pytest.mark.teleclaude_needs
"""Marks a test with the abilities it takes, by their names."""


def absent(backend: Backend, abilities: tuple[str, ...]) -> str | None:
    """Give the first ability that a backend declares it does not have.

    Args:
        backend: The backend.
        abilities: Names of `ABILITIES`.
    """
    return next((name for name in abilities if not ABILITIES[name](backend)), None)


def left_out(backend: Backend) -> list[str]:
    """Give the optional hooks that a backend leaves to the core's portable answers.

    Args:
        backend: The backend.
    """
    hooks = [name for name in vars(hookspecs) if name.startswith("teleclaude_")]
    return [name for name in hooks if not backend.implements(name)]
