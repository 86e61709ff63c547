"""Installed backends with some of their hooks left out or replaced."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from teleclaude.backends import Backend, hookimpl, installed_backends

if TYPE_CHECKING:
    from collections.abc import Callable


def without(backend: Backend, *names: str, **hooks: Callable[..., object]) -> Backend:
    """Give the same backend without some hooks, or with other ones.

    Args:
        backend: An installed backend.
        *names: Hooks to leave out.
        **hooks: Hooks to implement otherwise.
    """
    (found,) = (one for one in installed_backends() if one.engine == backend.engine)
    rest = {
        name: value
        for name, value in vars(found.entry_point.load()).items()
        if name not in {*names, *hooks}
    }
    changed = {name: hookimpl(hook) for name, hook in hooks.items()}
    return Backend(backend.engine, SimpleNamespace(**rest, **changed))
