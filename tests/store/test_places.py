"""What depends on where databases are: several at once, awkward names, none at all.

The conformance tests have one database of one engine; what needs more is here, on the engines that
the tests know how to make databases of.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from provisioning import SECRET
from teleclaude.backends import DAEMON_LOCK
from teleclaude.errors import StoreUnavailableError
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.testing.stores import IMPATIENT

if TYPE_CHECKING:
    from provisioning import Provisioner, Section
    from store_fixtures import Configure
    from teleclaude.config import Config
    from teleclaude.testing.fixtures import OpenSchema
    from teleclaude.testing.schemas import Revisions

MORE = 'op.create_table("more", sa.Column("id", types.Key(), primary_key=True))'
LESS = 'op.drop_table("more")'


async def test_two_databases_at_once(
    provisioner: Provisioner, configure: Configure, open_schema: OpenSchema
) -> None:
    """One process can upgrade several databases at the same time without mixing them up."""
    schemas = [open_schema(configure(provisioner.section())) for _ in range(3)]
    await asyncio.gather(*(schema.migrator.upgrade() for schema in schemas))
    for schema in schemas:
        assert await schema.migrator.check() == []
    await asyncio.gather(*(schema.migrator.downgrade("base") for schema in schemas))
    assert [await schema.migrator.current() for schema in schemas] == [None] * 3


async def test_awkward_names(
    provisioner: Provisioner,
    database_settings: Section,
    configure: Configure,
    open_schema: OpenSchema,
    revisions: Revisions,
) -> None:
    """Quotes, spaces and % in a path or a password reach nobody's configuration file."""
    revisions.add(MORE, LESS)
    config = configure(provisioner.awkward(database_settings))
    migrator = open_schema(config, revisions.directory).migrator
    assert (await migrator.upgrade()).after == "test2"
    assert (await migrator.downgrade("0001")).after == "0001"
    async with Db(config) as db:
        await db.settings.set("key", "value")
    await migrator.downgrade("base")
    assert migrator.sql()


async def test_the_sql_connects_to_nothing(
    provisioner: Provisioner,
    database_settings: Section,
    configure: Configure,
    open_schema: OpenSchema,
) -> None:
    """The script can be printed where there is no database, and is the same there."""
    nowhere = open_schema(configure(provisioner.unreachable(database_settings)))
    here = open_schema(configure(database_settings))
    assert nowhere.migrator.sql() == here.migrator.sql()
    script = here.migrator.sql()
    assert script.lstrip().startswith("BEGIN;")
    assert script.rstrip().endswith("COMMIT;")
    assert all(f"CREATE TABLE {name} (" in script for name in metadata.tables)


async def test_databases_are_independent(
    migrated_config: Config, provisioner: Provisioner, configure: Configure
) -> None:
    """Locks of the same name on different databases do not touch each other."""
    elsewhere = configure(provisioner.section())
    async with (
        migrated_config.backend.instance_lock(migrated_config.database, DAEMON_LOCK),
        elsewhere.backend.instance_lock(elsewhere.database, DAEMON_LOCK),
    ):
        pass


async def test_an_unreachable_database(
    provisioner: Provisioner, database_settings: Section, configure: Configure
) -> None:
    """A database that is not there is one sentence, a next step, and no secret."""
    config = configure(provisioner.unreachable(database_settings))
    with pytest.raises(StoreUnavailableError) as failure:
        async with Db(config, retry=IMPATIENT):
            pass
    error = failure.value
    assert config.database.location in error.message
    assert error.hint
    assert "\n" not in str(error)
    while error is not None:
        assert SECRET not in f"{error!s} {error!r}"
        error = error.__cause__  # type: ignore[assignment]


async def test_the_schema_of_an_unreachable_database(
    provisioner: Provisioner,
    database_settings: Section,
    configure: Configure,
    open_schema: OpenSchema,
) -> None:
    """Every question about the schema of a database that is not there is the same clear error."""
    config = configure(provisioner.unreachable(database_settings))
    migrator = open_schema(config).migrator
    for attempt in (migrator.current(), migrator.require_head(), migrator.check()):
        with pytest.raises(StoreUnavailableError) as failure:
            await attempt
        assert config.database.location in failure.value.message
        assert failure.value.hint
