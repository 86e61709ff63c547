"""Reading tables page by page, in the order of their primary keys.

A page is found by the key of the last row before it, so that reading can begin anywhere and holds
no more than a page in memory. How many rows a page has depends on how large rows have been.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy import Text, and_, cast, func, or_, select, type_coerce
from sqlalchemy import table as any_table

from teleclaude.backends.translation import translated
from teleclaude.errors import CopyError, StoreError, StoreUnavailableError
from teleclaude.store.transfer.page import Page, StoredValues
from teleclaude.store.types import JsonDocument

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Column, ColumnElement, Executable, Select, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from teleclaude.backends import Backend
    from teleclaude.store.transfer.content import Row

Prepare: TypeAlias = Callable[[Page], Awaitable[None]]
"""What is to be done with each page first."""

MOST_ROWS: Final = 10_000
"""Rows of a page at most. A transaction for each page costs several round trips."""

_FIRST_ROWS: Final = 50
"""Rows of the first page, of which nothing is known."""

_LONGEST: Final = 80
"""Characters of a key that are shown."""

_SIZE: Final = 4_000_000
"""Bytes that a page should have at most, as far as the rows before it can tell."""


async def read_values(page: Page) -> None:
    """Read all values of a page, so that one that cannot be read is noticed."""
    _ = page.columns


class Reader:
    """Reads on one connection."""

    def __init__(self, connection: AsyncConnection, backend: Backend, location: str) -> None:
        """Make the reader.

        Args:
            connection: The connection, in a transaction.
            backend: Whose database it is.
            location: Where that is, without secrets.
        """
        self.connection = connection
        self.backend = backend
        self.location = location

    async def read(
        self, statement: Executable, parameters: Mapping[str, object] | None = None
    ) -> Sequence[Row]:
        """Run a SELECT."""
        with translated(self.backend, self.location):
            return (await self.connection.execute(statement, parameters)).all()

    async def count(self, table: Table) -> int:
        """Count the rows of a table."""
        ((count,),) = await self.read(select(func.count()).select_from(any_table(table.name)))
        return int(count)

    async def id_counter(self, table: Table) -> int:
        """Give the highest surrogate key that is used up."""
        with translated(self.backend, self.location):
            return await self.backend.id_counter(self.connection, table)

    def pages(
        self,
        table: Table,
        *,
        after: tuple[object, ...] | None = None,
        derive: bool = False,
        prepare: Prepare = read_values,
    ) -> Pages:
        """Begin to read a table; see `Pages`."""
        return Pages(self, table, after=after, derive=derive, prepare=prepare)


class Pages:
    """Reads one table from a key on."""

    def __init__(
        self,
        reader: Reader,
        table: Table,
        *,
        after: tuple[object, ...] | None = None,
        derive: bool = False,
        prepare: Prepare = read_values,
    ) -> None:
        """Prepare to read.

        Args:
            reader: What reads.
            table: The table.
            after: The key after which to begin; `None` for the beginning.
            derive: Whether columns that are made from others are made anew.
            prepare: Does what is to be done with each page first; a value that it refuses is one
                that cannot be read.
        """
        self._reader = reader
        self._table = table
        self._after = after
        self._derive = derive
        self._prepare = prepare
        self._limit = _FIRST_ROWS

    async def next(self, most: int = MOST_ROWS) -> Page | None:
        """Read the next page.

        Args:
            most: Rows it may have at most.

        Returns:
            The page, or `None` when there are no more rows.

        Raises:
            CopyError: A value cannot be read. The next page begins after its row.
        """
        limit = min(most, self._limit)
        while True:
            try:
                return await self._page(limit)
            except StoreUnavailableError:
                raise
            except StoreError as error:
                if limit == 1:
                    raise await self._unreadable(error) from error
                limit //= 2

    async def _page(self, limit: int) -> Page | None:
        parsed = self._reader.backend.capabilities.parses_documents
        rows = await self._fetch(select(*stored_columns(self._table, parsed=parsed)), limit)
        if not rows:
            return None
        dialect = self._reader.connection.dialect
        columns = list(zip(*rows, strict=True))
        values = StoredValues(self._table, dialect, columns, derive=self._derive)
        page = Page(self._table, values.last_key(), values)
        await self._prepare(page)
        self._after = page.key
        self._adapt(len(page), values.size)
        return page

    async def _fetch(self, columns: Select[Any], limit: int) -> Sequence[Row]:
        keys = key_columns(self._table)
        statement = columns.order_by(*keys).limit(limit)
        if self._after is not None:
            statement = statement.where(later(keys, self._after))
        return await self._reader.read(statement)

    async def _unreadable(self, error: StoreError) -> CopyError:
        rows = await self._fetch(select(*key_columns(self._table)), 1)
        self._after = tuple(rows[0])
        return row_error(self._table, self._after, error)

    def _adapt(self, rows: int, size: int) -> None:
        wanted = _SIZE * rows // max(size, 1)
        self._limit = max(1, min(wanted, self._limit * 2, MOST_ROWS))


@cache
def stored_columns(table: Table, *, parsed: bool) -> Sequence[ColumnElement[Any]]:
    """Give what selects the columns of a table as the driver gives them, without reading them.

    Args:
        table: The table.
        parsed: Whether the engine parses documents. They are read as text then: its driver would
            parse them one by one.
    """
    kinds: list[Any] = [column.type for column in table.columns]  # all of them logical types
    return [
        cast(column, Text)
        if parsed and isinstance(kind, JsonDocument)
        else type_coerce(column, kind.stored())
        for column, kind in zip(table.columns, kinds, strict=True)
    ]


def key_columns(table: Table) -> Sequence[Column[Any]]:
    """Give the columns of a table's primary key, in their order."""
    return list(table.primary_key.columns)


def key_of(table: Table, row: Row) -> tuple[object, ...]:
    """Give the primary key of a row."""
    positions = _key_positions(table)
    return tuple(row[position] for position in positions)


@cache
def _key_positions(table: Table) -> Sequence[int]:
    names = table.columns.keys()
    return [names.index(column.key) for column in key_columns(table)]


def row_error(table: Table, key: tuple[object, ...], error: StoreError) -> CopyError:
    """Give the error that names the row in which a value is wrong.

    Args:
        table: The row's table.
        key: Its primary key.
        error: What is wrong.
    """
    message = f"{error.message} It is in the row of {table.name} with {describe_key(table, key)}."
    return CopyError(message, hint="Correct it in the source, then try again.")


def describe_key(table: Table, key: tuple[object, ...]) -> str:
    """Write a primary key for people."""
    named = zip(key_columns(table), key, strict=True)
    return ", ".join(f"{column.name} {_shortened(repr(value))}" for column, value in named)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def later(keys: Sequence[Column[Any]], after: tuple[object, ...]) -> ColumnElement[bool]:
    """Give the condition that a row comes after another one.

    Args:
        keys: The columns of the primary key.
        after: The key of the other row.
    """
    key, value = keys[0], after[0]
    if len(keys) == 1:
        return key > value
    # The first condition follows from the second; it tells engines where in the index to begin.
    return and_(key >= value, or_(key > value, later(keys[1:], after[1:])))
