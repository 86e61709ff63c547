"""What the core asks of a backend that adopts, on every installed backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select

from teleclaude.backends import AdoptionReport, Quarantined
from teleclaude.errors import AdoptionError, BackendIncompleteError, MigrationError
from teleclaude.store.models import metadata
from teleclaude.testing.schema_dump import dump

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Table

    from teleclaude.config import Config
    from teleclaude.testing.fixtures import OpenSchema
    from teleclaude.testing.schemas import Revisions, Schema

OBSERVATIONS = metadata.tables["memory_observations"]


class FakeAdoption:
    """Finds a row in nothing; converts with what the core gives it."""

    found = "an imaginary database"

    def __init__(self, connection: Connection, *kept: Quarantined) -> None:
        self.connection = connection
        self.kept = kept
        self.tables: list[str] = []

    def convert(
        self,
        original: Path,
        create_schema: Callable[[], Sequence[Table]],
        computed: Mapping[str, Mapping[str, Callable[[Mapping[str, object]], object]]],
    ) -> AdoptionReport:
        assert original.read_text() == "copy"
        self.tables = [table.name for table in create_schema()]
        words = computed["memory_observations"]["search_text"]
        row = {"title": "Caf\u00e9", "facts": ["One", 2], "concepts": None}
        moment = "2026-01-01T00:00:00+00:00"
        values = {
            "memory_session_id": "m",
            "project": "p",
            "type": "t",
            "created_at": moment,
            "created_at_epoch": 0,
            "title": "Caf\u00e9",
            "search_text": words(row),
        }
        self.connection.execute(insert(OBSERVATIONS), values)
        return AdoptionReport(self.found, {"memory_observations": 1}, len(self.kept), self.kept, [])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    path = tmp_path / "copy"
    path.write_text("copy")
    return path


def adopting(
    schema: Schema, monkeypatch: pytest.MonkeyPatch, copy: Path | None, *kept: Quarantined
) -> list[FakeAdoption]:
    """Let the backend of a schema adopt whatever it finds."""
    made: list[FakeAdoption] = []

    def adopt(connection: Connection, _settings: object) -> FakeAdoption:
        made.append(FakeAdoption(connection, *kept))
        return made[-1]

    async def backup(*_: object) -> Path | None:
        return copy

    monkeypatch.setattr(schema.migrator._backend, "adopt", adopt)
    monkeypatch.setattr(schema.migrator._backend, "backup", backup)
    return made


async def test_the_tables_of_the_first_revision(
    empty: Schema, monkeypatch: pytest.MonkeyPatch, copy: Path
) -> None:
    """The backend gets all tables with their types, and what to compute; the result is stamped."""
    made = adopting(empty, monkeypatch, copy)
    migrated = await empty.migrator.upgrade()
    assert (migrated.before, migrated.after, migrated.backup) == (None, "0001", copy)
    assert migrated.adoption is not None
    assert migrated.adoption.found == FakeAdoption.found
    assert set(metadata.tables) <= set(made[0].tables)
    assert await empty.migrator.check() == []
    async with empty.engine.connect() as connection:
        found = (await connection.execute(select(OBSERVATIONS.c.search_text))).scalar_one()
    assert found == "cafe . one . 2"


async def test_the_revisions_after_the_first_follow(
    config: Config,
    open_schema: OpenSchema,
    revisions: Revisions,
    monkeypatch: pytest.MonkeyPatch,
    copy: Path,
) -> None:
    """An old database becomes one of the first revision, and is then upgraded like any other."""
    revisions.add("op.execute(\"UPDATE memory_observations SET title = 'later'\")")
    schema = open_schema(config, revisions.directory)
    adopting(schema, monkeypatch, copy)
    assert (await schema.migrator.upgrade()).after == "test2"
    async with schema.engine.connect() as connection:
        titles = (await connection.execute(select(OBSERVATIONS.c.title))).scalars().all()
    assert titles == ["later"]


async def test_an_adoption_is_undone_with_the_revisions_after_it(
    config: Config,
    open_schema: OpenSchema,
    revisions: Revisions,
    monkeypatch: pytest.MonkeyPatch,
    copy: Path,
) -> None:
    """When a later revision fails, the old database is as it was, and the copy is gone."""
    revisions.add("raise RuntimeError('boom')")
    schema = open_schema(config, revisions.directory)
    adopting(schema, monkeypatch, copy)
    with pytest.raises(MigrationError, match="from 0001 to test2 failed"):
        await schema.migrator.upgrade()
    assert await dump(schema.engine) == ""
    assert not copy.exists()


@pytest.mark.parametrize("failure", ["strict", "dry run", "no copy"])
async def test_what_leaves_no_trace(
    empty: Schema, monkeypatch: pytest.MonkeyPatch, copy: Path, failure: str
) -> None:
    """A strict adoption with a quarantine, a dry run and one without a copy change nothing."""
    empty.migrator._backend.prepare_storage(empty.migrator._settings)
    before = await dump(empty.engine)
    one = Quarantined("sessions", "7", "title", "1", "is odd")
    adopting(empty, monkeypatch, None if failure == "no copy" else copy, one)
    if failure == "strict":
        with pytest.raises(AdoptionError, match=r"1 values or rows .*\(in sessions\.title\)"):
            await empty.migrator.upgrade(strict=True)
    elif failure == "no copy":
        with pytest.raises(BackendIncompleteError, match="makes no copy"):
            await empty.migrator.upgrade()
    else:
        tried = await empty.migrator.adopt(dry_run=True)
        assert tried.adoption is not None
        assert (tried.adoption.examples, tried.backup) == ((one,), None)
    assert await dump(empty.engine) == before
    assert copy.exists() is (failure == "no copy")


async def test_a_backend_that_adopts_nothing(migrated: Schema) -> None:
    """A database at a revision is not offered for adoption."""
    with pytest.raises(AdoptionError, match="nothing to adopt"):
        await migrated.migrator.adopt()
