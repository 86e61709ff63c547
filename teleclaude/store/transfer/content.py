"""What a row means, whatever the engine: its canonical text, and the hash of many rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from teleclaude.store.types import JsonDocument, UtcDateTime
from teleclaude.store.values import dump_document, format_instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Column, Table

Row: TypeAlias = Sequence[Any]
"""A row, with a value for every column of its table in order."""

_BYTES: Final = 16
_MODULUS: Final = 2 ** (8 * _BYTES)


@dataclass(slots=True)
class Content:
    """How many rows there are, and a hash of them all.

    The hash is the sum of the rows' own hashes: it can be continued, and does not depend on the
    order in which rows are added. Rows of one table differ in their keys, so that no two cancel
    each other.
    """

    rows: int = 0
    total: int = 0

    def add(self, texts: Iterable[str]) -> None:
        """Add rows.

        Args:
            texts: Their canonical texts.
        """
        for text in texts:
            hashed = blake2b(text.encode("ascii"), digest_size=_BYTES).digest()
            self.total += int.from_bytes(hashed, "big")
            self.rows += 1
        self.total %= _MODULUS

    @property
    def hash(self) -> str:
        """The hash as hexadecimal digits."""
        return f"{self.total:0{2 * _BYTES}x}"

    @classmethod
    def of(cls, rows: int, digits: str) -> Content:
        """Continue from what `rows` and `hash` said."""
        return cls(rows, int(digits, 16))


def canonical(table: Table, rows: Sequence[Row]) -> list[str]:
    """Write rows as text that is equal when all their values are, on whatever engine they were.

    Args:
        table: The table.
        rows: Its rows, as the store gives them.

    Returns:
        The text of each row, in ASCII.

    Raises:
        InvalidValueError: A document cannot be stored.
    """
    columns = [
        _canonical(column, values)
        for column, values in zip(table.columns, zip(*rows, strict=True), strict=True)
    ]
    return list(map(ascii, zip(*columns, strict=True)))


def canonical_value(column: Column[Any], value: object) -> str:
    """Write one value like that."""
    (text,) = _canonical(column, [value])
    return ascii(text)


def derived(table: Table, rows: Sequence[Row]) -> Sequence[Row]:
    """Make the columns anew that are made from others.

    Somebody's own SQL may have changed those and not these.

    Args:
        table: The table.
        rows: Its rows.

    Returns:
        The rows with the columns as they should be.
    """
    names = table.columns.keys()
    makers = [(names.index(c.key), c.info["derive"]) for c in table.columns if "derive" in c.info]
    if not makers:
        return rows
    result = []
    for row in rows:
        values = list(row)
        for position, derive in makers:
            values[position] = derive(dict(zip(names, row, strict=True)))
        result.append(tuple(values))
    return result


def _canonical(column: Column[Any], values: Sequence[object]) -> Iterable[object]:
    if isinstance(column.type, JsonDocument):
        where = column.type.where
        return [None if value is None else dump_document(value, where) for value in values]
    if isinstance(column.type, UtcDateTime):
        return [None if value is None else format_instant(value) for value in values]  # type: ignore[arg-type]
    return values
