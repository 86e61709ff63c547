"""Where the databases come from: files in a directory, or a server that is thrown away."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Protocol

import yaml

from benchmarks.floors import arguments
from teleclaude import Db, load_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from benchmarks.floors import Section

SUPPORT: Final = Path(__file__).parents[1] / "tests" / "support"

_DURABLE: Final = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
"""The server that the tests use is set up to forget; this one is as it comes."""


class Databases(Protocol):
    """Makes empty databases."""

    async def make(self) -> dict[str, Any]:
        """Make one, and give the section that configures it."""
        ...


class SqliteFiles:
    """Each database is a file."""

    def __init__(self, directory: Path, synchronous: str) -> None:
        """Take a directory, and how durable a commit is."""
        self._names = (directory / f"database-{number}.db" for number in count())
        self._synchronous = synchronous

    async def make(self) -> dict[str, Any]:
        """Name a file."""
        path = str(next(self._names))
        return {"engine": "sqlite", "path": path, "synchronous": self._synchronous}


class PostgresDatabases:
    """All databases are on one server."""

    def __init__(self, server: dict[str, Any]) -> None:
        """Take the section of the server's first database."""
        self._server = server
        self._names = (f"benchmark_{number}" for number in count())

    async def make(self) -> dict[str, Any]:
        """Create a database."""
        import asyncpg  # noqa: PLC0415 - not there where only SQLite is measured

        section = {**self._server, "dbname": next(self._names)}
        connection = await asyncpg.connect(**arguments(self._server))
        try:
            await connection.execute(f"CREATE DATABASE {section['dbname']}")
        finally:
            await connection.close()
        return section


@contextmanager
def open_databases(engine: str, synchronous: str) -> Iterator[Databases]:
    """Start what an engine needs; everything is removed at the end.

    Args:
        engine: The engine.
        synchronous: How durable SQLite's commits are: `normal` or `full`.
    """
    if engine == "sqlite":
        with TemporaryDirectory(prefix="teleclaude-bench-") as directory:
            yield SqliteFiles(Path(directory), synchronous)
        return
    sys.path.insert(0, str(SUPPORT))
    from postgres_server import PostgresServer  # noqa: PLC0415 - found only now

    with PostgresServer(settings=_DURABLE) as server:
        names = {"dbname": "postgres", "user": "postgres", "host": server.host}
        yield PostgresDatabases({"engine": engine, "port": server.port, **names})


def write_config(section: Section, file: Path) -> Path:
    """Write the configuration that has this section."""
    file.write_text(yaml.safe_dump({"database": dict(section)}), encoding="utf-8")
    return file


@asynccontextmanager
async def open_store(section: Section) -> AsyncIterator[Db]:
    """Open a store, after its schema was brought up to date.

    Args:
        section: The database.
    """
    with TemporaryDirectory() as directory:
        config = load_config(write_config(section, Path(directory) / "teleclaude.yml"), environ={})
    db = Db(config)
    await db.migrator.upgrade()
    async with db:
        yield db
