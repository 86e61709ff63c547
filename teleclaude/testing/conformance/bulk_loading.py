"""Loading many rows at once, in a backend's own way and in the portable one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Text, cast, func, insert, select

from teleclaude.backends import bulk
from teleclaude.errors import ConflictError, InvalidValueError, StoreError, StoreUnavailableError
from teleclaude.store.models import metadata
from teleclaude.store.stored_documents import DumpedDocuments
from teleclaude.store.stored_instants import WrittenInstants
from teleclaude.store.values import dump_document, format_instant
from teleclaude.testing.changed_backends import without
from teleclaude.testing.declared import needs
from teleclaude.testing.fixtures import async_fixture
from teleclaude.testing.hostile import REFUSED_TEXTS
from teleclaude.testing.rows import NOW, hostile_rows, plain_rows
from teleclaude.testing.stores import record_statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Table

    from teleclaude.config import Config
    from teleclaude.store import Db
    from teleclaude.testing.fixtures import BreakConnections, Execute, OpenDb

HOOK = "teleclaude_bulk_load"

TABLES = metadata.sorted_tables
SETTINGS = metadata.tables["system_settings"]
EVENTS = metadata.tables["hook_outbox"]
SESSIONS = metadata.tables["sessions"]

SETTING = ("key", "value", NOW)


@async_fixture(params=["own way", "portable way"])
async def loading(request: pytest.FixtureRequest, migrated_config: Config, open_db: OpenDb) -> Db:
    """An open store; its backend loads in its own way, where it has one, or is silent."""
    if request.param == "own way":
        return await open_db()
    return await open_db(replace(migrated_config, backend=without(migrated_config.backend, HOOK)))


async def load(loading: Db, table: Table, rows: Any) -> int:
    """Load into a table, in a transaction of its own."""
    async with loading._executor.loading() as tx:
        return await tx.load(table, rows)


async def stored(loading: Db, table: Table) -> list[tuple[Any, ...]]:
    """All rows of a table as the store gives them, in any order."""
    return [tuple(row) for row in await loading._executor.read(select(table))]


async def count(loading: Db, table: Table) -> int:
    """Count the rows of a table."""
    rows = await loading._executor.read(select(func.count()).select_from(table))
    return int(rows[0][0])


async def test_every_table_takes_hostile_values(loading: Db) -> None:
    """What was loaded is read as it was, in every column of every table."""
    for table in TABLES:
        rows = hostile_rows(table)
        assert await load(loading, table, rows) == len(rows)
        assert sorted(await stored(loading, table), key=repr) == sorted(rows, key=repr), table


async def test_what_is_loaded_is_stored_as_by_an_insert(loading: Db, execute: Execute) -> None:
    """The database itself shows no difference between loaded and inserted rows."""

    def dump() -> list[list[str]]:
        names = [table.name for table in TABLES]
        return [sorted(map(repr, execute(f"SELECT * FROM {name}"))) for name in names]

    for table in TABLES:
        await load(loading, table, hostile_rows(table))
    loaded = dump()
    for table in reversed(TABLES):
        await loading._executor.write(table.delete())
    for table in TABLES:
        names = table.columns.keys()
        rows = [dict(zip(names, row, strict=True)) for row in hostile_rows(table)]
        await loading._executor.write_many(insert(table), rows)
    assert dump() == loaded


async def test_an_index_of_words_knows_what_was_loaded(loading: Db) -> None:
    """Memory is found by its words, however it came into its table."""
    table = metadata.tables["memory_observations"]
    row = dict(zip(table.columns.keys(), next(plain_rows(table, 1)), strict=True))
    row |= {"title": "Zebra", "search_text": "zebra"}
    await load(loading, table, [tuple(row.values())])
    assert [found.id for found in await loading.memory.search("zebra")] == [row["id"]]


async def test_a_backend_can_decline(migrated_config: Config, open_db: OpenDb) -> None:
    """Where the hook gives nothing, the rows are inserted in the portable way."""
    backend = without(migrated_config.backend, teleclaude_bulk_load=lambda: None)
    loading = await open_db(replace(migrated_config, backend=backend))
    assert await load(loading, SETTINGS, [SETTING]) == 1
    assert await stored(loading, SETTINGS) == [SETTING]


async def test_nothing_to_load(loading: Db) -> None:
    """No rows at all are fine."""
    assert await load(loading, SETTINGS, []) == 0
    assert await count(loading, SETTINGS) == 0


async def test_many_rows_are_taken_as_they_are_needed(loading: Db) -> None:
    """Of 20,000 rows only a fraction is in memory at any time."""
    alive = most = 0

    class Row(tuple[Any, ...]):
        __slots__ = ()

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def rows() -> Iterator[Row]:
        nonlocal alive, most
        for row in plain_rows(EVENTS, 20_000):
            alive += 1
            most = max(most, alive)
            yield Row(row)

    assert await load(loading, EVENTS, rows()) == 20_000
    assert await count(loading, EVENTS) == 20_000
    assert most < 8_000


async def test_mistakes_in_a_later_batch_undo_the_earlier_ones(loading: Db) -> None:
    """What a caller's rows raise comes through unchanged, and nothing remains."""

    def rows() -> Iterator[Sequence[object]]:
        yield from plain_rows(EVENTS, 10_000)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await load(loading, EVENTS, rows())
    assert await count(loading, EVENTS) == 0


