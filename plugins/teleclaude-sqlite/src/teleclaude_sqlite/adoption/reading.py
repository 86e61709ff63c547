"""What a value of the old program means, by the kind of column it is for.

Whether the store accepts it is not decided here: the core's own column types do that.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from teleclaude.backends import LogicalType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_INSTANT: Final = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)
"""`2026-01-18 09:00:00.123456`, the same with `T` and an offset, and what lies between. More digits
of a second than six would be lost, so they are not understood."""

MILLISECONDS_FROM: Final = 10**11
"""Epochs from here on are milliseconds: as seconds they would be in the year 5138."""

_TOO_LARGE: Final = 10**14
_TOO_SMALL: Final = -62_135_596_801
"""The last second before the year 1."""


class UnreadableError(ValueError):
    """A value that means nothing here; the text says why, continuing "it ..."."""


def read(kind: LogicalType, raw: object) -> object:
    """Understand a value.

    Args:
        kind: The kind of column it is for.
        raw: What SQLite gives: `None`, `int`, `float`, `bytes` or `str`, in which bytes that are
            no UTF-8 are lone surrogates.

    Returns:
        The value in Python, `None` where there is none.

    Raises:
        UnreadableError: It cannot be understood.
    """
    if raw is None:
        return None
    if isinstance(raw, bytes):
        reason = "is a blob"
        raise UnreadableError(reason)
    if isinstance(raw, str) and not raw.isascii() and any("\ud800" <= c <= "\udfff" for c in raw):
        reason = "is not UTF-8"
        raise UnreadableError(reason)
    return _READERS.get(kind, _as_it_is)(raw)


def read_epoch(raw: object) -> object:
    """Understand seconds since 1970, or milliseconds.

    Args:
        raw: As for `read`.

    Raises:
        UnreadableError: It is no such number.
    """
    number = read(LogicalType.INTEGER, raw)
    if not isinstance(number, int):
        return number
    if not _TOO_SMALL < number < _TOO_LARGE:
        reason = "is neither seconds nor milliseconds since 1970"
        raise UnreadableError(reason)
    return number if number < MILLISECONDS_FROM else number // 1000


def read_adapters(raw: object) -> object:
    """Understand the metadata of a session's adapters: a Telegram topic is a number.

    Args:
        raw: As for `read`.

    Raises:
        UnreadableError: It is no JSON.
    """
    document = read(LogicalType.DOCUMENT, raw)
    telegram = document.get("telegram") if isinstance(document, dict) else None
    if isinstance(telegram, dict):
        topic = telegram.get("topic_id")
        if isinstance(topic, str) and re.fullmatch(r"-?[1-9]\d{0,17}|0", topic, re.ASCII):
            telegram["topic_id"] = int(topic)
    return document


def _as_it_is(raw: object) -> object:
    return raw


def _instant(raw: object) -> object:
    if raw == "":
        return None
    try:
        if isinstance(raw, str) and _INSTANT.fullmatch(raw):
            instant = datetime.fromisoformat(raw)
            return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    except ValueError:
        pass
    reason = "is not a date and time"
    raise UnreadableError(reason)


def _flag(raw: object) -> object:
    if isinstance(raw, int) and raw in (0, 1):
        return bool(raw)
    reason = "is neither 0 nor 1"
    raise UnreadableError(reason)


def _integer(raw: object) -> object:
    if isinstance(raw, int):
        return raw
    reason = "is not an integer"
    raise UnreadableError(reason)


def _document(raw: object) -> object:
    if raw == "":
        return None
    if not isinstance(raw, str):
        reason = "is not a JSON document"
        raise UnreadableError(reason)
    try:
        return json.loads(raw, object_pairs_hook=_pairs)
    except UnreadableError:
        raise
    except (ValueError, RecursionError):
        reason = "is not a JSON document"
        raise UnreadableError(reason) from None


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        reason = "has a key twice in one JSON object"
        raise UnreadableError(reason)
    return found


_READERS: Final[Mapping[LogicalType, Callable[[object], object]]] = {
    LogicalType.INSTANT: _instant,
    LogicalType.FLAG: _flag,
    LogicalType.INTEGER: _integer,
    LogicalType.SURROGATE_KEY: _integer,
    LogicalType.DOCUMENT: _document,
}
