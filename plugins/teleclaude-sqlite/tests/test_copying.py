"""Copies of a file that has two names, or values that no other engine would keep."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import yaml

from copies import Told
from stores import fill, read_all
from teleclaude.config import Config, load_config
from teleclaude.errors import CopyError, InstanceLockedError
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.store.transfer import CopyOptions, Outcome, copy_store
from teleclaude.testing.rows import plain_rows

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = metadata.tables["hook_outbox"]
SETTINGS = metadata.tables["system_settings"]


def config(directory: Path, name: str) -> Config:
    file = directory / f"{name}.yml"
    section = {"engine": "sqlite", "path": str(directory / name)}
    file.write_text(yaml.safe_dump({"database": section}))
    return load_config(file, environ={})


@pytest.fixture
async def names(tmp_path: Path) -> tuple[Config, Config]:
    """Two configurations of one file, which has some rows."""
    (tmp_path / "link.db").symlink_to(tmp_path / "file.db")
    names = config(tmp_path, "file.db"), config(tmp_path, "link.db")
    db = Db(names[0])
    await db.migrator.upgrade()
    await db.close()
    await fill(names[0], {SETTINGS: plain_rows(SETTINGS, 3)})
    return names


@pytest.mark.parametrize("replace", [False, True])
async def test_the_lock_notices_two_names_of_one_file(
    names: tuple[Config, Config], *, replace: bool
) -> None:
    """Whoever has the lock of the target cannot have that of the source."""
    with pytest.raises(InstanceLockedError):
        await copy_store(*names, CopyOptions(replace=replace), Told())
    assert len((await read_all(names[0]))["system_settings"]) == 3


async def test_without_the_lock_nothing_is_deleted(names: tuple[Config, Config]) -> None:
    """Copied online, a file is not emptied either, because the mark of a copy is found in it."""
    with pytest.raises(CopyError, match="are the same database"):
        await copy_store(*names, CopyOptions(online=True, replace=True), Told())
    assert len((await read_all(names[0]))["system_settings"]) == 3
    report = await copy_store(*names, CopyOptions(online=True), Told())
    assert report.outcome is Outcome.ALREADY_COPIED


STRANGE = {
    "last_error": ("CAST(x'61ff' AS TEXT)", "failed with OperationalError"),
    "claim_token": ("'a' || char(0)", "contains a NUL character"),
    "event_type": ("x'00ff'", "must be text, not bytes"),
    "attempt_count": ("'many'", "must be an integer, not str"),
    "created_at": ("'yesterday'", "is not a date and time"),
    "payload": ("""'{"a": NaN}'""", "is not a JSON document"),
}
"""What SQLite keeps in any column, whatever its type, and what is said about it."""


async def test_values_that_only_sqlite_keeps(tmp_path: Path) -> None:
    """Each of them is found, with its row, among rows that are fine, and no value is quoted."""
    source, target = config(tmp_path, "source.db"), config(tmp_path, "target.db")
    db = Db(source)
    await db.migrator.upgrade()
    await db.close()
    await fill(source, {EVENTS: plain_rows(EVENTS, 300)})
    with closing(sqlite3.connect(tmp_path / "source.db", isolation_level=None)) as connection:
        for number, (column, (value, _)) in enumerate(STRANGE.items(), 1):
            where = f"WHERE id = {number * 40}"
            connection.execute(f"UPDATE hook_outbox SET {column} = {value} {where}")
    with pytest.raises(CopyError) as failure:
        await copy_store(source, target, CopyOptions(dry_run=True), Told())
    _, *lines = failure.value.message.splitlines()
    assert len(lines) == len(STRANGE)
    for number, (_, why) in enumerate(STRANGE.values(), 1):
        (line,) = [line for line in lines if f"hook_outbox with id {number * 40}." in line]
        assert why in line
        assert "yesterday" not in line
    with pytest.raises(CopyError, match="hook_outbox with id 40"):
        await copy_store(source, target, CopyOptions(), Told())
