"""Loading many rows into a table: what has to be true of them, and the portable way to do it.

Nothing here knows how an engine loads fast; that is a backend's `teleclaude_bulk_load`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol, cast, overload

from sqlalchemy import insert

from teleclaude.errors import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Column, Dialect, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

BATCH: Final = 2_000
"""Rows loaded at once. More make it no faster and only take memory."""


class Batch(Sequence[tuple[Any, ...]]):
    """Rows of a table that are kept by the column.

    Attributes:
        columns: For every column of the table in its order the values of all rows.
    """

    def __init__(self, columns: Sequence[Sequence[Any]]) -> None:
        """Take the values of each column."""
        self.columns = columns

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.columns[0])

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Give the rows one by one."""
        return zip(*self.columns, strict=True)

    @overload
    def __getitem__(self, place: int) -> tuple[Any, ...]: ...

    @overload
    def __getitem__(self, place: slice) -> Batch: ...

    def __getitem__(self, place: int | slice) -> tuple[Any, ...] | Batch:
        """Give a row, or some of them."""
        if isinstance(place, slice):
            return Batch([values[place] for values in self.columns])
        return tuple(values[place] for values in self.columns)


def batches(
    rows: Iterable[Sequence[object]], size: int = BATCH
) -> Iterator[list[Sequence[object]]]:
    """Take rows in batches, no more of them than the batch needs.

    Args:
        rows: The rows.
        size: How many are in a batch; the last one may be smaller.

    Yields:
        The batches, none of them empty.
    """
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


def by_column(table: Table, rows: Sequence[Sequence[object]]) -> list[tuple[object, ...]]:
    """Turn rows into columns, having checked that each is as wide as the table.

    Args:
        table: The table.
        rows: At least one row, with a value for every column of the table in its order.

    Returns:
        For each column of the table its values.

    Raises:
        InvalidValueError: A row has too few or too many values.
    """
    width = len(table.columns)
    for row in rows:
        if len(row) != width:
            message = (
                f"A row for {table.name} has {len(row)} values; the table has {width} columns."
            )
            raise InvalidValueError(message)
    return list(zip(*rows, strict=True))


def _check_nulls(table: Table, columns: Sequence[Sequence[object]]) -> None:
    for column, values in zip(table.columns, columns, strict=True):
        if not column.nullable and None in values:
            message = f"The value for {column} must not be null."
            raise InvalidValueError(message)


def bound(table: Table, dialect: Dialect, rows: Sequence[Sequence[object]]) -> Batch:
    """Check rows and bring each value into the form the driver takes.

    Args:
        table: The table.
        dialect: The dialect of the engine.
        rows: At least one row, with a Python value for every column of the table in its order.

    Returns:
        The same rows, as the types of the columns bind them.

    Raises:
        InvalidValueError: A value cannot be stored.
    """
    return bound_columns(table, dialect, by_column(table, rows))


def bound_columns(table: Table, dialect: Dialect, columns: Sequence[Sequence[object]]) -> Batch:
    """Do what `bound` does for rows that are given by column.

    Args:
        table: The table.
        dialect: The dialect of the engine.
        columns: For every column of the table in its order the values of at least one row.

    Returns:
        The rows, as the types of the columns bind them.

    Raises:
        InvalidValueError: A value cannot be stored.
    """
    _check_nulls(table, columns)
    bound = [
        _bound(column, dialect, values)
        for column, values in zip(table.columns, columns, strict=True)
    ]
    return Batch(bound)


class BindsMany(Protocol):
    """A column type that binds the values of many rows quicker than one by one."""

    def bind_many(self, values: Sequence[object]) -> Sequence[object]:
        """Give what the type's bind processor would make of each value."""
        ...


def _bound(column: Column[Any], dialect: Dialect, values: Sequence[object]) -> Sequence[object]:
    engine_type = column.type.dialect_impl(dialect)
    # Asking whether it is one, of a protocol that can be asked for, takes as long as 100 values.
    if hasattr(engine_type, "bind_many"):
        return cast("BindsMany", engine_type).bind_many(values)
    process = engine_type.bind_processor(dialect)
    return values if process is None else list(map(process, values))


async def insert_rows(
    connection: AsyncConnection, table: Table, rows: Sequence[Sequence[object]]
) -> None:
    """Load rows with an INSERT that is run once for each of them: what every engine can do.

    Args:
        connection: A connection in a transaction.
        table: The table.
        rows: At least one row, with a Python value for every column of the table in its order.

    Raises:
        InvalidValueError: A value cannot be stored.
    """
    _check_nulls(table, by_column(table, rows))
    names = table.columns.keys()
    await connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])
