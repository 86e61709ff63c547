"""What every store is given: where statements run, how an upsert is built, what time it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Executable, Table

    from teleclaude.backends import TextSearch
    from teleclaude.store.executor import Executor

Clock: TypeAlias = Callable[[], datetime]
"""Gives the current time as an aware `datetime`."""

Upsert: TypeAlias = "Callable[[Table, tuple[str, ...], tuple[str, ...]], Executable]"
"""`Backend.upsert`, remembering what it built: (table, index elements, update columns)."""


TextSearchOf: TypeAlias = "Callable[[Table, str], TextSearch | None]"
"""`Backend.text_search`, remembering what it built: (table, column name)."""


def utc_now() -> datetime:
    """Give the current time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class StoreContext:
    """What a store works with.

    Attributes:
        executor: Runs its statements, by themselves or inside a transaction.
        upsert: Builds its upserts.
        clock: Tells the time.
        text_search: How the engine finds rows by words, if it has an index for that.
        dialect: Says what the engine can do, such as `update_returning`; never asked for its name.
    """

    executor: Executor
    upsert: Upsert
    clock: Clock
    dialect: Dialect
    text_search: TextSearchOf
