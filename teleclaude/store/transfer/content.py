"""What a row means, whatever the engine: its canonical form, and the hash of a table."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from teleclaude.store.types import JsonDocument, UtcDateTime

if TYPE_CHECKING:
    from sqlalchemy import Column, Table
    from sqlalchemy.types import TypeEngine

Row: TypeAlias = Sequence[Any]
"""A row, with a value for every column of its table in order."""

Columns: TypeAlias = Sequence[Sequence[Any]]
"""For every column of a table, in order, the values of the same rows."""

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


def forms_of(table: Table, columns: Columns) -> list[bytes]:
    """Give what is equal for rows when all their values are, on whatever engine they were.

    Args:
        table: The table.
        columns: The values of each of its columns; documents are dumped.
    """
    formed = [
        _FORMS[type(column.type)](values) if type(column.type) in _FORMS else values
        for column, values in zip(table.columns, columns, strict=True)
    ]
    return [marshal.dumps(row, _PLAIN) for row in zip(*formed, strict=True)]


def differing_columns(table: Table, one: Row, other: Row) -> Sequence[str]:
    """Name the columns in which two rows differ."""
    pairs = zip(table.columns, one, other, strict=True)
    return [
        column.name for column, own, their in pairs if _form(column, own) != _form(column, their)
    ]


def make_derived(
    table: Table, columns: list[Sequence[Any]], whole: Callable[[Columns], Columns]
) -> None:
    """Make the columns anew that are made from others.

    Somebody's own SQL may have changed those and not these.

    Args:
        table: The table.
        columns: The values of each of its columns, some of which are replaced.
        whole: Gives the columns with documents that are parsed. It is called if there is need.
    """
    names = table.columns.keys()
    makers = {
        names.index(column.key): column.info["computed"]
        for column in table.columns
        if "computed" in column.info
    }
    if makers:
        rows = [dict(zip(names, row, strict=True)) for row in zip(*whole(columns), strict=True)]
        for place, derive in makers.items():
            columns[place] = [derive(row) for row in rows]


def _form(column: Column[Any], value: object) -> object:
    form = _FORMS.get(type(column.type))
    return value if form is None else form([value])[0]


def _plain_text(values: Sequence[Any]) -> Sequence[object]:
    return [value and str(value) for value in values]


def _instant_bytes(values: Sequence[Any]) -> Sequence[object]:
    # What Python pickles: ten bytes, made in a tenth of the time that text would take.
    return [value and value.__reduce__()[1][0] for value in values]


_FORMS: Final[Mapping[type[TypeEngine[Any]], Callable[[Sequence[Any]], Sequence[object]]]] = {
    JsonDocument: _plain_text,
    UtcDateTime: _instant_bytes,
}
"""Brings the values of a column of this type into a form that is equal when they are."""
