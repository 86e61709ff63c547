from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest
import yaml

from teleclaude.backends import Backend, load_backend
from teleclaude.config import load_config
from teleclaude.store import Db
from teleclaude_sqlite.settings import SqliteSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncEngine

    from teleclaude.config import Config


def configuration(file: Path, directory: Path | None = None, **more: object) -> Config:
    """The configuration of a database, written into its directory or another one."""
    yml = (directory or file.parent) / "teleclaude.yml"
    yml.write_text(yaml.safe_dump({"database": {"path": str(file), **more}}))
    return load_config(yml, environ={})


@pytest.fixture(scope="session")
def backend() -> Backend:
    return load_backend("sqlite")


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database at head, to be copied."""
    path = tmp_path_factory.mktemp("template") / "teleclaude.db"

    async def upgrade() -> None:
        db = Db(configuration(path))
        await db.migrator.upgrade()
        await db.close()

    asyncio.run(upgrade())
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database can be made."""
    return tmp_path / "teleclaude.db"


@pytest.fixture
def settings(path: Path) -> SqliteSettings:
    return SqliteSettings(path=path)


@pytest.fixture
def file_config(path: Path, migrated_file: Path) -> Config:
    """The configuration of a database at head."""
    shutil.copy(migrated_file, path)
    return configuration(path, busy_timeout=0.2)


@pytest.fixture
async def engine(backend: Backend, settings: SqliteSettings) -> AsyncIterator[AsyncEngine]:
    """An engine of an empty database."""
    backend.prepare_storage(settings)
    engine = backend.create_engine(settings)
    yield engine
    await engine.dispose()
