"""Looking at a store from outside: what it sends, and which connections it uses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sqlalchemy import event

from teleclaude.store import RetryPolicy
from teleclaude.testing.polling import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

    from teleclaude.store import Db

IMPATIENT: Final = RetryPolicy(base=0.001, ceiling=0.01)
"""Retries as everywhere, with waits that do not slow tests down."""


_KINDS_OF_BEGIN: Final = re.compile(r"^BEGIN\b.*")


def record_statements(db: Db) -> list[str]:
    """Begin to record what a store sends.

    Args:
        db: The store.

    Returns:
        A list that grows: statements, and BEGIN, COMMIT, ROLLBACK where a transaction is explicit,
        whether they go through the engine or on the backend's statement lane.
    """
    sent: list[str] = []
    if db._lane is not None:
        db._lane.observers.append(lambda sql, _: sent.append(_KINDS_OF_BEGIN.sub("BEGIN", sql)))
    engine = db._engine.sync_engine

    def note(word: str) -> Callable[[Connection], None]:
        def listener(connection: Connection) -> None:
            if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
                sent.append(word)

        return listener

    @event.listens_for(engine, "before_cursor_execute")
    def statement(*arguments: object) -> None:
        sql = str(arguments[2])
        if not sql.startswith("BEGIN"):  # the `begin` event has noted it
            sent.append(sql)

    for word in ("begin", "commit", "rollback"):
        event.listen(engine, word, note(word.upper()))
    return sent


def checked_out(db: Db) -> int:
    """Count the connections of a store that are in use.

    Args:
        db: The store.
    """
    on_lane = 0 if db._lane is None else db._lane.in_use
    return on_lane + int(db._engine.pool.checkedout())  # type: ignore[attr-defined]


async def all_returned(db: Db) -> None:
    """Wait until no connection is in use: the rest of a cancelled one is cleaned up behind it.

    Args:
        db: The store.
    """
    await until(lambda: not checked_out(db))


async def dispose(engine: AsyncEngine) -> None:
    """Dispose of an engine of which no connection may be in use.

    Args:
        engine: The engine.
    """
    used = int(engine.pool.checkedout())  # type: ignore[attr-defined]
    await engine.dispose()
    assert used == 0, f"{used} connections are still checked out"


async def close(db: Db) -> None:
    """Close a store of which no connection may be in use.

    Args:
        db: The store.
    """
    used = checked_out(db)
    await db.close()
    assert used == 0, f"{used} connections are still checked out"
