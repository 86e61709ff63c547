"""Migrators of databases, and revisions that tests write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import teleclaude.migrations
from teleclaude.migrations import Migrator
from teleclaude.store.models import metadata

if TYPE_CHECKING:
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


def schema_of(config: Config, *versions: Path) -> Schema:
    """Make a migrator, and an engine that the caller disposes of.

    Args:
        config: Where the database is.
        *versions: Directories of revisions beside TeleClaude's own.
    """
    engine = config.backend.create_engine(config.database)
    migrator = Migrator(
        config.backend, config.database, engine, metadata, versions=(OURS, *versions)
    )
    return Schema(migrator, engine)
