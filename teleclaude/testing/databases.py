"""The databases that tests are handed: empty ones, and ones at the newest revision without rows.

One database serves a whole run, if the author of the backend gives the same one every time. It
costs milliseconds to delete the rows of a test, and much more to make the tables.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import yaml
from sqlalchemy import MetaData, delete

from teleclaude.config import load_config
from teleclaude.store import Db
from teleclaude.store.models import metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from sqlalchemy import Connection, Executable
    from sqlalchemy.ext.asyncio import AsyncEngine

    from teleclaude.config import Config

Section: TypeAlias = Mapping[str, object]
"""The `database:` section of a configuration."""

T = TypeVar("T")


def apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run something asynchronous to its end, in a thread and on an event loop of its own.

    That works in fixtures and tests of both kinds, and leaves their event loop alone.

    Args:
        work: Makes the coroutine.
    """
    answers: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(asyncio.run(work()))
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return answers[0]


def execute(config: Config, statement: Executable | str) -> list[tuple[Any, ...]]:
    """Run a statement beside the store, on a connection of its own that commits at once.

    Args:
        config: Where.
        statement: What. Text is sent as it is.

    Returns:
        The rows.
    """

    async def work() -> list[tuple[Any, ...]]:
        engine = config.backend.create_engine(config.database)
        try:
            async with engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                if isinstance(statement, str):
                    result = await connection.exec_driver_sql(statement)
                else:
                    result = await connection.execute(statement)
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            await engine.dispose()

    return apart(work)


class Databases:
    """Brings databases into the state that a test asks for.

    A section that was not seen before is that of an empty database: the author of the backend says
    so. What became of it afterwards is remembered here.
    """

    def __init__(self, directory: Path) -> None:
        """Begin without any database.

        Args:
            directory: Where configuration files are written.
        """
        self._directory = directory
        self._configs: dict[str, Config] = {}
        self._migrated: set[str] = set()
        self._touched: set[str] = set()

    def load(self, section: Section) -> Config:
        """Load the configuration that a section makes.

        Args:
            section: The `database:` section.
        """
        key = json.dumps(section, sort_keys=True, default=str)
        if key not in self._configs:
            file = self._directory / f"teleclaude-{len(self._configs)}.yml"
            file.write_text(yaml.safe_dump({"database": dict(section)}), encoding="utf-8")
            file.chmod(0o600)
            self._configs[key] = load_config(file, environ={})
        return self._configs[key]

    def empty(self, section: Section) -> Config:
        """Give a database without tables.

        Args:
            section: Its `database:` section.
        """
        config = self.load(section)
        if config.database.location in self._touched:
            apart(lambda: _drop_everything(config))
        self.distrust(config)
        return config

    def migrated(self, section: Section) -> Config:
        """Give a database at the newest revision, without rows.

        Args:
            section: Its `database:` section.
        """
        config = self.load(section)
        location = config.database.location
        if location in self._migrated:
            apart(lambda: _delete_rows(config))
            return config
        self.empty(section)
        apart(lambda: _upgrade(config))
        self._migrated.add(location)
        return config

    def distrust(self, config: Config) -> None:
        """Expect any tables in a database from now on, because a test may change them.

        Args:
            config: Its configuration.
        """
        self._touched.add(config.database.location)
        self._migrated.discard(config.database.location)


async def _upgrade(config: Config) -> None:
    db = Db(config)
    try:
        await db.migrator.upgrade()
    finally:
        await db.close()


async def _delete_rows(config: Config) -> None:
    engine = config.backend.create_engine(config.database)
    try:
        async with engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                await connection.execute(delete(table))
    finally:
        await engine.dispose()


async def _drop_everything(config: Config) -> None:
    config.backend.prepare_storage(config.database)
    engine = config.backend.create_engine(config.database)
    try:
        await _drop_indexes(engine, config)
        async with engine.begin() as connection:
            await connection.run_sync(_drop_tables)
    finally:
        await engine.dispose()


async def _drop_indexes(engine: AsyncEngine, config: Config) -> None:
    """Drop indexes for text search, some of which are tables that only they may touch."""
    searched = [
        column
        for table in metadata.sorted_tables
        for column in table.columns
        if column.info.get("searched")
    ]
    for column in searched:
        search = config.backend.text_search(column.table, column.name)
        for statement in search.drop if search else ():
            with suppress(Exception):  # whatever of it is not there
                async with engine.begin() as connection:
                    await connection.execute(statement)


def _drop_tables(connection: Connection) -> None:
    found = MetaData()
    found.reflect(connection)
    found.drop_all(connection)
