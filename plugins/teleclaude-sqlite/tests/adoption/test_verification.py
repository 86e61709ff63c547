"""A conversion that goes wrong is noticed by the comparison with the copy, and undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from teleclaude.errors import AdoptionError
from teleclaude_sqlite.adoption.conversion import SqliteAdoption
from teleclaude_sqlite.adoption.quarantine import Quarantine
from teleclaude_sqlite.adoption.rows import RowConverter

from .conftest import LAST, backups, content, store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .conftest import TakeOld

    Spoil = Callable[[dict[str, Any]], dict[str, Any] | None]

convert = RowConverter.convert


def spoiling(table: str, spoil: Spoil) -> object:
    """A conversion that spoils the rows of one table."""

    def wrong(self: RowConverter, raw: Mapping[str, object]) -> Mapping[str, object] | None:
        row = convert(self, raw)
        return spoil(dict(row)) if row is not None and self._name == table else row

    return wrong


MISTAKES: dict[str, tuple[str, Spoil, str]] = {
    "a lost row": ("system_settings", lambda _: None, "the table system_settings has 2 rows"),
    "a microsecond": (
        "hook_outbox",
        lambda row: {**row, "created_at": row["created_at"].replace("000001", "000002")},
        "created_at of hook_outbox '1'",
    ),
    "a shifted time": (
        "agent_availability",
        lambda row: {
            **row,
            "unavailable_until": row["unavailable_until"]
            and row["unavailable_until"].replace("T10", "T12"),
        },
        "unavailable_until of agent_availability 'gemini'",
    ),
    "a text": (
        "sessions",
        lambda row: {**row, "title": row["title"] and row["title"].strip().lower()},
        "title of sessions",
    ),
    "a flag": (
        "sessions",
        lambda row: {**row, "initiated_by_ai": 0},
        "initiated_by_ai of sessions 'plain'",
    ),
    "a document": (
        "hook_outbox",
        lambda row: {**row, "payload": "{}"},
        "payload of hook_outbox '1'",
    ),
    "a list": (
        "memory_observations",
        lambda row: {**row, "files_read": None},
        "files_read of memory_observations '1'",
    ),
    "an epoch": (
        "memory_manual_sessions",
        lambda row: {**row, "created_at_epoch": row["created_at_epoch"] + 1},
        "created_at_epoch of memory_manual_sessions 'm1'",
    ),
    "a status": (
        "sessions",
        lambda row: {**row, "lifecycle_status": "closed"},
        "lifecycle_status of sessions 'headless'",
    ),
    "another key": (
        "session_listeners",
        lambda row: {**row, "caller_session_id": "x"},
        "the row of session_listeners",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_wrong_conversion_is_undone(
    take: TakeOld, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    """Whatever is lost or changed on the way is found and named; all is as it was before."""
    table, spoil, said = MISTAKES[mistake]
    path = take(LAST)
    before = content(path)
    monkeypatch.setattr(RowConverter, "convert", spoiling(table, spoil))
    async with store(path) as db:
        with pytest.raises(AdoptionError, match="was undone") as caught:
            await db.migrator.upgrade()
    assert said in caught.value.message
    assert content(path) == before
    assert backups(path) == []


@pytest.mark.parametrize(
    ("method", "said"),
    [("value", "unavailable_until of agent_availability 'words'"), ("row", "the table sessions")],
)
async def test_what_is_missing_in_quarantine_is_noticed(
    take: TakeOld, monkeypatch: pytest.MonkeyPatch, method: str, said: str
) -> None:
    """A value or row that has no place and is not kept either stops the adoption."""
    path = take(LAST)
    before = content(path)
    monkeypatch.setattr(Quarantine, method, lambda *_: None)
    async with store(path) as db:
        with pytest.raises(AdoptionError, match="was undone") as caught:
            await db.migrator.upgrade()
    assert said in caught.value.message
    assert content(path) == before


async def test_tables_of_others_are_counted(take: TakeOld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of a stranger's table that got lost stops the adoption."""
    path = take("strange-017")
    drop = SqliteAdoption._drop_old

    def drop_more(self: SqliteAdoption) -> None:
        drop(self)
        self._connection.exec_driver_sql("DELETE FROM notes WHERE id = 1")

    monkeypatch.setattr(SqliteAdoption, "_drop_old", drop_more)
    async with store(path) as db:
        with pytest.raises(AdoptionError, match="the table notes has 2 rows in the backup and 1 "):
            await db.migrator.upgrade()
