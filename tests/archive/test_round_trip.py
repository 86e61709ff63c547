"""Archives hold everything, and the same from every engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete

from archives import archived, lines_of, restored
from copies import Told
from stores import fill, read_all
from teleclaude.errors import CopyError, MigrationError
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.store.transfer import Outcome
from teleclaude.testing.processes import python_process
from teleclaude.testing.rows import hostile_rows, plain_rows

if TYPE_CHECKING:
    from copies import Place

SCRIPT = Path(__file__).parents[1] / "support" / "restore_process.py"

TABLES = metadata.sorted_tables
EVENTS = metadata.tables["hook_outbox"]
SESSIONS = metadata.tables["sessions"]
DELETIONS = metadata.tables["pending_message_deletions"]


async def test_hostile_values_there_and_back(source: Place, target: Place, tmp_path: Path) -> None:
    """What is restored is what was backed up, and its own archive is the same to the byte."""
    await fill(source.config, {table: hostile_rows(table) for table in TABLES})
    first = await archived(source.config, tmp_path / "first")
    told = Told()
    report = await restored(tmp_path / "first", target.config, told)
    assert (report.outcome, report.copied) == (Outcome.COPIED, 24 * len(TABLES))
    assert all(table.agrees for table in report.tables)
    assert told.steps["check", "sessions"] == told.totals["check", "sessions"] == 24
    assert await read_all(target.config) == await read_all(source.config)
    assert await archived(target.config, tmp_path / "second") == first
    assert await archived(source.config, tmp_path / "third") == first


async def test_an_empty_store(source: Place, target: Place, tmp_path: Path) -> None:
    """An archive of nothing becomes an empty store, ready for use."""
    await archived(source.config, tmp_path / "archive")
    assert (await restored(tmp_path / "archive", target.config)).copied == 0
    async with Db(target.config) as db:
        assert await db.settings.all() == {}


async def test_ids_go_on(source: Place, target: Place, tmp_path: Path) -> None:
    """No id is given a second time, not even one whose row was deleted before."""
    async with Db(source.config) as db:
        last = [await db.hook_outbox.enqueue("s", "e", {}) for _ in range(3)][-1]
        await db._executor.write(delete(EVENTS))
    await archived(source.config, tmp_path / "archive")
    await restored(tmp_path / "archive", target.config)
    async with Db(target.config) as db:
        assert await db.hook_outbox.enqueue("s", "e", {}) > last


async def test_what_is_derived_is_made_anew(source: Place, target: Place, tmp_path: Path) -> None:
    """The words of observations are in no archive, and are searched all the same."""
    async with Db(source.config) as db:
        await db.memory.save("at dusk", "Quokka", "p")
    archive = await archived(source.config, tmp_path / "archive")
    documents = lines_of(archive)
    row = documents[documents.index({"rows": 1, "table": "memory_observations"}) + 1]
    assert len(row) == len(metadata.tables["memory_observations"].columns) - 1
    await restored(tmp_path / "archive", target.config)
    async with Db(target.config) as db:
        assert [one.title for one in await db.memory.search("quokka", "p")] == ["Quokka"]


# --- restores that do not come to their end -----------------------------------------------------

ROWS = {EVENTS: 2_000, SESSIONS: 300, DELETIONS: 300}
TOTAL = sum(ROWS.values())


async def interrupted(source: Place, target: Place, archive: Path, rows: int) -> None:
    """Restore in another process, which is killed after so many rows."""
    await fill(source.config, {table: plain_rows(table, count) for table, count in ROWS.items()})
    await archived(source.config, archive)
    async with python_process(SCRIPT, archive, target.config.path, rows) as process:
        assert await process.said() == "ready"
        await process.kill()


async def test_a_killed_restore_is_continued(source: Place, target: Place, tmp_path: Path) -> None:
    """After a SIGKILL nothing is taken for the whole; a second run loads what is missing."""
    archive = tmp_path / "archive"
    await interrupted(source, target, archive, 2_100)
    with pytest.raises(MigrationError, match="was not finished") as failure:
        await Db(target.config).open()
    assert "db restore" in str(failure.value)
    report = await restored(archive, target.config)
    assert report.outcome is Outcome.RESUMED
    assert 0 < report.copied <= TOTAL - 2_100
    assert await read_all(target.config) == await read_all(source.config)
    assert (await restored(archive, target.config)).outcome is Outcome.ALREADY_COPIED


async def test_a_killed_restore_is_not_continued_with_another_archive(
    source: Place, target: Place, tmp_path: Path
) -> None:
    """What is half there must be what the archive begins with; `--replace` begins anew."""
    await interrupted(source, target, tmp_path / "archive", 2_100)
    async with Db(source.config) as db:
        await db._executor.write(delete(EVENTS).where(EVENTS.c.id == 7))
    await archived(source.config, tmp_path / "other")
    with pytest.raises(CopyError, match="hook_outbox changed since"):
        await restored(tmp_path / "other", target.config)
    await restored(tmp_path / "other", target.config, replace=True)
    assert await read_all(target.config) == await read_all(source.config)


# --- where it goes ------------------------------------------------------------------------------


async def test_a_target_that_is_not_empty(source: Place, target: Place, tmp_path: Path) -> None:
    """It is refused and stays as it is, until it is to be replaced."""
    await fill(source.config, {table: plain_rows(table, 3) for table in TABLES})
    await archived(source.config, tmp_path / "archive")
    async with Db(source.config) as db:
        await db.settings.set("more", "value")
    await archived(source.config, tmp_path / "more")
    await restored(tmp_path / "more", target.config)
    before = await read_all(target.config)
    for dry_run in (True, False):
        with pytest.raises(CopyError, match="is not empty"):
            await restored(tmp_path / "archive", target.config, dry_run=dry_run)
    assert await read_all(target.config) == before
    report = await restored(tmp_path / "archive", target.config, replace=True)
    assert report.outcome is Outcome.COPIED
    assert "more" not in [row[0] for row in (await read_all(target.config))["system_settings"]]
