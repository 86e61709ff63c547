"""Copying a store: everything arrives, whatever it is and wherever it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, update

from copies import Told
from stores import fill, read_all
from teleclaude.errors import CopyError, SchemaOutdatedError, StoreUnavailableError
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.store.transfer import CopyOptions, Outcome, copy_store
from teleclaude.store.transfer.reading import MOST_ROWS, Pages
from teleclaude.store.transfer.side import Side
from teleclaude.testing.rows import hostile_rows, plain_rows

if TYPE_CHECKING:
    from copies import Copy, Place
    from store_fixtures import Configure

TABLES = metadata.sorted_tables
SETTINGS = metadata.tables["system_settings"]
EVENTS = metadata.tables["hook_outbox"]
OBSERVATIONS = metadata.tables["memory_observations"]
LISTENERS = metadata.tables["session_listeners"]


async def test_hostile_values_arrive(source: Place, target: Place, copy: Copy) -> None:
    """Every value of every column is read from the target as from the source."""
    await fill(source.config, {table: hostile_rows(table) for table in TABLES})
    report = await copy()
    assert await read_all(target.config) == await read_all(source.config)
    assert report.outcome is Outcome.COPIED
    assert report.copied == 24 * len(TABLES)
    assert all(table.agrees and table.source_rows == 24 for table in report.tables)


async def test_an_empty_store(target: Place, copy: Copy) -> None:
    """A copy of nothing is an empty store, ready for use."""
    report = await copy()
    assert (report.outcome, report.copied) == (Outcome.COPIED, 0)
    async with Db(target.config) as db:
        assert await db.settings.all() == {}


async def test_many_pages(source: Place, target: Place, copy: Copy) -> None:
    """Tables of many pages arrive whole, also those whose keys have two columns or are text."""
    told = Told()
    pairs = [(f"{n % 7}", f"{n}", "tmux", row[3]) for n, row in enumerate(listeners(5_000))]
    await fill(
        source.config,
        {
            EVENTS: plain_rows(EVENTS, 10_000),
            LISTENERS: pairs,
            SETTINGS: plain_rows(SETTINGS, 1_000),
        },
    )
    assert (await copy(progress=told)).copied == 16_000
    assert await read_all(target.config) == await read_all(source.config)
    for table, rows in ((EVENTS, 10_000), (LISTENERS, 5_000), (SETTINGS, 1_000)):
        for step in ("copy", "verify"):
            assert told.steps[step, table.name] == told.totals[step, table.name] == rows


def listeners(count: int) -> list[tuple[object, ...]]:
    """Rows of the table whose key has two columns."""
    return list(plain_rows(LISTENERS, count))


async def test_pages_are_small_where_rows_are_large(source: Place) -> None:
    """A page holds a few megabytes, however many rows that is, and only some thousand rows."""
    rows = [
        (f"{number:05}", "x" * (50_000 if 300 < number < 900 else 10), row[2])
        for number, row in enumerate(plain_rows(SETTINGS, 30_000))
    ]
    await fill(source.config, {SETTINGS: rows})
    side = Side(source.config)
    sizes: list[tuple[int, int]] = []
    async with side.snapshot() as reader:
        pages = Pages(reader, SETTINGS)
        while (page := await pages.next()) is not None:
            sizes.append((len(page.rows), sum(map(len, page.forms))))
    await side.close()
    assert sum(rows for rows, _ in sizes) == 30_000
    assert max(rows for rows, _ in sizes) == MOST_ROWS
    _, _, *once_known = (size for _, size in sizes if size > 1_000_000)
    assert len(once_known) > 2
    assert max(once_known) < 5_000_000


async def test_ids_are_never_given_twice(source: Place, target: Place, copy: Copy) -> None:
    """The target counts on from where the source was, though the rows of its last ids are gone."""
    async with Db(source.config) as db:
        for _ in range(5):
            await db.hook_outbox.enqueue("s", "e", {})
            await db.memory.save("text")
        await db._executor.write(delete(EVENTS).where(EVENTS.c.id > 2))
        await db._executor.write(delete(OBSERVATIONS))
    report = {table.name: table for table in (await copy()).tables}
    assert report["hook_outbox"].target_id == report["hook_outbox"].source_id == 5
    assert report["system_settings"].target_id is None
    async with Db(target.config) as db:
        assert await db.hook_outbox.enqueue("s", "e", {}) == 6
        assert (await db.memory.save("text")).id == 6
        assert await db.memory.save_summary() == 1


async def test_what_is_searched_is_made_anew(source: Place, target: Place, copy: Copy) -> None:
    """Words are found by what the row says, though its search text says something else."""
    async with Db(source.config) as db:
        saved = await db.memory.save("The giraffe is tall.", facts=["Savannah"])
        change = update(OBSERVATIONS).values(search_text="not at all", subtitle="Neck")
        await db._executor.write(change)
    await copy()
    async with Db(target.config) as db:
        for word in ("giraffe", "savannah", "neck"):
            assert [found.id for found in await db.memory.search(word)] == [saved.id]
        assert await db.memory.search("not") == []


async def test_a_finished_copy_is_recognised(source: Place, copy: Copy) -> None:
    """A second copy of the same finds nothing to do."""
    await fill(source.config, {table: hostile_rows(table) for table in TABLES})
    await copy()
    told = Told()
    report = await copy(progress=told)
    assert (report.outcome, report.copied) == (Outcome.ALREADY_COPIED, 0)
    assert all(table.agrees and table.source_rows == 24 for table in report.tables)
    assert not [step for step, _ in told.steps if step == "copy"]


@pytest.mark.parametrize("change", ["another value", "one more"])
async def test_a_target_that_is_not_empty_is_refused(
    source: Place, target: Place, copy: Copy, change: str
) -> None:
    """Whatever is in the target stays, unless it is the same as in the source."""
    await fill(source.config, {SETTINGS: plain_rows(SETTINGS, 2)})
    await copy()
    async with Db(target.config) as db:
        await db.settings.set("key 1" if change == "another value" else "more", "kept")
    before = await read_all(target.config)
    with pytest.raises(CopyError, match=r"is not empty: system_settings \(\d rows\)") as failure:
        await copy()
    assert "--replace" in str(failure.value)
    assert await read_all(target.config) == before


async def test_a_target_is_replaced(source: Place, target: Place, copy: Copy) -> None:
    """With `replace` everything that was in the target is gone, and ids still go on."""
    await fill(source.config, {table: plain_rows(table, 3) for table in TABLES})
    await copy()
    async with Db(target.config) as db:
        await db.settings.set("more", "lost")
        await db.hook_outbox.enqueue("s", "e", {})
        await db.hook_outbox.enqueue("s", "e", {})
    report = await copy(replace=True)
    assert (report.outcome, report.copied) == (Outcome.COPIED, 3 * len(TABLES))
    assert await read_all(target.config) == await read_all(source.config)
    async with Db(target.config) as db:
        assert await db.hook_outbox.enqueue("s", "e", {}) == 6


@pytest.mark.parametrize("rows", [5, 6, 7])
async def test_a_target_is_emptied_bit_by_bit(
    source: Place, target: Place, copy: Copy, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """Whatever fits into one batch or does not, of every kind of key, nothing is left."""
    monkeypatch.setattr("teleclaude.store.transfer.emptying._ROWS", 3)
    await copy()
    old = {table: list(plain_rows(table, rows)) for table in TABLES}
    old[LISTENERS] = [(f"{n % 2}", *row[1:]) for n, row in enumerate(old[LISTENERS])]
    await fill(target.config, old)
    await fill(source.config, {SETTINGS: plain_rows(SETTINGS, 1)})
    assert (await copy(replace=True)).copied == 1
    assert await read_all(target.config) == await read_all(source.config)


async def test_a_database_cannot_be_copied_into_itself(source: Place) -> None:
    """Source and target must be two."""
    for replace in (False, True):
        with pytest.raises(CopyError, match="are the same database"):
            await copy_store(source.config, source.config, CopyOptions(replace=replace), Told())


async def test_a_source_of_another_revision(source: Place, target: Place, copy: Copy) -> None:
    """A source whose schema is not the one expected is refused, and the target is not touched."""
    db = Db(source.config)
    await db.migrator.downgrade("base")
    await db.close()
    with pytest.raises(SchemaOutdatedError, match="teleclaude db upgrade"):
        await copy()
    with pytest.raises((SchemaOutdatedError, StoreUnavailableError)):
        async with Db(target.config):
            pass


async def test_a_source_that_does_not_exist(
    source: Place, target: Place, configure: Configure
) -> None:
    """What cannot be reached cannot be copied."""
    nowhere = configure(source.provisioner.unreachable(source.section))
    with pytest.raises(StoreUnavailableError):
        await copy_store(nowhere, target.config, CopyOptions(), Told())
