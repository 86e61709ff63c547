"""Copies that do not come to their end, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, update

from copies import Told
from stores import fill, read_all
from teleclaude.errors import (
    CopyError,
    InstanceLockedError,
    MigrationError,
    StoreUnavailableError,
    TeleclaudeError,
)
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.store.transfer import Outcome
from teleclaude.testing.polling import until_unlocked
from teleclaude.testing.processes import python_process
from teleclaude.testing.rows import plain_rows

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy import Table

    from copies import Copy, Place
from teleclaude.testing.processes import Process

SCRIPT = Path(__file__).parents[1] / "support" / "copy_process.py"

TABLES = metadata.sorted_tables
EVENTS = metadata.tables["hook_outbox"]
SETTINGS = metadata.tables["system_settings"]
SESSIONS = metadata.tables["sessions"]
DELETIONS = metadata.tables["pending_message_deletions"]

ROWS = {EVENTS: 2_000, SESSIONS: 300, SETTINGS: 400, DELETIONS: 300}
"""Enough of each table for several pages."""

TOTAL = sum(ROWS.values())

PLACES = [1, 2_000, 2_900]
"""After how many rows the process is killed: after the first page, between tables, in the last."""


def copying(source: Place, target: Place, rows: int) -> AbstractAsyncContextManager[Process]:
    """A copy in a process of its own that halts after so many rows."""
    return python_process(SCRIPT, source.config.path, target.config.path, rows)


async def fill_tables(source: Place) -> None:
    """Put the rows into the source, parents first."""
    rows = {table: plain_rows(table, ROWS[table]) for table in TABLES if table in ROWS}
    await fill(source.config, rows)


async def interrupt(source: Place, target: Place, rows: int = 700) -> None:
    """Copy in another process and kill it after so many rows."""
    async with copying(source, target, rows) as process:
        assert await process.said() == "ready"
        await process.kill()
    for place in (source, target):
        await until_unlocked(place.config)


@pytest.mark.parametrize("rows", PLACES)
async def test_a_killed_copy_is_continued(
    source: Place, target: Place, copy: Copy, rows: int
) -> None:
    """After a SIGKILL a second run copies what is missing and nothing else."""
    await fill_tables(source)
    await interrupt(source, target, rows)
    told = Told()
    report = await copy(progress=told)
    assert report.outcome is Outcome.RESUMED
    assert TOTAL - rows - 2_000 <= report.copied <= TOTAL - rows
    assert sum(told.steps["check", table.name] for table in TABLES) == TOTAL - report.copied
    assert await read_all(target.config) == await read_all(source.config)
    assert (await copy()).outcome is Outcome.ALREADY_COPIED


async def test_a_copy_is_interrupted_again_and_again(
    source: Place, target: Place, copy: Copy
) -> None:
    """Each run begins where the one before stopped."""
    await fill_tables(source)
    for rows in (600, 2_100):
        await interrupt(source, target, rows)
    assert (await copy()).copied <= TOTAL - 2_100
    assert await read_all(target.config) == await read_all(source.config)


async def test_a_half_is_not_taken_for_the_whole(source: Place, target: Place) -> None:
    """No store is opened on an unfinished copy, nor is it upgraded; what to do is said."""
    await fill_tables(source)
    await interrupt(source, target)
    db = Db(target.config)
    for attempt in (db.open, db.migrator.upgrade):
        with pytest.raises(MigrationError, match="was not finished") as failure:
            await attempt()
        assert "teleclaude db copy" in str(failure.value)
    await db.close()


CHANGES = {
    "changed": update(EVENTS).where(EVENTS.c.id == 10).values(attempt_count=77),
    "deleted": delete(EVENTS).where(EVENTS.c.id == 1),
    "last deleted": delete(EVENTS).where(EVENTS.c.id > 5),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_source_that_changed_is_noticed(
    source: Place, target: Place, copy: Copy, change: object
) -> None:
    """What was copied before must still be what the source holds; beginning anew is offered."""
    await fill_tables(source)
    await interrupt(source, target)
    async with Db(source.config) as db:
        await db._executor.write(change)  # type: ignore[arg-type]
    with pytest.raises(CopyError, match="hook_outbox changed since the copy was interrupted"):
        await copy()
    report = await copy(replace=True)
    assert report.outcome is Outcome.COPIED
    assert await read_all(target.config) == await read_all(source.config)


async def test_a_target_that_changed_is_noticed(source: Place, target: Place, copy: Copy) -> None:
    """What an interrupted copy left must still be what is there."""
    await fill_tables(source)
    await interrupt(source, target)
    target.provisioner.execute("DELETE FROM hook_outbox WHERE id = 5", section=target.section)
    with pytest.raises(CopyError, match="hook_outbox is not what the interrupted copy left"):
        await copy()
    assert (await copy(replace=True)).outcome is Outcome.COPIED


async def test_a_source_that_grew_is_copied_on(source: Place, target: Place, copy: Copy) -> None:
    """Rows that came after those that were copied are copied like the others."""
    await fill_tables(source)
    await interrupt(source, target)
    async with Db(source.config) as db:
        await db.hook_outbox.enqueue("s", "e", {})
    assert (await copy()).outcome is Outcome.RESUMED
    assert await read_all(target.config) == await read_all(source.config)


async def test_another_process_is_kept_away(source: Place, target: Place, copy: Copy) -> None:
    """While a copy runs, no second one and no daemon gets at either side."""
    await fill_tables(source)
    async with copying(source, target, 700) as process:
        assert await process.said() == "ready"
        for place in (source, target):
            with pytest.raises(InstanceLockedError):
                async with place.config.backend.instance_lock(place.config.database, "daemon"):
                    pass
        with pytest.raises(InstanceLockedError):
            await copy()
        assert await process.finish() == f"copied {TOTAL}"
    assert await read_all(target.config) == await read_all(source.config)


class Cutting(Told):
    """Progress that lets a server end all connections once some rows are there."""

    def __init__(self, place: Place, step: str, table: Table) -> None:
        super().__init__()
        self._place: Place | None = place
        self._where = (step, table.name)

    def advance(self, rows: int) -> None:
        super().advance(rows)
        if self.current == self._where and self._place is not None:
            self._place.provisioner.cut_connections(self._place.section)
            self._place = None


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("step", ["copy", "verify"])
async def test_a_server_that_goes_away(
    source: Place, target: Place, copy: Copy, side: str, step: str
) -> None:
    """Whichever connection breaks, a second run finishes the copy."""
    await fill_tables(source)
    place = {"source": source, "target": target}[side]
    try:
        await copy(progress=Cutting(place, step, EVENTS))
    except TeleclaudeError as error:
        assert isinstance(error, StoreUnavailableError) or "lock was lost" in str(error)  # noqa: PT017 - where there is no server nothing breaks
        assert (await copy()).outcome is Outcome.RESUMED
    else:
        assert not has_server(place)
    assert await read_all(target.config) == await read_all(source.config)


def has_server(place: Place) -> bool:
    """Whether connections of the database can be cut at all."""
    return "host" in place.section
