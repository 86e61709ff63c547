"""The text form of COPY: what the server reads in it is what was written."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import BigInteger, Boolean, Column, DateTime, MetaData, Table, Text, insert, select

from teleclaude.backends import Batch
from teleclaude_postgres.loading import copy_rows

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

TABLE = Table(
    "texts",
    MetaData(),
    Column("id", BigInteger, primary_key=True),
    Column("one", Text),
    Column("other", Text),
    Column("flag", Boolean),
    Column("instant", DateTime(timezone=True)),
)


class Word(str):
    """Text of a class of its own, as a dumped document is."""

    __slots__ = ()


class Number(IntEnum):
    """A number of a class of its own."""

    SEVEN = 7


AWKWARD = (
    *("", "\\", r"\N", r"\.", "\t", "\n", "\r", "\r\n", "\\t", r"\x41", "a\tb\\nc\\", " ", None),
    *("\b\v\f\x7f\x01", "\u2028\x85\U0001f9e0", Word("\\\t"), "null", "NULL"),
)
"""Text with everything in it that means something to COPY."""


async def copied(engine: AsyncEngine, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Load rows, and give what is there then."""
    async with engine.connect() as connection:
        await connection.run_sync(TABLE.create)
        await copy_rows(connection, TABLE, Batch(list(zip(*rows, strict=True))))
        return [tuple(row) for row in await connection.execute(select(TABLE).order_by(TABLE.c.id))]


@pytest.mark.parametrize("times", [1, 100])
async def test_text_is_read_as_it_was(engine: AsyncEngine, times: int) -> None:
    """Nothing in a text is taken for the end of a value or a row, for a null or for an escape."""
    rows = [
        (number, one, AWKWARD[-number % len(AWKWARD)], None, None)
        for number, one in enumerate(AWKWARD * times)
    ]
    assert await copied(engine, rows) == rows


async def test_every_kind_of_value(engine: AsyncEngine) -> None:
    """Numbers, flags and instants are read as they were, also beside nulls."""
    early = datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    late = datetime(9999, 12, 31, 23, 59, 59, 999_998, tzinfo=UTC)
    rows = [
        (-(2**63), "", None, True, early),
        (Number.SEVEN, None, "", False, None),
        (2**63 - 1, "x", "", None, late),
    ]
    assert await copied(engine, rows) == rows


async def test_the_ends_of_time_are_those_of_an_insert(engine: AsyncEngine) -> None:
    """They are infinite, as the driver writes them everywhere else."""
    ends = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
    loaded = await copied(engine, [(n, None, None, None, end) for n, end in enumerate(ends)])
    async with engine.begin() as connection:
        await connection.run_sync(TABLE.create)
        rows = [{"id": number, "instant": end} for number, end in enumerate(ends)]
        await connection.execute(insert(TABLE), rows)
        inserted = await connection.execute(select(TABLE).order_by(TABLE.c.id))
        assert [tuple(row) for row in inserted] == loaded


async def test_a_value_that_copy_cannot_be_given(engine: AsyncEngine) -> None:
    """A value of another class is refused, not written as whatever it prints."""
    with pytest.raises(TypeError, match="COPY cannot be given a float"):
        await copied(engine, [(1, 0.5, None, None, None)])
