"""A hook's row on a server: one that stops, hangs, or wants a password."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from hook_process import (
    HEAVY,
    complaint,
    environment,
    loaded_by_hook,
    manifest_path,
    prepare,
    run_hook,
)
from teleclaude.hook.writing import write_manifest
from teleclaude.store import Db
from teleclaude.testing.databases import apart

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres_provisioning import PostgresProvisioner
    from postgres_server import PostgresServer
    from store_fixtures import Configure
    from teleclaude.config import Config

PASSWORD = "correct horse"


@pytest.fixture
def server(provisioner: PostgresProvisioner) -> Iterator[PostgresServer]:
    hba = ["local all postgres trust", "host all all all scram-sha-256"]
    with provisioner.start_server(tcp=True, hba=hba) as server:
        yield server


@pytest.fixture
def local(server: PostgresServer, configure: Configure) -> Config:
    """A database on the server, through its socket and without a password."""
    return _migrated(configure({"engine": "postgresql", **_place(server)}))


def _place(server: PostgresServer) -> dict[str, Any]:
    directory = str(server.directory)
    return {"host": directory, "port": server.port, "user": "postgres", "dbname": "postgres"}


def _migrated(config: Config) -> Config:
    async def upgrade() -> None:
        db = Db(config)
        await db.migrator.upgrade()
        await db.close()

    apart(upgrade)
    return config


def test_server_that_stops(local: Config, server: PostgresServer) -> None:
    """While it is down that is one sentence, and afterwards all is as before."""
    prepare(local)
    assert run_hook(local).code == 0
    server.stop()
    assert "cannot be reached: " in complaint(run_hook(local))
    server.start()
    assert loaded_by_hook(local) & HEAVY == set()


def test_server_that_does_not_answer(configure: Configure, own_environment: None) -> None:
    """One that takes connections and is silent is given up on long before `connect_timeout`."""
    del own_environment
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        config = configure(
            {"engine": "postgresql", "host": "127.0.0.1", "port": port, "sslmode": "disable"},
            connect_timeout=600,
        )
        prepare(config)
        assert "no answer in time" in complaint(run_hook(config))
        manifest_path(config).unlink()
        assert "did not answer in time" in complaint(run_hook(config))


def test_locked_table(local: Config) -> None:
    """Somebody's lock is not waited for any longer than an agent waits."""
    prepare(local)

    async def locked() -> None:
        async with Db(local) as db, db._engine.begin() as connection:
            await connection.exec_driver_sql("LOCK TABLE hook_outbox")
            said = complaint(run_hook(local))
            assert "whether it was made is unknown" in said

    apart(locked)


@pytest.fixture
def with_password(local: Config, server: PostgresServer, tmp_path: Path) -> dict[str, Any]:
    """The `database:` section of the same database, over TCP, where a password is needed."""

    async def alter() -> None:
        async with Db(local) as db, db._engine.begin() as connection:
            await connection.exec_driver_sql(f"ALTER ROLE postgres PASSWORD '{PASSWORD}'")

    apart(alter)
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    tcp = {"host": server.host, "sslmode": "prefer"}
    return {"engine": "postgresql", **_place(server), **tcp}


def test_password_in_the_configuration(configure: Configure, with_password: dict[str, Any]) -> None:
    """It is not written down a second time: all events go the long way, and get there."""
    config = configure({**with_password, "password": PASSWORD})
    assert not apart(lambda: write_manifest(str(config.path), environment(config)))
    assert run_hook(config) == (0, "", "")
    assert not manifest_path(config).exists()


def test_password_in_a_file(
    configure: Configure, with_password: dict[str, Any], tmp_path: Path
) -> None:
    """It is read for every event, so that a changed one counts; the manifest does not hold it."""
    file = tmp_path / "password"
    config = configure({**with_password, "password_file": str(file)})
    assert PASSWORD not in prepare(config).read_text()
    assert loaded_by_hook(config) & HEAVY == set()
    file.write_text("another")
    assert "refuses access" in complaint(run_hook(config))


def test_password_in_the_environment(configure: Configure, with_password: dict[str, Any]) -> None:
    """`PGPASSWORD` is the driver's own business, on both ways."""
    config = configure(with_password)
    prepare(config)
    assert loaded_by_hook(config, PGPASSWORD=PASSWORD) & HEAVY == set()


def test_host_that_is_down(configure: Configure, local: Config) -> None:
    """Of several hosts the first one that is up is taken."""
    config = configure(
        {
            "engine": "postgresql",
            **_place_of(local),
            "host": ["/nonexistent", _place_of(local)["host"]],
        }
    )
    prepare(config)
    assert loaded_by_hook(config) & HEAVY == set()


def _place_of(config: Config) -> dict[str, Any]:
    settings: Any = config.database
    return {
        "host": settings.host[0],
        "port": settings.port[0],
        "user": settings.user,
        "dbname": settings.dbname,
    }
