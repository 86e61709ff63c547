"""Rows in the text form of COPY.

The driver makes the binary form of every value by itself; text is made of whole columns, in less
than half the time, and what is text already stays as it is. The server has little more to do.

https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    Columns: TypeAlias = Sequence[Sequence[Any]]

_PART: Final = 100
"""Rows that are made at a stretch. With many more, all that is made of them is so large that memory
is asked of the system and given back each time, which takes as long as everything else."""

_NULL: Final = r"\N"

_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)

_ESCAPES: Final = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
"""The backslash is the first, because those of the others are not to be escaped."""


async def text_form(columns: Columns) -> AsyncIterator[bytes]:
    """Write rows.

    Args:
        columns: The values of each column, for at least one row.

    Yields:
        Some lines at a time.
    """
    for start in range(0, len(columns[0]), _PART):
        texts = [_texts(values[start : start + _PART]) for values in columns]
        lines = map("\t".join, zip(*texts, strict=True))
        yield ("\n".join(lines) + "\n").encode()


def _texts(values: Sequence[Any]) -> Sequence[str]:
    kinds = _kinds(values)
    if kinds == {str}:
        return _escaped(values)
    if len(kinds) > 1:
        return [_NULL if value is None else _write(value) for value in values]
    write = _WRITERS[kinds.pop()] if kinds else str
    return [_NULL if value is None else write(value) for value in values]


def _escaped(values: Sequence[str | None]) -> Sequence[str]:
    texts = [value or "" for value in values]
    together = "".join(texts)
    for character, escape in _ESCAPES.items():
        if character in together:
            texts = [text.replace(character, escape) for text in texts]
    if None not in values:
        return texts
    return [_NULL if value is None else text for text, value in zip(texts, values, strict=True)]


def _kinds(values: Sequence[object]) -> set[type]:
    return {_known(kind) for kind in set(map(type, values)) if kind is not NoneType}


def _known(kind: type) -> type:
    for base in kind.__mro__:
        if base in _WRITERS:
            return base
    message = f"COPY cannot be given a {kind.__name__}."
    raise TypeError(message)


def _write(value: object) -> str:
    kind = _known(type(value))
    return _escaped([str(value)])[0] if kind is str else _WRITERS[kind](value)


def _flag(value: object) -> str:
    return "t" if value else "f"


def _instant(value: datetime) -> str:
    # As in the binary form, which the driver makes where rows are inserted.
    if value == _LAST:
        return "infinity"
    return "-infinity" if value == _FIRST else value.isoformat()


_WRITERS: Final[Mapping[type, Callable[[Any], str]]] = {
    str: str.__str__,  # which nobody escapes: `_escaped` is for text
    int: int.__repr__,
    bool: _flag,
    datetime: _instant,
}
"""What writes a value of each class, whatever classes of their own have made of it."""
