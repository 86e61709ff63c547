"""Finding backends by entry point and loading one by its engine's name.

Every way in which loading can fail has its own message here. Finding imports nothing: only the
backend that is asked for is imported, so a machine with several never loads the drivers of the
others.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, NamedTuple

import importlib_metadata

from teleclaude.backends.backend import Backend
from teleclaude.errors import BackendError, BackendLoadError, BackendNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUP: Final = "teleclaude.backends"
"""The entry point group of backends."""

_CORE: Final = "teleclaude"


class InstalledBackend(NamedTuple):
    """A backend that is installed; whether it loads is not known yet.

    Attributes:
        engine: The entry point's name, which is the engine's name in the configuration.
        distribution: The distribution that brings it.
        version: That distribution's version.
        entry_point: What is imported when it is loaded.
    """

    engine: str
    distribution: str
    version: str
    entry_point: importlib_metadata.EntryPoint


def installed_backends() -> Sequence[InstalledBackend]:
    """List the installed backends by engine name, without importing any of them."""
    found = [
        InstalledBackend(
            point.name,
            point.dist.name if point.dist else "unknown",
            point.dist.version if point.dist else "unknown",
            point,
        )
        for point in importlib_metadata.entry_points(group=GROUP)
    ]
    return sorted(found, key=lambda backend: (backend.engine, backend.distribution))


def load_backend(engine: str) -> Backend:
    """Load the backend of an engine.

    Args:
        engine: The engine's name as the configuration has it.

    Returns:
        The loaded backend, complete and of the contract this core speaks.

    Raises:
        BackendNotFoundError: No installed distribution provides that engine.
        BackendLoadError: It cannot be imported, several distributions provide it, or it was
            written for another contract.
        BackendIncompleteError: It lacks a required hook.
    """
    installed = installed_backends()
    candidates = [backend for backend in installed if backend.engine == engine]
    if not candidates:
        raise _not_found(engine, sorted({backend.engine for backend in installed}))
    if len(candidates) > 1:
        names = " and ".join(backend.distribution for backend in candidates)
        message = f"The engine {engine!r} is provided by several distributions: {names}."
        raise BackendLoadError(message, hint="Uninstall all but one of them.")
    backend = candidates[0]
    try:
        plugin: object = backend.entry_point.load()
    except BackendError:
        raise
    except Exception as error:
        message = (
            f"The backend {engine!r} ({backend.distribution} {backend.version}) "
            "cannot be imported: "
            f"{type(error).__name__}: {error}."
        )
        hint = f"Reinstall it: pip install --force-reinstall {backend.distribution}"
        raise BackendLoadError(message, hint=hint) from error
    return Backend(engine, plugin, distribution=backend.distribution, version=backend.version)


def _not_found(engine: str, installed: Sequence[str]) -> BackendNotFoundError:
    names = ", ".join(installed) or "none"
    message = f"No backend for the engine {engine!r} is installed (installed: {names})."
    extras = importlib_metadata.metadata(_CORE).get_all("Provides-Extra") or []
    if close := get_close_matches(engine, installed, n=1):
        hint = f"Did you mean {close[0]!r}?"
    elif engine in extras:
        hint = f"Install it: pip install '{_CORE}[{engine}]'"
    else:
        hint = f"Install the distribution that provides it, such as: pip install {_CORE}-{engine}"
    return BackendNotFoundError(message, hint=hint)
