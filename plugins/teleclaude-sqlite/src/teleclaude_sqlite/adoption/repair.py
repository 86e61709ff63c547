"""Keeping what can be kept of a value that cannot be stored as it is."""

from __future__ import annotations

import json
from typing import Final

from teleclaude.backends import LogicalType

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_SAFE_LENGTH: Final = 200
"""Characters of a key that cannot be too long on any engine."""


def repaired(kind: LogicalType, raw: object, *, is_nullable: bool) -> object:
    """Give what can be kept.

    Characters that cannot be stored are replaced. Of a key that may be missing nothing is kept,
    because another key would be somebody else's.

    Args:
        kind: The kind of the column.
        raw: What was in it.
        is_nullable: Whether the column can do without.

    Returns:
        A value to try, `None` when nothing can be kept.
    """
    if not isinstance(raw, str):
        return None
    if kind is LogicalType.TEXT:
        return _replaced(raw)
    if kind is LogicalType.KEY and not is_nullable:
        return _replaced(raw)[:_SAFE_LENGTH]
    if kind is LogicalType.DOCUMENT:
        try:
            return json.dumps(_cleaned(json.loads(_replaced(raw))))
        except (ValueError, RecursionError):
            return None
    return None


def _replaced(text: str) -> str:
    return "".join(_REPLACEMENT if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in text)


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return _replaced(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {_replaced(name): _cleaned(item) for name, item in value.items()}
    return value