async def test_a_load_is_part_of_its_transaction(loading: Db) -> None:
    """Rows that were loaded are there for the transaction alone, and go when it is rolled back."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what fails
        async with loading._executor.loading() as tx:
            await tx.load(SETTINGS, [SETTING])
            assert len(await tx.read(select(SETTINGS))) == 1
            assert await count(loading, SETTINGS) == 0
            raise ZeroDivisionError
    assert await count(loading, SETTINGS) == 0


CONFLICTS: dict[str, tuple[str, Any]] = {
    "duplicate key": ("system_settings", [SETTING, SETTING]),
    "key that is there": ("system_settings", [("there", "value", NOW)]),
    "missing parent": ("pending_message_deletions", [(1, "nobody", "m", "feedback", NOW)]),
    "check": ("pending_message_deletions", [(1, "there", "m", "nonsense", NOW)]),
}


@pytest.mark.parametrize(("name", "rows"), CONFLICTS.values(), ids=CONFLICTS)
async def test_a_constraint_that_does_not_allow_it(loading: Db, name: str, rows: Any) -> None:
    """A violated constraint is a conflict; it names no value and leaves nothing behind."""
    await loading.settings.set("there", "value")
    await loading.sessions.create("mac", None, "api", session_id="there")
    table = metadata.tables[name]
    with pytest.raises(ConflictError) as failure:
        await load(loading, table, rows)
    assert "nobody" not in str(failure.value)
    assert await count(loading, table) == (1 if table is SETTINGS else 0)


async def test_after_a_failure_nothing_can_be_committed(loading: Db) -> None:
    """Whoever swallows the error of a load, a refused value's too, cannot commit a part of it."""
    bad: tuple[Any, ...]
    for bad, error in ((SETTING, ConflictError), (("\0", "", NOW), InvalidValueError)):
        with pytest.raises(StoreError, match="rolled back because a statement of it failed"):  # noqa: PT012 - the block is what fails
            async with loading._executor.loading() as tx:
                await tx.load(SETTINGS, [SETTING])
                with pytest.raises(error):
                    await tx.load(SETTINGS, [bad])
    assert await count(loading, SETTINGS) == 0


REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    **{
        f"{what} in a key": ((bad, "", NOW), f"system_settings.key {why}")
        for what, (bad, why) in REFUSED_TEXTS.items()
    },
    **{
        f"{what} in a text": (("k", bad, NOW), f"system_settings.value {why}")
        for what, (bad, why) in REFUSED_TEXTS.items()
    },
    "long key": (("k" * 1001, "", NOW), "system_settings.key takes 1001 bytes"),
    "naive instant": (("k", "", NOW.replace(tzinfo=None)), "updated_at has no time zone"),
    "null": (("k", None, NOW), "The value for system_settings.value must not be null"),
    "too few": (("k", ""), "A row for system_settings has 2 values; the table has 3 columns"),
    "too many": ((*SETTING, 1), "A row for system_settings has 4 values"),
}


@pytest.mark.parametrize(("row", "why"), REFUSED.values(), ids=REFUSED)
async def test_refused_rows(loading: Db, row: tuple[Any, ...], why: str) -> None:
    """A value that cannot be stored is refused before the database sees its batch."""
    statements = record_statements(loading)
    with pytest.raises(InvalidValueError, match=why):
        await load(loading, SETTINGS, [SETTING, row])
    assert {sql.split()[0] for sql in statements} <= {"BEGIN", "ROLLBACK"}
    assert await count(loading, SETTINGS) == 0


