"""Copies of a file that has two names."""

from __future__ import annotations

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
