"""Fresh SQLite databases for tests: files in a directory."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from provisioning import AWKWARD

if TYPE_CHECKING:
    from provisioning import Section


class SqliteProvisioner:
    """Makes and removes files; each is in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        """Prepare; nothing is made yet."""
        self._directories = (directory / f"database-{number}" for number in itertools.count())

    def section(self) -> Section:
        """Name a file that does not exist yet: that is what an empty database is here."""
        return {"engine": "sqlite", "path": str(next(self._directories) / "teleclaude.db")}

    def drop(self, section: Section) -> None:
        """Remove a file and its directory."""
        shutil.rmtree(_path(section).parent, ignore_errors=True)

    def execute(
        self, sql: str, *arguments: object, section: Section | None = None
    ) -> list[tuple[object, ...]]:
        """Run a statement with Python's own driver; an empty database comes to be by that."""
        if section is None:
            message = "There is no database but those of the sections."
            raise ValueError(message)
        _path(section).parent.mkdir(exist_ok=True)
        with closing(sqlite3.connect(_path(section), isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            return connection.execute(sql, arguments).fetchall()

    def cut_connections(self, section: Section) -> None:
        """Do nothing: there is no server that could end a connection."""

    def unreachable(self, section: Section) -> Section:
        """Name a file in a directory that does not exist."""
        return {**section, "path": str(_path(section).parent / "nowhere" / "teleclaude.db")}

    def awkward(self, section: Section) -> Section:
        """Put the file into a directory with such a name."""
        name = AWKWARD.replace("$", "")  # a variable in a path is expanded, so it is not tried
        return {**section, "path": str(_path(section).parent / name / f"{name}.db")}

    def close(self) -> None:
        """Do nothing: pytest removes the directory."""


def _path(section: Section) -> Path:
    return Path(str(section["path"]))