BIG = {"event_json": {"n": 2**63}, "attempt_count": 2**63, "id": 2**63}


@pytest.mark.parametrize(("column", "value"), BIG.items(), ids=BIG)
async def test_refused_numbers_of_rows(loading: Db, column: str, value: object) -> None:
    """Numbers beyond 64 bits are refused in integers, ids and documents."""
    table = metadata.tables["webhook_outbox"]
    row = dict(zip(table.columns.keys(), next(plain_rows(table, 1)), strict=True))
    with pytest.raises(InvalidValueError, match=f"webhook_outbox.{column} .*64 bits"):
        await load(loading, table, [tuple((row | {column: value}).values())])


async def load_bound(loading: Db, **given: list[Any]) -> bool:
    """Load one event with some columns as a copy gives them to an engine that reads text."""
    (row,) = plain_rows(EVENTS, 1)
    columns = {name: [value] for name, value in zip(EVENTS.columns.keys(), row, strict=True)}
    values = list((columns | given).values())
    bound = bulk.bound_columns(EVENTS, loading._engine.dialect, values)
    async with loading._executor.loading() as tx:
        return await tx.load_bound(EVENTS, bound)


PARSED: dict[str, tuple[str, Any]] = {
    "spaces": (' { "b" : [ 1 ] ,\n"a" : null } ', {"b": [1], "a": None}),
    "a key twice": ('{"a":1,"a":2}', {"a": 2}),
    "escapes": (r'{"a":"\/\u001b\\u0000\u00e9"}', {"a": "/\x1b\\u0000\u00e9"}),
    "decimals": ('{"a":[0.1,-1.50,1.0]}', {"a": [0.1, -1.5, 1.0]}),
    "list": ("[[],{}]", [[], {}]),
}


@needs("parsed documents")
@pytest.mark.parametrize(("text", "document"), PARSED.values(), ids=PARSED)
async def test_documents_are_parsed(db: Db, text: str, document: Any) -> None:
    """Text that no store wrote is the document that it means, also when it is read as text."""
    assert await load_bound(db, payload=DumpedDocuments([text]))
    payload = EVENTS.c.payload
    ((found, cast_to_text),) = await db._executor.read(select(payload, cast(payload, Text)))
    expected = dump_document(document, "payload")
    assert dump_document(found, "payload") == expected
    assert dump_document(json.loads(cast_to_text), "payload") == expected


@needs("parsed documents")
@pytest.mark.parametrize("text", ["", '{"a":', '{"a":1,}', '{"a":NaN}', "{}{}", '{"a":"\x01"}'])
async def test_text_that_is_no_document_is_refused(db: Db, text: str) -> None:
    """The engine itself refuses what is no JSON, whoever else has looked at it."""
    with pytest.raises(StoreError):
        await load_bound(db, payload=DumpedDocuments([text]))
    assert await count(db, EVENTS) == 0


INSTANTS = (
    "0001-01-01T00:00:00.000000",
    "2024-02-29T23:59:59.999999",
    "9999-12-31T23:59:59.999999",
)


@needs("text of instants")
@pytest.mark.parametrize("text", INSTANTS)
async def test_instants_are_loaded_as_text(db: Db, text: str) -> None:
    """Text as the store writes an instant is that instant."""
    assert await load_bound(db, created_at=WrittenInstants([f"{text}+00:00"]))
    ((found,),) = await db._executor.read(select(EVENTS.c.created_at))
    assert format_instant(found) == f"{text}+00:00"


@needs("connections")
async def test_a_connection_that_breaks_while_loading(
    loading: Db, break_all: BreakConnections
) -> None:
    """A server that goes away in the middle is an error of the store, and nothing remains."""

    def rows() -> Iterator[Sequence[object]]:
        for number, row in enumerate(plain_rows(EVENTS, 10_000)):
            if number == 5_000:
                break_all()
            yield row

    with pytest.raises(StoreUnavailableError):
        await load(loading, EVENTS, rows())
    assert await count(loading, EVENTS) == 0
    assert await load(loading, EVENTS, plain_rows(EVENTS, 1)) == 1
