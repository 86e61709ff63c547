"""Consistent copies of a database in use."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

import pytest

from teleclaude.cli.progress import Silence
from teleclaude.errors import BackupError
from teleclaude.store.archive import back_up, back_up_natively, restore_store
from teleclaude.store.transfer import CopyOptions
from teleclaude.testing.changed_backends import without
from teleclaude.testing.declared import needs

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncEngine

    from teleclaude.config import Config
    from teleclaude.store import Db


@needs("backup")
async def test_a_backup_goes_where_it_should(
    db: Db, migrated_config: Config, engine: AsyncEngine, tmp_path: Path
) -> None:
    """The file is there, has something in it, and the database goes on."""
    await db.settings.set("key", "value")
    destination = tmp_path / "copy"
    backend = migrated_config.backend
    assert await backend.backup(engine, migrated_config.database, destination) == destination
    assert destination.stat().st_size > 0
    assert await db.settings.get("key") == "value"


@needs("backup")
async def test_a_backup_may_choose_its_place(
    db: Db, migrated_config: Config, engine: AsyncEngine
) -> None:
    """Without a destination each copy is a new file."""
    backend, settings = migrated_config.backend, migrated_config.database
    await db.settings.set("key", "value")
    files = [await backend.backup(engine, settings) for _ in range(2)]
    assert len(set(files)) == 2
    for file in files:
        assert file is not None
        assert file.stat().st_size > 0
        file.unlink()


@needs("backup")
async def test_a_backup_beside_writers(
    db: Db, migrated_config: Config, engine: AsyncEngine, tmp_path: Path
) -> None:
    """Writers and the copy do not fail because of each other."""
    writers = [asyncio.create_task(db.settings.set(f"{number}", "x")) for number in range(20)]
    await migrated_config.backend.backup(engine, migrated_config.database, tmp_path / "copy")
    await asyncio.gather(*writers)
    assert len(await db.settings.all()) == 20


async def refusal(file: Path, config: Config) -> str:
    """Try to restore what is no archive, and give what is said."""
    with pytest.raises(BackupError) as failure:
        await restore_store(file, config, CopyOptions(), Silence())
    return str(failure.value)


@needs("backup", "native backup")
async def test_a_backup_is_recognised(migrated_config: Config, tmp_path: Path) -> None:
    """Whoever restores a copy that the engine made is told how it is used."""
    backend = migrated_config.backend
    copy = (await back_up_natively(migrated_config, tmp_path / "copy")).file
    hint = backend.native_backup(copy.read_bytes()[:512])
    assert hint
    assert "\n" not in hint
    message = await refusal(copy, migrated_config)
    assert f"copy is a database of the engine {backend.engine}" in message
    assert hint in message


@needs("native backup")
async def test_other_files_are_not_recognised(
    db: Db, migrated_config: Config, tmp_path: Path
) -> None:
    """What another program wrote, or an archive, is not taken for a copy of the engine."""
    await db.settings.set("key", "value")
    await back_up(migrated_config, tmp_path / "archive", Silence())
    archive = (tmp_path / "archive").read_bytes()
    for content in (b"", b"\0" * 512, b"x", b"database: {}\n" * 40, archive[:512]):
        assert migrated_config.backend.native_backup(content) is None


async def test_a_backend_without_backups(migrated_config: Config, tmp_path: Path) -> None:
    """Where a backend is silent, no copy is made, and no file is taken for one."""
    backend = without(migrated_config.backend, "teleclaude_backup", "teleclaude_native_backup")
    config = dataclasses.replace(migrated_config, backend=backend)
    with pytest.raises(BackupError, match="makes no copies of its own"):
        await back_up_natively(config, tmp_path / "copy")
    assert list(tmp_path.glob("copy*")) == []
    assert backend.native_backup(b"\0" * 512) is None
    (tmp_path / "file").write_bytes(b"\0" * 512)
    assert "file is not an archive" in await refusal(tmp_path / "file", migrated_config)
