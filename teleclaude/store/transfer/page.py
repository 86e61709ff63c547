"""Some rows of a table, from the form the source's driver gives to the one the target's takes.

Everything is done for a whole column at a time, and only what is asked for. What takes long is done
in parts, between which others have their turn.
"""

from __future__ import annotations

import asyncio
import marshal
from functools import cached_property
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Protocol

from teleclaude.backends import Capabilities, bulk
from teleclaude.store.stored_documents import canonical, parsed, passable
from teleclaude.store.stored_instants import as_written
from teleclaude.store.transfer.content import forms_of, make_derived
from teleclaude.store.types import JsonDocument, UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Dialect, Table

    from teleclaude.store.transfer.content import Columns, Row

_PART: Final = 500
"""Rows that are bound at a stretch: some milliseconds, in which nothing is sent to a server that
loads. What is on the way to it lasts about as long."""

_NONE: Final = Capabilities()
"""What an engine can do of which nothing is known."""

_LOOKED_AT: Final = 500
"""Values, about, that say how large those of a column are."""

_NUMBER: Final = 8
"""Bytes that are counted for a value whose size hardly varies."""


class Values(Protocol):
    """Where the rows of a page come from."""

    def __len__(self) -> int:
        """Count the rows."""
        ...

    def parts(self, rows: int) -> Iterator[Values]:
        """Give them in parts of at most so many rows."""
        ...

    def read(self, abilities: Capabilities = _NONE) -> Columns:
        """Give the values of each column, with documents that are dumped.

        Args:
            abilities: What the engine can do that they are to be bound for. Text that it reads
                itself may stay as it is.
        """
        ...


class Page:
    """Some rows that follow each other.

    Attributes:
        table: Their table.
        key: The primary key of the last one.
        bound: The rows ready for the driver of a target, once `bind` was called.
    """

    def __init__(self, table: Table, key: tuple[object, ...], values: Values) -> None:
        """Take rows.

        Args:
            table: Their table.
            key: The primary key of the last one.
            values: Their values.
        """
        self.table = table
        self.key = key
        self.bound: bulk.Batch | None = None
        self._values = values

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._values)

    @cached_property
    def columns(self) -> Columns:
        """The values of each column, as the store takes them; documents are dumped."""
        return self._values.read()

    @cached_property
    def rows(self) -> Sequence[Row]:
        """The rows, as the store takes them; documents are dumped."""
        return list(zip(*self.columns, strict=True))

    @property
    def forms(self) -> Sequence[bytes]:
        """The canonical form of each row."""
        return forms_of(self.table, self.columns)

    async def bind(self, dialect: Dialect, abilities: Capabilities) -> None:
        """Make the rows ready for a driver.

        Args:
            dialect: The dialect of the target.
            abilities: What its engine can do.

        Raises:
            StoreError: A value is not what its column should hold, or cannot be stored.
        """
        bound: list[list[Any]] = [[] for _ in self.table.columns]
        for part in self._values.parts(_PART):
            batch = bulk.bound_columns(self.table, dialect, part.read(abilities))
            for values, more in zip(bound, batch.columns, strict=True):
                values.extend(more)
            await asyncio.sleep(0)
        self.bound = bulk.Batch(bound)


class DumpedValues:
    """Values as the store takes them, with documents that are dumped."""

    def __init__(self, columns: Columns) -> None:
        """Take the values of each column of a table, for at least one row."""
        self._columns = columns

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._columns[0])

    def parts(self, rows: int) -> Iterator[DumpedValues]:
        """Give them in parts of at most so many rows."""
        return map(DumpedValues, _parts(self._columns, rows))

    def read(self, abilities: Capabilities = _NONE) -> Columns:
        """Give the values."""
        del abilities
        return self._columns


class StoredValues:
    """Values as a driver gave them."""

    def __init__(self, table: Table, dialect: Dialect, columns: Columns, *, derive: bool) -> None:
        """Take values.

        Args:
            table: Their table.
            dialect: The dialect of the engine.
            columns: The values of each column, for at least one row, selected with
                `stored_columns`.
            derive: Whether columns that are made from others are made anew.
        """
        self._table = table
        self._dialect = dialect
        self._derive = derive
        self._stored = columns

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._stored[0])

    def parts(self, rows: int) -> Iterator[StoredValues]:
        """Give them in parts of at most so many rows."""
        for part in _parts(self._stored, rows):
            yield StoredValues(self._table, self._dialect, part, derive=self._derive)

    @property
    def size(self) -> int:
        """About how many bytes they have."""
        return sum(map(_size, self._stored))

    def last_key(self) -> tuple[object, ...]:
        """Give the primary key of the last row."""
        kinds, names = self._kinds(), self._table.columns.keys()
        places = [names.index(column.key) for column in self._table.primary_key.columns]
        return tuple(
            kinds[place].load_many(self._dialect, self._stored[place][-1:])[0] for place in places
        )

    def read(self, abilities: Capabilities = _NONE) -> Columns:
        """Give the values; see `Values.read`."""
        documents = passable if abilities.parses_documents else canonical
        columns: list[Sequence[Any]] = []
        for kind, values in zip(self._kinds(), self._stored, strict=True):
            if isinstance(kind, JsonDocument):
                columns.append(documents(values, kind.where))
            elif (
                abilities.loads_instant_text
                and isinstance(kind, UtcDateTime)
                and (written := as_written(values)) is not None
            ):
                columns.append(written)
            else:
                columns.append(kind.load_many(self._dialect, values))
        if self._derive:
            make_derived(self._table, columns, self._whole)
        return columns

    def _whole(self, columns: Columns) -> Columns:
        """Put documents in the place of their text."""
        return [
            parsed(stored, kind.where) if isinstance(kind, JsonDocument) else values
            for kind, stored, values in zip(self._kinds(), self._stored, columns, strict=True)
        ]

    def _kinds(self) -> list[Any]:
        # The logical types, as they are for this engine.
        return [column.type.dialect_impl(self._dialect) for column in self._table.columns]


def _parts(columns: Columns, rows: int) -> Iterator[Columns]:
    for start in range(0, len(columns[0]), rows):
        yield [values[start : start + rows] for values in columns]


def _size(values: Sequence[Any]) -> int:
    some = values[:: 1 + len(values) // _LOOKED_AT]
    kinds = set(map(type, some)) - {NoneType}
    if kinds == {str}:
        size = len("".join(filter(None, some)))
    elif kinds & {dict, list}:
        size = len(marshal.dumps(list(some)))
    else:
        size = _NUMBER * len(some)
    return size * len(values) // len(some)
