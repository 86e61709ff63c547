"""Consistent copies of a database in use."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

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
