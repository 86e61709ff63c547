"""COPY on a real server: what `tests/store/test_bulk_load.py` cannot ask of every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import BigInteger, Column, MetaData, String, Table, event, select
from sqlalchemy.exc import DBAPIError

from teleclaude.backends import ErrorKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from teleclaude.backends import Backend

TABLE = Table(
    'Odd "name"; --',
    MetaData(),
    Column("id", BigInteger, primary_key=True),
    Column('Odd "column"', String(10)),
)


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection of a database that has the table."""
    async with engine.begin() as connection:
        await connection.run_sync(TABLE.create)
    async with engine.connect() as connection:
        yield connection


async def test_nothing_of_a_copy_stays_with_its_connection(
    backend: Backend, connection: AsyncConnection
) -> None:
    """A connection that takes thousands of pages does not remember each of them."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    before = len(driver._termination_listeners)
    await backend.bulk_load(connection, TABLE, [(1, "one")])
    assert len(driver._termination_listeners) == before


async def test_rows_are_copied(
    backend: Backend, engine: AsyncEngine, connection: AsyncConnection
) -> None:
    """Rows do not go through INSERT, and names are quoted, whatever they are."""
    sent: list[str] = []

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def note(*arguments: object) -> None:
        sent.append(str(arguments[2]))

    rows = [(1, "one"), (-5, None)]
    assert await backend.bulk_load(connection, TABLE, rows) == 2
    assert not [statement for statement in sent if "INSERT" in statement]
    assert (await connection.execute(select(TABLE).order_by(TABLE.c.id.desc()))).all() == rows


async def test_what_the_server_refuses_is_an_error_of_the_database(
    backend: Backend, connection: AsyncConnection
) -> None:
    """An error without a kind is SQLAlchemy's, as of any statement, and quotes no value."""
    with pytest.raises(DBAPIError) as failure:
        await backend.bulk_load(connection, TABLE, [(1, "longer than ten")])
    assert backend.classify_error(failure.value) is ErrorKind.OTHER
    assert "longer" not in str(failure.value)
