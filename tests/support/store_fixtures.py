"""The fixtures of the store tests; each runs once for every installed backend.

`provisioner` is what is parametrised. An environment with one backend runs the tests on that one,
and where a backend is installed its tests cannot be skipped.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest
import yaml
from sqlalchemy import event

from mutable_clock import MutableClock
from provisioning import make_provisioner
from teleclaude.backends import installed_backends
from teleclaude.config import load_config
from teleclaude.store import Db, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from provisioning import Provisioner, Section
    from teleclaude.config import Config

ENGINES = sorted(
    os.environ.get("TELECLAUDE_TEST_ONLY", "").split()
    or {backend.engine for backend in installed_backends()}
)
"""All that are installed, unless others of the same run test the rest."""

IMPATIENT = RetryPolicy(base=0.001, ceiling=0.01)
"""Retries as everywhere, with waits that do not slow the tests down."""


class Configure(Protocol):
    """Loads the configuration that a `database:` section makes."""

    def __call__(self, section: Section, **changes: object) -> Config: ...


class OpenDb(Protocol):
    """Opens a store that is closed at the end of the test."""

    async def __call__(
        self, config: Config | None = None, *, retry: RetryPolicy = IMPATIENT
    ) -> Db: ...


@pytest.fixture(scope="session", params=ENGINES)
def provisioner(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Provisioner]:
    """Databases of one engine."""
    provisioner = make_provisioner(request.param, tmp_path_factory.mktemp("databases"))
    yield provisioner
    provisioner.close()


class Template(NamedTuple):
    """A database at the newest revision, to be copied."""

    section: Section
    config: Config


@pytest.fixture(scope="session")
def template(provisioner: Provisioner, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A database at the newest revision, to be copied."""
    section = provisioner.section()
    config = _load(tmp_path_factory.mktemp("template") / "teleclaude.yml", section)

    async def upgrade() -> None:
        db = Db(config)
        await db.migrator.upgrade()
        await db.close()

    asyncio.run(upgrade())
    return Template(section, config)


@pytest.fixture
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the home directory and the variables of whoever runs the tests out of them."""
    for name in tuple(os.environ):
        if name.startswith(("PG", "TELECLAUDE_D", "TELECLAUDE_CONFIG")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture
def configure(tmp_path: Path, own_environment: None) -> Configure:  # noqa: ARG001
    """Give a function that writes and loads a configuration."""

    def configure(section: Section, **changes: object) -> Config:
        number = len(list(tmp_path.glob("*.yml")))
        return _load(tmp_path / f"teleclaude-{number}.yml", {**section, **changes})

    return configure


@pytest.fixture
def database_section(provisioner: Provisioner) -> Iterator[Section]:
    """The `database:` section of an empty database."""
    section = provisioner.section()
    yield section
    provisioner.drop(section)


@pytest.fixture
def config(configure: Configure, database_section: Section) -> Config:
    """The configuration of an empty database."""
    return configure(database_section)


@pytest.fixture
def migrated_section(provisioner: Provisioner, template: Template) -> Iterator[Section]:
    """The `database:` section of a database at the newest revision."""
    section = provisioner.clone(template.section)
    yield section
    provisioner.drop(section)


@pytest.fixture
def migrated_config(
    template: Template,
    migrated_section: Section,
    tmp_path: Path,
    own_environment: None,  # noqa: ARG001
) -> Config:
    """The configuration of a database at the newest revision.

    It differs from the template's in the settings only, so the backend is not looked for again.
    """
    file = _write(tmp_path / "migrated.yml", migrated_section)
    given = {key: value for key, value in migrated_section.items() if key != "engine"}
    settings = template.config.backend.settings_class.model_validate(given)
    return replace(template.config, path=file, database=settings)


@pytest.fixture
def clock() -> MutableClock:
    """The clock of the stores."""
    return MutableClock()


@pytest.fixture
async def open_db(migrated_config: Config, clock: MutableClock) -> AsyncIterator[OpenDb]:
    """Give a function that opens a store; afterwards no connection of it may be in use."""
    async with AsyncExitStack() as stack:

        async def open_db(config: Config | None = None, *, retry: RetryPolicy = IMPATIENT) -> Db:
            db = Db(config or migrated_config, clock=clock, retry=retry)
            stack.push_async_callback(_close, db)
            await db.open()
            return db

        yield open_db


@pytest.fixture
async def db(open_db: OpenDb) -> Db:
    """An open store."""
    return await open_db()


@pytest.fixture
def statements(db: Db) -> list[str]:
    """What the store sends, as it sends it: statements, and BEGIN, COMMIT, ROLLBACK if explicit."""
    return record_statements(db)


def record_statements(db: Db) -> list[str]:
    """Begin to record what a store sends."""
    sent: list[str] = []
    engine = db._engine.sync_engine

    def note(word: str) -> Callable[[Connection], None]:
        def listener(connection: Connection) -> None:
            if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
                sent.append(word)

        return listener

    @event.listens_for(engine, "before_cursor_execute")
    def statement(*arguments: object) -> None:
        sql = str(arguments[2])
        if not sql.startswith("BEGIN"):  # the `begin` event has noted it
            sent.append(sql)

    for word in ("begin", "commit", "rollback"):
        event.listen(engine, word, note(word.upper()))
    return sent


def checked_out(db: Db) -> int:
    """Count the connections of a store that are in use."""
    return int(db._engine.pool.checkedout())  # type: ignore[attr-defined]


async def _close(db: Db) -> None:
    used = checked_out(db)
    await db.close()
    assert used == 0, f"{used} connections are still checked out"


def _load(file: Path, section: Section) -> Config:
    return load_config(_write(file, section), environ={})


def _write(file: Path, section: Section) -> Path:
    file.write_text(yaml.safe_dump({"database": dict(section)}))
    return file
