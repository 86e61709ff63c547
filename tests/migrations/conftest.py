from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest

import teleclaude.migrations
from teleclaude.migrations import Migrator
from teleclaude.store.models import metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from teleclaude.config import Config

OURS = Path(teleclaude.migrations.__file__).parent / "versions"

HEADER = """
import sys
from pathlib import Path

import sqlalchemy as sa
from alembic import op

from teleclaude.store import types

revision = {revision!r}
down_revision = {down!r}
deletes_rows_from = {deletes!r}
"""


class Schema(NamedTuple):
    """A migrator, and an engine of its database to look at it with."""

    migrator: Migrator
    engine: AsyncEngine


class OpenSchema(Protocol):
    """Makes a migrator, with more directories of revisions beside TeleClaude's own."""

    def __call__(self, config: Config, *versions: Path) -> Schema: ...


class Revisions:
    """A directory of revisions that follow TeleClaude's own, each the one before."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        self._last = "0001"

    def add(self, upgrade: str, downgrade: str = "pass", *, deletes: tuple[str, ...] = ()) -> str:
        """Write a revision from the statements of its functions and give its name."""
        revision = f"test{int(self._last[-1]) + 1}"
        lines = [HEADER.format(revision=revision, down=self._last, deletes=deletes)]
        for name, body in (("upgrade", upgrade), ("downgrade", downgrade)):
            indented = "\n".join(f"    {line}" for line in body.strip().splitlines())
            lines.append(f"def {name}():\n{indented}\n")
        (self.directory / f"{revision}.py").write_text("\n".join(lines))
        self._last = revision
        return revision


@pytest.fixture
def revisions(tmp_path: Path) -> Revisions:
    """More revisions, in a directory whose name tries the quoting of Alembic's configuration."""
    return Revisions(tmp_path / "100 % more %(here)s 'revisions'")


@pytest.fixture
async def open_schema() -> AsyncIterator[OpenSchema]:
    """Give a function that makes migrators."""
    async with AsyncExitStack() as stack:

        def open_schema(config: Config, *versions: Path) -> Schema:
            engine = config.backend.create_engine(config.database)
            stack.push_async_callback(engine.dispose)
            migrator = Migrator(
                config.backend, config.database, engine, metadata, versions=(OURS, *versions)
            )
            return Schema(migrator, engine)

        yield open_schema


@pytest.fixture
async def empty(config: Config, open_schema: OpenSchema) -> Schema:
    """An empty database."""
    return open_schema(config)


@pytest.fixture
async def migrated(migrated_config: Config, open_schema: OpenSchema) -> Schema:
    """A database at head."""
    return open_schema(migrated_config)
