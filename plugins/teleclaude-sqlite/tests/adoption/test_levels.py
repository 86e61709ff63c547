"""Every database of an earlier version becomes what was written down by hand."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from teleclaude.store.models import metadata

from .conftest import (
    EARLIER,
    FILES,
    LAST,
    backups,
    content,
    execute,
    expectations,
    rows_of,
    store,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teleclaude.store import Db

    from .conftest import Rows, TakeOld

EXPECTED = expectations()
LONG = "k" * 1200
REJECTED = {"sessions": 1, "pending_message_deletions": 2}
"""How many rows of a table go to quarantine as a whole."""


def names_of(column: str) -> tuple[str, ...]:
    return (column, *EARLIER.get(column, ()))


async def new_rows(db: Db) -> dict[str, dict[str, dict[str, Any]]]:
    """All rows as the store reads them, by table and key."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    async with db._engine.connect() as connection:
        for table in metadata.sorted_tables:
            keys = [column.name for column in table.primary_key.columns]
            found[table.name] = {}
            for row in await connection.execute(select(table)):
                values = dict(row._mapping)
                key = [values[name] for name in keys]
                text = str(key[0]) if len(key) == 1 else json.dumps(key)
                found[table.name][text] = values
    return found


def key_of_old(table: str, row: dict[str, Any]) -> str:
    if table == "session_listeners":
        return json.dumps([row["target_session_id"], row["caller_session_id"]])
    names = {"sessions": "session_id", "system_settings": "key", "agent_availability": "agent"}
    key = row[names.get(table, "memory_session_id" if "manual" in table else "id")]
    return "null" if key is None else str(key)


def expected_values(old: Rows) -> Iterator[tuple[str, str, str, Any]]:
    """What is expected of the rows and columns that an old database has."""
    for table, rows in EXPECTED["rows"].items():
        there = {key_of_old(table, row): row for row in old.get(table, [])}
        for key, columns in rows.items():
            for column, value in columns.items() if str(key) in there else ():
                if any(name in there[str(key)] for name in names_of(column)):
                    yield table, str(key), column, value


def expected_quarantine(old: Rows) -> Iterator[tuple[str, str, str | None, Any]]:
    for table, key, column, original in EXPECTED["quarantine"]:
        for row in old.get(table, []):
            if key_of_old(table, row) != key:
                continue
            if column is None:
                yield table, key, None, original
            for name in names_of(column) if column else ():
                if row.get(name) is not None and original != row.get("last_input_origin"):
                    yield table, key, name, LONG if original == "LONG" else original


@pytest.mark.parametrize("name", FILES)
async def test_every_level(take: TakeOld, name: str) -> None:
    """All rows and values are there in their canonical form, the rest is in quarantine."""
    path = take(name)
    old = rows_of(path)
    began = datetime.now(UTC)
    async with store(path) as db:
        report = (await db.migrator.upgrade()).adoption
        assert report is not None
        await db.open()
        found = await new_rows(db)
        strangers = [f"unknown table: {table}" for table in report.left_alone]
        assert await db.migrator.check() == strangers
    for table, key, column, value in expected_values(old):
        actual = found[table][key][column]
        if value == "NOW":
            assert timedelta(0) <= actual - began < timedelta(minutes=1), (table, key, column)
        else:
            assert (actual, type(actual)) == (value, type(value)), (table, key, column)
    for table in EXPECTED["rows"]:
        rejected = REJECTED.get(table, 0) if old.get(table) else 0
        assert len(found[table]) == len(old.get(table, [])) - rejected
        if table in old:
            assert report.rows[table] == len(found[table])
    kept = [
        (row["source_table"], row["source_key"], row["source_column"], json.loads(row["original"]))
        for row in found["quarantine"].values()
        if row["source_table"] != "schema_migrations"
        and "nobody knows" not in row["reason"]
        and row["source_column"] != "colour"
    ]
    expected = list(expected_quarantine(old))
    assert len(kept) == len(expected)
    for table, key, column, original in expected:
        originals = [one[3] for one in kept if one[:3] == (table, key, column)]
        assert len(originals) == 1, (table, key, column)
        if column is None:
            assert original.items() <= originals[0].items()
        else:
            assert originals == [original]


@pytest.mark.parametrize("name", FILES)
async def test_the_backup_is_the_old_database(take: TakeOld, name: str) -> None:
    """Before anything is changed, a copy of the whole old database is made beside it."""
    path = take(name)
    before = content(path)
    async with store(path) as db:
        migrated = await db.migrator.upgrade()
    assert [migrated.backup] == backups(path)
    assert content(backups(path)[0]) == before


@pytest.mark.parametrize("name", FILES)
async def test_ids_are_never_given_again(take: TakeOld, name: str) -> None:
    """The counters of automatic ids go on where they were, and not from the highest id left."""
    path = take(name, "DELETE FROM hook_outbox")
    counters = "SELECT name, seq FROM sqlite_sequence WHERE seq >= 1000 ORDER BY name"
    before = execute(path, counters)
    assert len(before) >= 2
    async with store(path) as db:
        await db.migrator.upgrade()
        await db.open()
        assert execute(path, counters) == before
        assert await db.hook_outbox.enqueue("plain", "x", {}) == 1001


