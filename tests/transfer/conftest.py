"""Two databases: a filled one to copy, and one to copy into, for every ordered pair of engines.

Unlike other tests of the store, these need all installed backends at once.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from itertools import product
from typing import TYPE_CHECKING

import pytest

from copies import Copy, Place, Told
from provisioning import make_provisioner
from teleclaude.backends import installed_backends
from teleclaude.store import Db
from teleclaude.store.transfer import CopyOptions, copy_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning import Provisioner
    from store_fixtures import Configure
    from teleclaude.store.transfer import CopyReport

ENGINES = sorted({backend.engine for backend in installed_backends()})
PAIRS = [pytest.param(pair, id="-to-".join(pair)) for pair in product(ENGINES, repeat=2)]


@pytest.fixture(scope="session")
def provisioners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Provisioner]]:
    """A provisioner of every engine."""
    with ExitStack() as stack:
        made = {}
        for engine in ENGINES:
            made[engine] = make_provisioner(engine, tmp_path_factory.mktemp(f"copies-{engine}"))
            stack.callback(made[engine].close)
        yield made


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The engines of source and target."""
    engines: tuple[str, str] = request.param
    return engines


@pytest.fixture
def source(
    pair: tuple[str, str], provisioners: dict[str, Provisioner], configure: Configure
) -> Iterator[Place]:
    """The database to copy, at the newest revision and empty."""
    provisioner = provisioners[pair[0]]
    section = provisioner.section()
    config = configure(section)

    async def upgrade() -> None:
        db = Db(config)
        await db.migrator.upgrade()
        await db.close()

    asyncio.run(upgrade())
    yield Place(provisioner, section, config)
    provisioner.drop(section)


@pytest.fixture
def target(
    pair: tuple[str, str], provisioners: dict[str, Provisioner], configure: Configure
) -> Iterator[Place]:
    """The database to copy into, without any tables."""
    provisioner = provisioners[pair[1]]
    section = provisioner.section()
    yield Place(provisioner, section, configure(section))
    provisioner.drop(section)


@pytest.fixture
def copy(source: Place, target: Place) -> Copy:
    """Give a function that copies the source into the target."""

    async def copy(
        *,
        online: bool = False,
        replace: bool = False,
        dry_run: bool = False,
        progress: Told | None = None,
    ) -> CopyReport:
        options = CopyOptions(online=online, replace=replace, dry_run=dry_run)
        return await copy_store(source.config, target.config, options, progress or Told())

    return copy
