"""The floors: what a careful program without any library would do with the driver alone.

They run the very statements that the store sends, with values that are ready, on connections that
are set up as the store's are: with the same durability. That is less than any program does, because
values have to come from somewhere and rows are wanted as something.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from sqlite3 import Connection

    import aiosqlite
    import asyncpg

Section: TypeAlias = "Mapping[str, Any]"
"""The `database:` section of a configuration."""

CONNECTIONS: Final = 10
"""As many as the store has by default."""


class Sent(NamedTuple):
    """What the store sent for one operation.

    Attributes:
        statements: SQL and values, in their order, without BEGIN and COMMIT.
        in_transaction: Whether these were there.
    """

    statements: Sequence[tuple[str, Sequence[object]]]
    in_transaction: bool


class Floor(Protocol):
    """Runs statements on a driver."""

    async def run(self, sent: Sent) -> object:
        """Run what an operation consists of, and give the rows of its last statement."""
        ...

    async def tidy(self, table: str = "") -> None:
        """Do now what the engine would do by itself some time, and then be in the way.

        Args:
            table: Only for this one, where that is possible; all of them when left out.
        """
        ...


class Sqlite3:
    """Python's own driver, on the loop's thread: nothing is faster as long as nothing waits."""

    def __init__(self, connection: Connection) -> None:
        """Take an open connection."""
        self._connection = connection

    async def run(self, sent: Sent) -> object:
        """Run statements, without ever giving others a turn."""
        rows: object = None
        if sent.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
        for sql, values in sent.statements:
            rows = self._connection.execute(sql, values).fetchall()
        if sent.in_transaction:
            self._connection.execute("COMMIT")
        return rows

    async def tidy(self, table: str = "") -> None:  # noqa: ARG002 - one log for all
        """Empty the log."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


class Aiosqlite:
    """One connection of aiosqlite; a call is one way to its thread and back."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        """Take an open connection."""
        self._connection = connection
        self._alone = asyncio.Lock()

    async def run(self, sent: Sent) -> object:
        """Run statements; others wait while a transaction is open."""
        fetch = self._connection.execute_fetchall
        if not sent.in_transaction:
            for sql, values in sent.statements[:-1]:
                await fetch(sql, values)
            return await fetch(*sent.statements[-1])
        rows: object = None
        async with self._alone:
            await self._connection.execute("BEGIN IMMEDIATE")
            for sql, values in sent.statements:
                rows = await fetch(sql, values)
            await self._connection.execute("COMMIT")
        return rows

    async def tidy(self, table: str = "") -> None:  # noqa: ARG002 - one log for all
        """Empty the log."""
        await self._connection.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")


class Asyncpg:
    """A pool of asyncpg; its connections are not reset between two users."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        """Take an open pool."""
        self._pool = pool

    async def run(self, sent: Sent) -> object:
        """Run statements, each on any connection, or all in one transaction."""
        if not sent.in_transaction:
            for sql, values in sent.statements[:-1]:
                await self._pool.fetch(sql, *values)
            sql, values = sent.statements[-1]
            return await self._pool.fetch(sql, *values)
        rows: object = None
        async with self._pool.acquire() as connection, connection.transaction():
            for sql, values in sent.statements:
                rows = await connection.fetch(sql, *values)
        return rows

    async def tidy(self, table: str = "") -> None:
        """Remove dead rows; without a table, count what there is for the planner, too."""
        await self._pool.execute(f"VACUUM {table}" if table else "VACUUM (ANALYZE)")


def _pragmas(section: Section) -> Sequence[str]:
    return (
        "PRAGMA journal_mode = WAL",
        f"PRAGMA synchronous = {section.get('synchronous', 'normal')}",
        "PRAGMA foreign_keys = ON",
        "PRAGMA busy_timeout = 5000",
        "PRAGMA cache_size = -16384",
    )


@asynccontextmanager
async def _sqlite3(section: Section) -> AsyncIterator[Floor]:
    import sqlite3  # noqa: PLC0415 - each floor imports its own driver
    from contextlib import closing  # noqa: PLC0415 - as above

    with closing(sqlite3.connect(section["path"], isolation_level=None)) as connection:
        for pragma in _pragmas(section):
            connection.execute(pragma)
        yield Sqlite3(connection)


@asynccontextmanager
async def _aiosqlite(section: Section) -> AsyncIterator[Floor]:
    import aiosqlite  # noqa: PLC0415 - as above

    async with aiosqlite.connect(section["path"], isolation_level=None) as connection:
        for pragma in _pragmas(section):
            await connection.execute_fetchall(pragma)
        yield Aiosqlite(connection)


@asynccontextmanager
async def _asyncpg(section: Section) -> AsyncIterator[Floor]:
    import asyncpg  # noqa: PLC0415 - as above

    async def no_reset(_connection: object) -> None:
        pass

    async with asyncpg.create_pool(
        **arguments(section), min_size=CONNECTIONS, max_size=CONNECTIONS, reset=no_reset
    ) as pool:
        yield Asyncpg(pool)


def arguments(section: Section) -> dict[str, Any]:
    """Give the arguments of `asyncpg.connect` for a section."""
    names = ("host", "port", "user", "password")
    given = {name: section[name] for name in names if name in section}
    return {"database": section["dbname"], **given}


Floors: TypeAlias = "Callable[[Section], AbstractAsyncContextManager[Floor]]"

FLOORS: Final[Mapping[str, Mapping[str, Floors]]] = {
    "sqlite": {"aiosqlite": _aiosqlite, "sqlite3": _sqlite3},
    "postgresql": {"asyncpg": _asyncpg},
}
"""By engine; the first is the one that the targets speak of."""