async def test_the_store_works_with_what_was_adopted(take: TakeOld) -> None:
    """Sessions, events, memory and voices of the old program are found by the operations."""
    async with store(take(LAST)) as db:
        await db.migrator.upgrade()
        await db.open()
        listed = await db.sessions.list()
        assert [one.session_id for one in listed] == ["numbers", "broken", "plain", "defaults"]
        (found,) = await db.sessions.find_by_adapter_metadata("telegram", "topic_id", 4711)
        assert found.session_id == "plain"
        assert [one.id for one in await db.memory.search("CAF\u00c9 lock*")] == [1]
        assert [one.id for one in await db.memory.search("imported")] == [3]
        assert await db.voices.in_use() == {("openai", "alloy")}
        assert [one.caller_session_id for one in await db.listeners.for_target("plain")] == ["old"]
        await db.memory.save("A new thing about caf\u00e9s.")
        assert len(await db.memory.search("cafe*")) == 2


async def test_outboxes_go_on_where_they_were(take: TakeOld) -> None:
    """What was delivered or given up is not handed out, and a claim of the old program is void."""
    async with store(take(LAST)) as db:
        await db.migrator.upgrade()
        await db.open()
        minute = timedelta(minutes=1)
        assert [one.id for one in await db.hook_outbox.claim(10, minute)] == [2, 3, 5]
        assert [one.id for one in await db.hook_outbox.dead()] == [4, 6]
        assert [one.id for one in await db.notification_outbox.claim(10, minute)] == [1, 4]
        assert [one.id for one in await db.notification_outbox.dead()] == [2]
        assert [one.id for one in await db.webhook_outbox.claim(10, minute)] == [1]
        assert [one.id for one in await db.webhook_outbox.dead()] == [2, 3]
        assert await db.webhook_outbox.requeue(3)


# --- what nobody knows --------------------------------------------------------------------------


async def test_what_nobody_knows_stays_or_is_kept(take: TakeOld) -> None:
    """Tables and views of others stay as they are; their columns and triggers are in quarantine."""
    path = take("strange-017")
    notes = execute(path, "SELECT * FROM notes")
    async with store(path) as db:
        report = (await db.migrator.upgrade()).adoption
        assert report is not None
        assert report.left_alone == ["notes"]
        await db.open()
        await db.sessions.close("plain")
    assert execute(path, "SELECT * FROM notes") == notes
    assert len(execute(path, "SELECT * FROM open_sessions")) == 4
    kept = "SELECT source_key, original FROM quarantine WHERE source_table = 'sessions' AND "
    assert set(execute(path, kept + "source_column = 'colour'")) == {
        ("plain", '"green"'),
        ("broken", '"green"'),
    }
    ((_, trigger),) = execute(path, kept + "source_key = 'note_closing'")
    assert "AFTER UPDATE OF closed_at" in json.loads(trigger)


async def test_the_old_record_is_kept(take: TakeOld) -> None:
    """Which migrations the old runner had recorded, and when, is in quarantine, uncounted."""
    path = take("old-011-upgraded-017")
    before = execute(path, "SELECT version, applied_at FROM schema_migrations")
    async with store(path) as db:
        report = (await db.migrator.upgrade()).adoption
    kept = execute(path, "SELECT original FROM quarantine WHERE source_table = 'schema_migrations'")
    records = [json.loads(original) for (original,) in kept]
    assert [(one["version"], one["applied_at"]) for one in records] == before
    assert report is not None
    assert not any(one.table == "schema_migrations" for one in report.examples)
    total = execute(path, "SELECT count(*) FROM quarantine")[0][0]
    assert report.quarantined == total - len(before)


async def test_a_second_upgrade_finds_nothing_to_do(take: TakeOld) -> None:
    """Adopted once, a database is one of ours: no second copy, no second adoption."""
    path = take(LAST)
    async with store(path) as db:
        await db.migrator.upgrade()
        again = await db.migrator.upgrade()
    assert (again.changed, again.adoption, len(backups(path))) == (False, None, 1)


async def test_down_and_up_again(take: TakeOld) -> None:
    """An adopted database that went back to nothing is made anew, and not adopted once more."""
    async with store(take(LAST)) as db:
        await db.migrator.upgrade()
        await db.migrator.downgrade("base")
        assert (await db.migrator.upgrade()).adoption is None
        assert await db.migrator.check() == []


# --- other histories ----------------------------------------------------------------------------

