"""Fills tables with rows that are only in the way: what a daemon has after a long time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, ColumnElement, String, bindparam, cast, insert, literal, select

from teleclaude.store.models import metadata

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Insert, Table

    from teleclaude import Db

_AT_ONCE: Final = 50_000
"""Rows in one statement: few enough for any limit of its time."""


async def fill(db: Db, rows: int, now: datetime) -> None:
    """Add so many rows to each of the tables that grow.

    Delivered events, closed sessions, settings, listeners of other sessions, and observations of
    another project. The engine makes them by itself.

    Args:
        db: An open store.
        rows: How many.
        now: When they were made.
    """
    for name, values in _rows(now).items():
        statement = _insert(metadata.tables[name], values)
        for first in range(0, rows, _AT_ONCE):
            until = {"first": first + 1, "last": min(first + _AT_ONCE, rows)}
            async with db._engine.begin() as connection:  # noqa: SLF001 - no store does this
                await connection.execute(statement, until)


_FIRST: Final = select(bindparam("first", type_=BigInteger).label("number")).cte(
    "numbers", recursive=True
)
_NUMBERS: Final = _FIRST.union_all(
    select(_FIRST.c.number + 1).where(_FIRST.c.number < bindparam("last", type_=BigInteger))
)
_NUMBER: Final = cast(_NUMBERS.c.number, String)


def _rows(now: datetime) -> Mapping[str, Mapping[str, Any]]:
    """Give what goes into each table: constants, and expressions of the number of the row."""
    return {
        "hook_outbox": {
            "session_id": "old " + _NUMBER,
            "event_type": "old",
            "payload": {"tool": "Bash", "input": {"command": "ls -l"}},
            "created_at": now,
            "next_attempt_at": now,
            "delivered_at": now,
        },
        "sessions": {
            "session_id": "old " + _NUMBER,
            "computer_name": "mac",
            "title": "Session " + _NUMBER,
            "tmux_session_name": "old tmux " + _NUMBER,
            "created_at": now,
            "last_activity": now,
            "closed_at": now,
            "lifecycle_status": "closed",
        },
        "system_settings": {"key": "old " + _NUMBER, "value": "value", "updated_at": now},
        "session_listeners": {
            "target_session_id": "old " + _NUMBER,
            "caller_session_id": "old caller",
            "caller_tmux_session": "tmux",
            "registered_at": now,
        },
        "memory_observations": {
            "memory_session_id": "old",
            "project": "old",
            "type": "discovery",
            "title": "Observation " + _NUMBER,
            "narrative": "Something else was found out.",
            "created_at": now,
            "created_at_epoch": int(now.timestamp()),
            "search_text": "observation old" + _NUMBER + " something else was found out",
        },
    }


def _insert(table: Table, values: Mapping[str, Any]) -> Insert:
    columns: list[ColumnElement[Any]] = [
        value if isinstance(value, ColumnElement) else literal(value, table.c[name].type)
        for name, value in values.items()
    ]
    return insert(table).from_select([*values], select(*columns).select_from(_NUMBERS))
