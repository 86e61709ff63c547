"""The command line inside the test's process, and two stores for commands that need them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest

from stores import fill
from teleclaude.cli import main
from teleclaude.store.models import metadata
from teleclaude.testing.rows import plain_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning import Provisioner
    from store_fixtures import Configure
    from teleclaude.config import Config


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    output: str
    complaint: str


class Run(Protocol):
    """Runs a command."""

    def __call__(self, *words: str, config: Config | None = None) -> Outcome: ...


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str, config: Config | None = None) -> Outcome:
        where = [] if config is None else ["--config", str(config.path)]
        monkeypatch.setattr("sys.argv", ["teleclaude", *words, *where])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def source(migrated_config: Config) -> Config:
    """A store with three rows in every table."""
    asyncio.run(
        fill(migrated_config, {table: plain_rows(table, 3) for table in metadata.sorted_tables})
    )
    return migrated_config


@pytest.fixture
def target(provisioner: Provisioner, configure: Configure) -> Iterator[Config]:
    """An empty database of the same engine."""
    section = provisioner.section()
    yield configure(section)
    provisioner.drop(section)
