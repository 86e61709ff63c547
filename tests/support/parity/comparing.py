"""What it means that two stores answer the same.

Everything must be equal, types included (1, 1.0 and true are three things), but for what a store
makes at random or counts by itself: claim tokens, UUIDs and the ids of rows. PostgreSQL gives an id
only once, even where the row was rolled back or was there already; SQLite gives it again. So these
are replaced by labels that number them as they appear, and the labels must be equal: a store that
mixes up two rows is found all the same.

The order of an object's keys inside a document is not compared; JSON has none.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from parity.shortening import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_COUNTED: Final = {
    "HookEvent": "hook_outbox",
    "Notification": "notification_outbox",
    "Webhook": "webhook_outbox",
    "SavedObservation": "memory",
    "ObservationRecord": "memory",
    "SummaryRecord": "summaries",
}
"""Records whose `id` the database counts, and what is counted."""

_GIVES_IDS: Final = {
    "enqueue": "{store}",
    "delivered_many": "{store}",
    "failed_many": "{store}",
    "save_summary": "summaries",
}
"""Operations whose answer consists of such ids."""

_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_RANDOM: Final = re.compile(rf"\b(?:manual-)?{_UUID}\b|\b[0-9a-f]{{32}}\b")
_LONGEST_WITH_RANDOM: Final = 500
_ROW_IN_MESSAGE: Final = re.compile(r"The row (\d+) is not claimed")


@dataclass
class Labels:
    """Numbers what a store makes at random, or counts by itself, as it appears."""

    known: dict[str, dict[object, int]] = field(default_factory=dict)

    def label(self, kind: str, value: object) -> str:
        """Give the label of a value.

        Args:
            kind: What the value is.
            value: The value.
        """
        of_kind = self.known.setdefault(kind, {})
        return f"<{kind} {of_kind.setdefault(value, len(of_kind))}>"

    def copy(self) -> Labels:
        """Give a copy, to come back to after a rollback."""
        return Labels(deepcopy(self.known))


@dataclass(frozen=True)
class Raised:
    """An error, as it is compared."""

    kind: str
    message: str
    attributes: Mapping[str, object]


def normal(value: Any, labels: Labels, ids: str | None = None) -> object:
    """Give a form of a value that is equal only for the same value.

    Args:
        value: The value.
        labels: The labels of its store.
        ids: What integers are, where they are ids that the database counts.
    """
    if isinstance(value, str):
        return _text(value, labels)
    kind = type(value).__name__
    if hasattr(value, "_fields"):
        return (kind, _fields(value, labels))
    if isinstance(value, dict):
        return {(type(key).__name__, key): normal(one, labels) for key, one in value.items()}
    if isinstance(value, (list, tuple, frozenset)):
        ordered = sorted(value, key=_place) if isinstance(value, frozenset) else value
        return (kind, [normal(one, labels, ids) for one in ordered])
    is_id = ids is not None and type(value) is int
    return labels.label(str(ids), value) if is_id else (kind, repr(value))


def normal_answer(store: str, method: str, value: object, labels: Labels) -> object:
    """Give the form of an operation's answer that is compared.

    Args:
        store: The store.
        method: The operation.
        value: What it gave.
        labels: The labels of its store.
    """
    if isinstance(value, dict):  # the order of `settings.all` is promised
        value = list(value.items())
    return normal(value, labels, _GIVES_IDS.get(method, "").format(store=store) or None)


def normal_error(error: Exception, store: str, labels: Labels, location: str) -> Raised:
    """Give the form of an error that is compared.

    Args:
        error: The error.
        store: The store it came from.
        labels: The labels of this store.
        location: Where its database is, as errors call it.
    """
    message = str(error).replace(location, "<database>")
    message = _ROW_IN_MESSAGE.sub(
        lambda found: f"The row {labels.label(store, int(found[1]))} is not claimed", message
    )
    # Not every engine tells which constraint was violated; the contract says so.
    attributes = {
        name: value
        for name, value in vars(error).items()
        if name in ("transient", "outcome_unknown", "missing")
    }
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return Raised(kind, str(_text(message, labels)), attributes)


def difference(left: object, right: object, path: str = "answer") -> str | None:
    """Say where two normal forms differ, or give `None` where they do not.

    Args:
        left: One.
        right: The other.
        path: What they are.
    """
    if isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
        return _first(difference(left[key], right[key], f"{path}[{key!r}]") for key in left)
    if (
        isinstance(left, (list, tuple))
        and isinstance(right, (list, tuple))
        and len(left) == len(right)
    ):
        pairs = enumerate(zip(left, right, strict=True))
        return _first(difference(one, other, f"{path}[{at}]") for at, (one, other) in pairs)
    if type(left) is type(right) and left == right:
        return None
    return f"{path}: {shortened(left)} is not {shortened(right)}"


def _first(differences: Iterable[str | None]) -> str | None:
    return next((found for found in differences if found is not None), None)


def _text(text: str, labels: Labels) -> str:
    if len(text) > _LONGEST_WITH_RANDOM:
        return text
    return _RANDOM.sub(lambda found: labels.label("random", found[0]), text)


def _fields(record: Any, labels: Labels) -> dict[str, object]:
    counted = _COUNTED.get(type(record).__name__)
    pairs = zip(record._fields, record, strict=True)
    return {name: normal(value, labels, counted if name == "id" else None) for name, value in pairs}


def _place(value: object) -> tuple[int, str]:
    # Ids in the order in which they were given, which is that of their labels.
    return (value, "") if type(value) is int else (0, repr(value))
