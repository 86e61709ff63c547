"""A database as it is after years: a hundred thousand rows in every table that is searched.

A part of them is written from here; the database copies those until there are enough, which is
many times faster.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import String, insert, literal, select

from teleclaude.store.models import metadata
from teleclaude.testing.clock import START

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Column, ColumnElement

    from teleclaude.store import Db

    Row = dict[str, Any]

DOUBLINGS: Final = 4
WRITTEN: Final = 6250
ROWS: Final = WRITTEN * 2**DOUBLINGS
"""In each table."""

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)


async def fill(db: Db) -> None:
    """Fill the tables: most rows are done with, few are of today.

    Args:
        db: A store on a database at the newest revision, with nothing in it.
    """
    for name, make in _ROWS.items():
        table = metadata.tables[name]
        rows = [make(number) for number in range(WRITTEN)]
        await db._executor.write_many(insert(table), rows)
        for number in range(DOUBLINGS if name != "memory_manual_sessions" else 0):
            values = {
                column.name: _copy(column, number)
                for column in table.c
                if column is not table.autoincrement_column
            }
            copy = insert(table).from_select(list(values), select(*values.values()))
            await db._executor.write(copy)


def _copy(column: Column[Any], number: int) -> ColumnElement[Any]:
    copy: ColumnElement[Any] = column
    if column.name in _KEYS:
        copy = column + literal(f".{number}", String)
    elif column.name == "created_at_epoch":
        copy = column + WRITTEN * 2**number
    return copy


_KEYS: Final = {
    "agent",
    "caller_session_id",
    "id",
    "key",
    "native_session_id",
    "session_id",
    "tmux_session_name",
}
"""Columns whose values are not copied as they are: they would not be unique, or less selective."""


def _outbox_row(number: int) -> Row:
    return {
        "created_at": START,
        "next_attempt_at": START,
        "attempt_count": 0,
        "delivered_at": START - number * MINUTE if number % 50 else None,
        "dead_at": START if number % 250 == 0 else None,
    }


def _hook(number: int) -> Row:
    event = {"session_id": f"{number % 301}", "event_type": "stop", "payload": {}}
    return {**_outbox_row(number), **event}


def _notification(number: int) -> Row:
    notification = {"channel": "mail", "recipient_email": "a@b", "content": ""}
    return {**_outbox_row(number), **notification}


def _webhook(number: int) -> Row:
    return {**_outbox_row(number), "contract_id": "c", "event_json": {}, "target_url": "x"}


def _session(number: int) -> Row:
    is_open = number % 500 == 0
    return {
        "session_id": f"{number}",
        "title": f"Session {number}",
        "computer_name": "mac",
        "last_input_origin": "api",
        "created_at": START,
        "last_activity": START + number * MINUTE,
        "closed_at": None if is_open else START + number * MINUTE,
        "lifecycle_status": "active" if is_open else "closed",
        "tmux_session_name": f"tmux {number}",
        "native_session_id": f"native {number}",
        "adapter_metadata": {"telegram": {"topic": number}},
        "transcript_files": [],
    }


def _deletion(number: int) -> Row:
    return {
        "session_id": f"{number}",
        "message_id": "message",
        "deletion_type": "user_input",
        "created_at": START,
    }


def _listener(number: int) -> Row:
    return {
        "target_session_id": f"{number % 3000}",
        "caller_session_id": f"{number}",
        "caller_tmux_session": "tmux",
        "registered_at": START - (2 * HOUR if number < 20 else 0 * HOUR),
    }


def _voice(number: int) -> Row:
    return {
        "id": f"{number}",
        "service_name": f"service {number % 5}",
        "voice": f"voice {number % 30}",
        "assigned_at": START - (2 * HOUR if number < 20 else 0 * HOUR),
    }


def _agent(number: int) -> Row:
    return {"agent": f"{number}", "available": True}


def _setting(number: int) -> Row:
    return {"key": f"{number}", "value": "", "updated_at": START}


def _contract(number: int) -> Row:
    return {
        "id": f"{number}",
        "contract_json": {},
        "active": number % 100 == 0,
        "source": "api",
        "created_at": START,
        "updated_at": START,
    }


def _observation(number: int) -> Row:
    words = f"common word{number % 500} project{number % 100} rare{number}"
    return {
        "memory_session_id": f"manual-{number % 100}",
        "project": f"{number % 100}",
        "type": ("discovery", "decision", "gotcha")[number % 3],
        "title": words,
        "narrative": words,
        "facts": [],
        "concepts": [],
        "created_at": START,
        "created_at_epoch": number,
        "identity_key": f"{number % 50}" if number % 2 else None,
        "search_text": words,
    }


def _manual_session(number: int) -> Row:
    return {
        "memory_session_id": f"manual-{number}",
        "project": f"{number}",
        "created_at_epoch": number,
    }


def _summary(number: int) -> Row:
    return {
        "memory_session_id": f"manual-{number % 100}",
        "project": f"{number % 100}",
        "created_at": START,
        "created_at_epoch": number,
    }


_ROWS: Final[Mapping[str, Callable[[int], Row]]] = {
    "agent_availability": _agent,
    "hook_outbox": _hook,
    "memory_manual_sessions": _manual_session,
    "memory_observations": _observation,
    "memory_summaries": _summary,
    "notification_outbox": _notification,
    "session_listeners": _listener,
    "sessions": _session,
    "pending_message_deletions": _deletion,
    "system_settings": _setting,
    "voice_assignments": _voice,
    "webhook_contracts": _contract,
    "webhook_outbox": _webhook,
}
