"""Instants as the store writes them where they are text, a whole column at a time."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIGITS: Final = str.maketrans("123456789", "000000000")
_UTC: Final = "+00:00"
_SHAPE: Final = "0000-00-00T00:00:00.000000" + _UTC

_ENDS: Final = ("0001-01-01T00:00:00.000000", "9999-12-31T23:59:59.999999")
"""The ends of time, which some drivers write as infinity: they are to see them themselves."""


class WrittenInstants(list["str | None"]):
    """A column of instants, all of them text as `format_instant` writes it."""


def as_written(stored: Sequence[Any]) -> WrittenInstants | None:
    """Say whether all instants of a column are text as `format_instant` writes it.

    Args:
        stored: Instants as they are stored, or `None`.

    Returns:
        The same, or `None` where one of them is anything else, or an end of time.
    """
    kinds = set(map(type, stored))
    if not kinds <= {str, NoneType}:
        return None
    texts = [text for text in stored if text is not None] if NoneType in kinds else stored
    together = "".join(texts)
    if set(map(len, texts)) - {len(_SHAPE)} or together.count(_UTC) != len(texts):
        return None
    if together.translate(_DIGITS) != _SHAPE * len(texts) or any(end in together for end in _ENDS):
        return None
    try:
        deque(map(datetime.fromisoformat, texts), maxlen=0)
    except ValueError:
        return None
    return WrittenInstants(stored)
