"""The quick way: run the prepared statement of the manifest through the backend's own entry.

What the store would refuse is refused here by the same rules (`teleclaude.store.values`). Whatever
else is not exactly as the manifest expects is left to the long way, which finds out.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

from teleclaude.hook import manifest
from teleclaude.store import values

TYPE_CHECKING = False  # without `typing`
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Final

    from teleclaude.hook.events import Event

    Entry = Callable[[Mapping[str, object], str, Sequence[object], float], bool]

_PATIENCE: Final = 1.6
"""Seconds for the database. What is loaded before takes so little that agents do not wait for two,
and who has waited for so long does not go the long way as well."""


def enqueue(event: Event, config: str | None) -> bool:
    """Store an event.

    Args:
        event: The event.
        config: The configuration file to use, or `None` for the usual one.

    Returns:
        Whether it is stored. If not, nothing at all happened.

    Raises:
        InvalidValueError: The store does not take it.
        StoreUnavailableError: The database cannot be reached, or broke off.
    """
    try:
        found = manifest.load(manifest.config_file(config, os.environ), os.environ)
        entry = found and _entry(found["entry"])
        bound = found and entry and _values(found["parameters"], event)
    except (OSError, LookupError, TypeError, ImportError, AttributeError):
        return False
    if not (found and entry and bound):
        return False
    return entry(found["arguments"], found["statement"], bound, _PATIENCE)


def _entry(name: str) -> Entry:
    module, _, function = name.partition(":")
    __import__(module)
    entry: Entry = getattr(sys.modules[module], function)
    return entry


def _values(parameters: Sequence[Sequence[Any]], event: Event) -> Sequence[object]:
    now = datetime.now(UTC)
    return [_KINDS[kind](event, now, detail, where) for kind, detail, where in parameters]


def _key(value: str, limit: int | None, where: str) -> str:
    return values.check_key(value, where, limit)


_KINDS: Final[Mapping[str, Callable[[Event, datetime, Any, str], object]]] = {
    "session": lambda event, _, limit, where: _key(event.session_id, limit, where),
    "event": lambda event, _, limit, where: _key(event.event_type, limit, where),
    "payload": lambda event, _, __, where: values.dump_document(event.payload, where),
    "instant": lambda _, now, __, ___: now,
    "instant as text": lambda _, now, __, ___: values.format_instant(now),
    "constant": lambda _, __, value, ___: value,
}
"""How to make the value of a parameter from the event, the current time, and what the manifest says
of it: a number or constant, and its column."""