NO_SEARCH = [
    *(f"DROP TRIGGER memory_obs_{when}" for when in ("ai", "ad", "au")),
    "DROP TABLE memory_observations_fts",
]
SEARCHES = {
    "none": NO_SEARCH,
    "damaged": ["DELETE FROM memory_observations_fts_data WHERE id > 1"],
    "out of step": [
        "INSERT INTO memory_observations_fts (memory_observations_fts) VALUES ('delete-all')"
    ],
    "leftovers": [*NO_SEARCH, "CREATE TABLE memory_observations_fts_data (x)"],
    "another": [*NO_SEARCH, "CREATE VIRTUAL TABLE memory_observations_fts USING fts5 (title)"],
}


@pytest.mark.parametrize("search", SEARCHES)
async def test_the_old_index_does_not_matter(take: TakeOld, search: str) -> None:
    """Whatever the old full-text index is like, or without one, there is a new one that is full."""
    async with store(take(LAST, *SEARCHES[search])) as db:
        await db.migrator.upgrade()
        await db.open()
        assert [one.id for one in await db.memory.search("advisory caf\u00e9")] == [1]
        await db.memory.delete(1)
        assert await db.memory.search("advisory") == []
        assert await db.migrator.check() == []


async def test_older_than_all_that_is_known(take: TakeOld) -> None:
    """Columns that are not there yet have their defaults; those that went since are kept."""
    missing = ("closed_at", "working_slug", "subdir", "project_path", "terminal_size")
    path = take(
        "old-007_split_project_path_subdir",
        *(f"ALTER TABLE sessions DROP COLUMN {name}" for name in missing),
        "ALTER TABLE sessions ADD COLUMN working_directory TEXT",
        "UPDATE sessions SET working_directory = '/work' WHERE session_id = 'plain'",
        "DROP TABLE voice_assignments",
    )
    async with store(path) as db:
        report = (await db.migrator.upgrade()).adoption
        await db.open()
        plain = await db.sessions.get("plain")
    assert [getattr(plain, name) for name in missing] == [None] * 5
    assert report is not None
    assert report.rows["sessions"] == 8
    assert [one.original for one in report.examples if one.column == "working_directory"] == [
        '"/work"'
    ]


async def test_an_empty_text_in_a_strange_column(take: TakeOld) -> None:
    """In a column nobody knows, an empty text is a value like any other."""
    path = take(LAST, "ALTER TABLE hook_outbox ADD COLUMN mood TEXT DEFAULT ''")
    async with store(path) as db:
        await db.migrator.upgrade()
    kept = execute(path, "SELECT original FROM quarantine WHERE source_column = 'mood'")
    assert kept == [('""',)] * 8


async def test_a_strange_column_with_a_name_of_ours(take: TakeOld) -> None:
    """A column that the old program never had means nothing here, whatever it is called."""
    path = take(
        LAST,
        "ALTER TABLE hook_outbox ADD COLUMN dead_at TEXT",
        "UPDATE hook_outbox SET dead_at = '2026-02-01 10:00:00' WHERE id = 2",
    )
    async with store(path) as db:
        await db.migrator.upgrade()
    assert execute(path, "SELECT dead_at FROM hook_outbox WHERE id = 2") == [(None,)]
    kept = execute(path, "SELECT original FROM quarantine WHERE source_column = 'dead_at'")
    assert kept == [('"2026-02-01 10:00:00"',)]


@pytest.mark.parametrize(
    ("voice", "expected"),
    [
        ({"elevenlabs_id": "e", "voice_name": "Eva"}, ("elevenlabs", "e", ["voice_name"])),
        ({"macos_voice": "m"}, ("macos", "m", [])),
        ({"openai_voice": "o", "macos_voice": ""}, ("openai", "o", [])),
        ({"openai_voice": "o", "macos_voice": "m"}, ("macos", "m", ["openai_voice"])),
        ({"voice_name": "Eva"}, (None, "Eva", [])),
    ],
)
async def test_a_voice_is_that_of_the_service_that_is_filled(
    take: TakeOld, voice: dict[str, str], expected: tuple[str | None, str, list[str]]
) -> None:
    """Of a column for each service, the one that is filled tells service and voice."""
    names = ", ".join(voice)
    values = ", ".join(f"'{value}'" for value in voice.values())
    path = take(
        "old-007_split_project_path_subdir",
        f"INSERT INTO voice_assignments (id, {names}) VALUES ('v', {values})",
    )
    async with store(path) as db:
        await db.migrator.upgrade()
        await db.open()
        found = await db.voices.get("v")
    service, name, kept = expected
    assert found is not None
    assert (found.service_name, found.voice) == (service, name)
    columns = execute(path, "SELECT source_column FROM quarantine WHERE source_key = 'v'")
    assert [column for (column,) in columns] == kept


async def test_what_is_only_in_the_write_ahead_log(take: TakeOld) -> None:
    """What the old program has written but not yet moved into the file is adopted as well."""
    path = take(LAST)
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("PRAGMA wal_autocheckpoint = 0")
        old.execute("UPDATE sessions SET title = 'fresh' WHERE session_id = 'plain'")
        async with store(path) as db:
            await db.migrator.upgrade()
            await db.open()
            assert (await db.sessions.get("plain")).title == "fresh"
        assert "fresh" in content(backups(path)[0])
