"""Large stores: copied and restored over every pair of engines, in no more memory than small ones.

All of it happens in processes of the command line's own.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from copies import Place
from pair_fixtures import ENGINES
from stores import fill
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.testing.rows import plain_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioning import Provisioner
    from store_fixtures import Configure
    from teleclaude.config import Config

SCRIPT = Path(__file__).parents[1] / "support" / "measured_command.py"

SHARES = {"hook_outbox": 80, "sessions": 5, "memory_observations": 5, "system_settings": 10}
"""How the rows are distributed, in percent."""

MANY = 200_000
FEW = 10_000

MOST_GROWTH = 96 * 1024
"""KiB by which the memory may grow: drivers have caches, which few rows do not fill. All rows would
take more even in their tightest form."""


class Make(Protocol):
    """Makes a database of an engine; it has no tables yet."""

    def __call__(self, engine: str) -> Place: ...


@pytest.fixture
def make(provisioners: Mapping[str, Provisioner], configure: Configure) -> Iterator[Make]:
    made: list[Place] = []

    def make(engine: str) -> Place:
        provisioner = provisioners[engine]
        section = provisioner.section()
        made.append(Place(provisioner, section, configure(section)))
        return made[-1]

    yield make
    for place in made:
        place.provisioner.drop(place.section)


def fill_with(config: Config, rows: int) -> None:
    """Make the tables and put rows into them."""

    async def work() -> None:
        db = Db(config)
        await db.migrator.upgrade()
        await db.close()
        tables = [table for table in metadata.sorted_tables if table.name in SHARES]
        counts = {table: rows * SHARES[table.name] // 100 for table in tables}
        await fill(config, {table: plain_rows(table, counts[table]) for table in tables})

    asyncio.run(work())


def every_pair() -> list[str]:
    """Give a sequence of engines in which each of them follows each, itself too, just once."""
    following = {engine: list(ENGINES) for engine in ENGINES}
    path, found = [ENGINES[0]], []
    while path:  # Hierholzer's way to go over every edge of a graph
        if following[path[-1]]:
            path.append(following[path[-1]].pop())
        else:
            found.append(path.pop())
    return found[::-1]


class Journey:
    """Rows on their way over every pair of engines, by copies and by archives.

    Attributes:
        peaks: The memory of each command, by what it did.
    """

    def __init__(self, make: Make, directory: Path, rows: int) -> None:
        self._make = make
        self._directory = directory
        self._rows = rows
        self.peaks: dict[str, int] = {}

    def run(self) -> None:
        first, *rest = every_pair()
        place = self._make(first)
        fill_with(place.config, self._rows)
        stores = {first: place}
        for number, engine in enumerate(rest):
            target = self._make(engine)
            words = ("copy", "--config", place.config.path, "--to", target.config.path)
            self._load(f"copy {number} to {engine}", *words)
            stores[engine] = place = target
        archives = {self._archive(engine, store) for engine, store in stores.items()}
        assert len(archives) == 1
        for engine in stores:
            words = ("restore", self._file(first), "--config", self._make(engine).config.path)
            self._load(f"restore to {engine}", *words)

    def _load(self, what: str, *words: object) -> None:
        document = self._measured(what, *words)
        assert (document["outcome"], document["rows_copied"]) == ("copied", self._rows)
        assert all(table["agrees"] for table in document["tables"].values())

    def _archive(self, engine: str, store: Place) -> bytes:
        words = ("backup", self._file(engine), "--portable", "--config", store.config.path)
        document = self._measured(f"backup of {engine}", *words)
        assert sum(document["rows"].values()) == self._rows
        return sha256(self._file(engine).read_bytes()).digest()

    def _file(self, engine: str) -> Path:
        return self._directory / f"{engine}-{self._rows}"

    def _measured(self, what: str, *words: object) -> dict[str, Any]:
        file = self._directory / "peak"
        command = [sys.executable, SCRIPT, file, "db", *words, "--json"]
        done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=200)
        assert (done.returncode, done.stderr) == (0, "")
        self.peaks[what] = int(file.read_text())
        document: dict[str, Any] = json.loads(done.stdout)
        return document


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_many_rows_in_the_memory_of_few(make: Make, tmp_path: Path) -> None:
    """Over every pair of engines all rows arrive, and twenty times as many need no more memory."""
    few, many = (Journey(make, tmp_path, rows) for rows in (FEW, MANY))
    few.run()
    many.run()
    more = {what: peak - few.peaks[what] for what, peak in many.peaks.items()}
    assert [what for what, growth in more.items() if growth > MOST_GROWTH] == []
