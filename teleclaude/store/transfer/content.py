"""What a row means, whatever the engine: its canonical form, and the hash of a table."""

from __future__ import annotations

import marshal
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from teleclaude.store.types import JsonDocument, UtcDateTime
from teleclaude.store.values import dump_documents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import Table
    from sqlalchemy.types import TypeEngine

Row: TypeAlias = Sequence[Any]
"""A row, with a value for every column of its table in order."""

Form: TypeAlias = "Callable[[TypeEngine[Any], Sequence[Any]], Iterable[object]]"
"""Brings the values of a column of this type into a form."""

_BYTES: Final = 16

_PLAIN: Final = 0
"""The version of marshal's format that depends on nothing but the values: not on which objects are
the same, nor on which strings are interned."""


class Content:
    """How many rows were seen, and a hash of them all in the order of their keys.

    Attributes:
        rows: The number of rows.
    """

    def __init__(self) -> None:
        """Begin without any row."""
        self.rows = 0
        self._hash = blake2b(digest_size=_BYTES)

    def __eq__(self, other: object) -> bool:
        """Say whether both have seen the same."""
        if not isinstance(other, Content):
            return NotImplemented
        return (self.rows, self.hash) == (other.rows, other.hash)

    __hash__ = None  # type: ignore[assignment]

    def add(self, forms: Sequence[bytes]) -> None:
        """Add the next rows.

        Args:
            forms: Their canonical forms.
        """
        self._hash.update(b"".join(forms))
        self.rows += len(forms)

    @property
    def hash(self) -> str:
        """The hash as hexadecimal digits."""
        return self._hash.hexdigest()


def dumped(table: Table, rows: Sequence[Row]) -> Sequence[Row]:
    """Write the documents of rows as their canonical text, once for every purpose.

    Args:
        table: The table.
        rows: At least one row, as the store gives them.

    Returns:
        The rows with `DumpedDocument`s.

    Raises:
        InvalidValueError: A document cannot be stored.
    """
    if not any(isinstance(column.type, JsonDocument) for column in table.columns):
        return rows
    return _by_column(table, rows, {JsonDocument: _dump})


def canonical(table: Table, rows: Sequence[Row]) -> list[bytes]:
    """Give what is equal for rows when all their values are, on whatever engine they were.

    Args:
        table: The table.
        rows: At least one row, as `dumped` gives them.
    """
    return [
        marshal.dumps(row, _PLAIN)
        for row in _by_column(table, rows, {JsonDocument: _plain_text, UtcDateTime: _instant_bytes})
    ]


def differing_columns(table: Table, one: Row, other: Row) -> Sequence[str]:
    """Name the columns in which two rows differ."""
    forms: Mapping[type[TypeEngine[Any]], Form] = {UtcDateTime: _instant_bytes}
    (mine,), (theirs,) = (_by_column(table, [row], forms) for row in (one, other))
    pairs = zip(table.columns, mine, theirs, strict=True)
    return [column.name for column, own, their in pairs if own != their]


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
    makers = [
        (names.index(c.key), c.info["computed"]) for c in table.columns if "computed" in c.info
    ]
    if not makers:
        return rows
    result = []
    for row in rows:
        values = list(row)
        for position, derive in makers:
            values[position] = derive(dict(zip(names, row, strict=True)))
        result.append(tuple(values))
    return result


def _by_column(
    table: Table,
    rows: Sequence[Row],
    forms: Mapping[type[TypeEngine[Any]], Form],
) -> list[tuple[Any, ...]]:
    columns = [
        forms[type(column.type)](column.type, values) if type(column.type) in forms else values
        for column, values in zip(table.columns, zip(*rows, strict=True), strict=True)
    ]
    return list(zip(*columns, strict=True))


def _dump(kind: TypeEngine[Any], values: Sequence[object]) -> Iterable[object]:
    where = str(getattr(kind, "where", kind))
    texts = iter(dump_documents([value for value in values if value is not None], where))
    return [None if value is None else next(texts) for value in values]


def _plain_text(_kind: TypeEngine[Any], values: Sequence[Any]) -> Iterable[object]:
    return [value and str(value) for value in values]


def _instant_bytes(_kind: TypeEngine[Any], values: Sequence[Any]) -> Iterable[object]:
    # What Python pickles: ten bytes, made in a tenth of the time that text would take.
    return [value and value.__reduce__()[1][0] for value in values]
