"""What is refused before, and noticed after, a copy: values, daemons, differences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, insert, update

from copies import Told
from daemon_process import daemon
from stores import fill, read_all
from teleclaude.errors import (
    CopyError,
    InstanceLockedError,
    MigrationError,
    SchemaOutdatedError,
    SchemaTooNewError,
    StoreUnavailableError,
)
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.store.transfer import Outcome
from teleclaude.store.transfer.run import CopyRun
from teleclaude.testing.rows import NOW, hostile_rows, plain_rows

if TYPE_CHECKING:
    from pathlib import Path

    from copies import Copy, Place

TABLES = metadata.sorted_tables
EVENTS = metadata.tables["hook_outbox"]
SETTINGS = metadata.tables["system_settings"]
LISTENERS = metadata.tables["session_listeners"]


async def fill_all(place: Place, count: int = 3) -> None:
    """Put a few rows into every table."""
    await fill(place.config, {table: plain_rows(table, count) for table in TABLES})


# --- the dry run --------------------------------------------------------------------------------


async def test_a_dry_run_writes_nothing(source: Place, target: Place, copy: Copy) -> None:
    """All is read and checked, and the target is as it was: without tables, or not there at all."""
    await fill(source.config, {table: hostile_rows(table) for table in TABLES})
    report = await copy(dry_run=True)
    assert (report.outcome, report.copied) == (Outcome.CHECKED, 0)
    assert all(table.source_rows == 24 for table in report.tables)
    db = Db(target.config)
    with pytest.raises((SchemaOutdatedError, StoreUnavailableError)):
        await db.open()
    assert (await copy()).outcome is Outcome.COPIED


async def test_a_dry_run_with_a_target_that_is_not_empty(
    source: Place, target: Place, copy: Copy
) -> None:
    """It says what the copy would say: already copied, not empty, or replaced."""
    await fill_all(source)
    await copy()
    assert (await copy(dry_run=True)).outcome is Outcome.ALREADY_COPIED
    async with Db(target.config) as db:
        await db.settings.set("more", "kept")
    before = await read_all(target.config)
    with pytest.raises(CopyError, match=r"is not empty: .*system_settings"):
        await copy(dry_run=True)
    assert (await copy(dry_run=True, replace=True)).outcome is Outcome.CHECKED
    assert await read_all(target.config) == before


UNACCEPTABLE = {
    "document": (
        "UPDATE hook_outbox SET payload = '5' WHERE id IN (2, 3)",
        "payload must be a JSON",
    ),
    "long key": (
        f"UPDATE hook_outbox SET session_id = '{'k' * 1001}' WHERE id IN (2, 3)",
        "session_id takes 1001 bytes",
    ),
}
"""Values that the engines take and TeleClaude does not."""


@pytest.mark.parametrize(("sql", "why"), UNACCEPTABLE.values(), ids=UNACCEPTABLE)
async def test_values_that_cannot_be_copied(
    source: Place, target: Place, copy: Copy, sql: str, why: str
) -> None:
    """A dry run lists them all, a copy stops at the first; both name row and column."""
    await fill_all(source)
    source.provisioner.execute(sql, section=source.section)
    with pytest.raises(CopyError, match=why) as failure:
        await copy(dry_run=True)
    assert failure.value.message.count("\n- ") == 2
    for number in (2, 3):
        assert f"in the row of hook_outbox with id {number}." in failure.value.message
    with pytest.raises(CopyError, match=rf"{why}.*\n?.*hook_outbox with id 2"):
        await copy()
    source.provisioner.execute("DELETE FROM hook_outbox WHERE id > 1", section=source.section)
    assert (await copy()).outcome is Outcome.RESUMED
    assert await read_all(target.config) == await read_all(source.config)


# --- daemons ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_daemon_on_the_source(
    source: Place, target: Place, copy: Copy, tmp_path: Path, *, dry_run: bool
) -> None:
    """It is refused, unless a snapshot will do."""
    await fill_all(source)
    async with daemon(source.config.path, home=tmp_path) as process:
        await process.until("ready")
        with pytest.raises(InstanceLockedError, match=f"process {process.pid}") as failure:
            await copy(dry_run=dry_run)
        assert "--online" in str(failure.value)
        told = Told()
        report = await copy(online=True, dry_run=dry_run, progress=told)
        assert all(table.source_rows == 3 for table in report.tables)
        if not dry_run:
            assert "not in the copy" in told.messages[0]
            assert await read_all(target.config) == await read_all(source.config)


@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_daemon_on_the_target(
    target: Place, copy: Copy, tmp_path: Path, *, dry_run: bool
) -> None:
    """It is refused, whatever the options."""
    async with daemon(target.config.path, home=tmp_path) as process:
        await process.until("ready")
        for online in (False, True):
            with pytest.raises(InstanceLockedError, match=f"process {process.pid}"):
                await copy(dry_run=dry_run, online=online)


class Writing(Told):
    """Progress that writes to the source while it is copied."""

    def __init__(self, source: Place) -> None:
        super().__init__()
        self._source = source

    def begin(self, step: str, table: str, total: int) -> None:
        super().begin(step, table, total)
        if (step, table) == ("copy", "hook_outbox"):
            for name in ("session_listeners", "hook_outbox"):
                self._source.provisioner.execute(
                    f"DELETE FROM {name}", section=self._source.section
                )


async def test_a_source_that_is_written_to(source: Place, target: Place, copy: Copy) -> None:
    """What the copy holds is the state of its beginning, in every table."""
    await fill_all(source)
    before = await read_all(source.config)
    await copy(online=True, progress=Writing(source))
    assert await read_all(target.config) == before
    assert (await read_all(source.config))["session_listeners"] == []


# --- verification -------------------------------------------------------------------------------

(LISTENER,) = plain_rows(LISTENERS, 1)
TAMPERING: dict[str, tuple[Any, str]] = {
    "changed": (
        update(EVENTS).where(EVENTS.c.id == 2).values(payload={}, attempt_count=9),
        "hook_outbox differs from the source: id 2: differs in attempt_count, payload",
    ),
    "lost": (delete(SETTINGS), "system_settings differs .*: key 'key 0': only in the source; key"),
    "more": (
        insert(LISTENERS).values(("a", "b", "c", NOW)),
        "session_listeners differs .*: target_session_id 'a', caller_session_id 'b': only in",
    ),
}
"""What becomes of the target behind the copy's back, and what is said."""


