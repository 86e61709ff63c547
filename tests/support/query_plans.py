"""How engines run the statements of the store: what they read from end to end.

A module for each engine reads its EXPLAIN: it has the text that goes before a statement, `EXPLAIN`,
and `read_whole` and `indexes`, which find the tables and indexes in the rows that come back.
"""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from teleclaude.store import Db

_READERS: Final = {"sqlite": "sqlite_plans", "postgresql": "postgres_plans"}

_BOUNDS: Final = ("BEGIN", "COMMIT", "ROLLBACK")
"""What begins and ends a transaction, which the engine's event does not tell."""


class Sent(NamedTuple):
    """A statement as the driver got it."""

    sql: str
    parameters: Any


async def sent_by(db: Db, operation: Awaitable[object]) -> Sequence[Sent]:
    """Run an operation and give the statements that it sends.

    Args:
        db: The store whose operation it is, by itself or in a transaction.
        operation: What to run.
    """
    sent: list[Sent] = []
    engine = db._engine.sync_engine

    def note(*arguments: object) -> None:
        sent.append(Sent(str(arguments[2]), arguments[3]))

    def note_on_lane(sql: str, values: Sequence[object]) -> None:
        if not sql.startswith(_BOUNDS):
            sent.append(Sent(sql, tuple(values)))

    event.listen(engine, "before_cursor_execute", note)
    on_lane = [] if db._lane is None else db._lane.observers
    on_lane.append(note_on_lane)
    try:
        await operation
    finally:
        event.remove(engine, "before_cursor_execute", note)
        on_lane.remove(note_on_lane)
    return sent


async def read_whole(
    connection: AsyncConnection, engine: str, statements: Iterable[Sent]
) -> set[str]:
    """Give the tables that statements read from end to end.

    Args:
        connection: What explains the statements.
        engine: Whose explanation it is.
        statements: What the store sends.
    """
    plans = await _explain(connection, engine, statements)
    return set().union(*map(import_module(_READERS[engine]).read_whole, plans))


async def indexes(
    connection: AsyncConnection, engine: str, statements: Iterable[Sent]
) -> Counter[str]:
    """Count how often statements use an index; see `read_whole`."""
    plans = await _explain(connection, engine, statements)
    return Counter(chain.from_iterable(map(import_module(_READERS[engine]).indexes, plans)))


async def _explain(
    connection: AsyncConnection, engine: str, statements: Iterable[Sent]
) -> list[list[tuple[object, ...]]]:
    explain = import_module(_READERS[engine]).EXPLAIN
    found = []
    for sql, parameters in statements:
        rows = await connection.exec_driver_sql(explain + sql, parameters)
        found.append([tuple(row) for row in rows])
    return found
