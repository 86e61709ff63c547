"""Two databases, for every ordered pair of installed engines; fixtures for a directory's conftest.

Unlike other tests of the store, those that use them need all installed backends at once.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from itertools import product
from typing import TYPE_CHECKING

import pytest

from copies import Place
from provisioning import make_provisioner
from teleclaude.backends import installed_backends
from teleclaude.store import Db

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning import Provisioner
    from store_fixtures import Configure

ENGINES = sorted({backend.engine for backend in installed_backends()})
PAIRS = [pytest.param(pair, id="-to-".join(pair)) for pair in product(ENGINES, repeat=2)]


@pytest.fixture(scope="session")
def provisioners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Provisioner]]:
    """A provisioner of every engine."""
    with ExitStack() as stack:
        made = {}
        for engine in ENGINES:
            made[engine] = make_provisioner(engine, tmp_path_factory.mktemp(f"pairs-{engine}"))
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