@pytest.mark.parametrize("tampering", TAMPERING)
async def test_differences_are_found(
    source: Place, target: Place, copy: Copy, monkeypatch: pytest.MonkeyPatch, tampering: str
) -> None:
    """A target that differs from the source is an error with the first rows, and not usable."""
    change, why = TAMPERING[tampering]
    original = CopyRun._continue_ids

    async def tamper(run: CopyRun) -> None:
        await original(run)
        async with run._target.begin() as connection:
            await connection.execute(change)

    await fill_all(source)
    monkeypatch.setattr(CopyRun, "_continue_ids", tamper)
    with pytest.raises(CopyError, match=why):
        await copy()
    monkeypatch.setattr(CopyRun, "_continue_ids", original)
    with pytest.raises(MigrationError, match="was not finished"):
        await Db(target.config).open()
    assert (await copy(replace=True)).outcome is Outcome.COPIED
    assert await read_all(target.config) == await read_all(source.config)


async def test_ids_that_would_come_again_are_found(
    source: Place, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A target that would give ids a second time is an error."""

    async def forget(_run: CopyRun) -> None:
        pass

    monkeypatch.setattr(CopyRun, "_continue_ids", forget)
    async with Db(source.config) as db:
        await db.hook_outbox.enqueue("s", "e", {})
        await db._executor.write(delete(EVENTS))
    with pytest.raises(CopyError, match="the source has counted to 1, the target to 0"):
        await copy()


async def test_a_target_that_is_newer(source: Place, target: Place, copy: Copy) -> None:
    """A target of a later version is refused."""
    await fill_all(source)
    await copy()
    newer = "UPDATE alembic_version SET version_num = 'future'"
    target.provisioner.execute(newer, section=target.section)
    for dry_run in (True, False):
        with pytest.raises(SchemaTooNewError):
            await copy(dry_run=dry_run, replace=True)
