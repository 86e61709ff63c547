"""The daemon in front of a real server: one that is not up yet, one that goes away, a lost lock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from daemon_process import daemon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgres_provisioning import PostgresProvisioner
    from postgres_server import PostgresServer

PASSWORD = "correct-horse-battery"

_END_LOCK_CONNECTION = """
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = $1)
"""


def _write(tmp_path: Path, section: dict[str, Any], startup_timeout: float = 30) -> Path:
    file = tmp_path / "teleclaude.yml"
    database = {"engine": "postgresql", **section}
    settings = {"database": database, "daemon": {"startup_timeout": startup_timeout}}
    file.write_text(yaml.safe_dump(settings))
    return file


@pytest.fixture
def stopped_server(provisioner: PostgresProvisioner) -> Iterator[PostgresServer]:
    """A server that exists but does not run."""
    with provisioner.start_server() as server:
        server.stop()
        yield server


def _section(server: PostgresServer) -> dict[str, Any]:
    return {
        "host": server.host,
        "port": server.port,
        "dbname": "postgres",
        "user": "postgres",
        "password": PASSWORD,
    }


async def test_stops_when_the_server_ends_its_lock_connection(
    provisioner: PostgresProvisioner, section: dict[str, Any], tmp_path: Path
) -> None:
    """Within two seconds it notices that its lock is gone, and exits with a code of its own."""
    async with daemon(_write(tmp_path, section), home=tmp_path) as process:
        await process.until("ready")
        assert provisioner.execute(_END_LOCK_CONNECTION, section["dbname"]) == [(True,)]
        end = await process.end()
    assert end.code == 8
    assert end.seconds < 2
    assert "lock" in end.complaint
    assert end.complaint.count("\n") == 1


async def test_waits_for_a_server_that_is_not_up_yet(
    stopped_server: PostgresServer, tmp_path: Path
) -> None:
    """It says that it waits, and starts as soon as the server does."""
    async with daemon(_write(tmp_path, _section(stopped_server)), home=tmp_path) as process:
        await process.until("waiting for the database")
        stopped_server.start()
        await process.until("ready")
        assert (await process.stop()).code == 0


async def test_can_be_stopped_while_it_waits(
    stopped_server: PostgresServer, tmp_path: Path
) -> None:
    """Nobody has to wait for the end of the waiting."""
    async with daemon(_write(tmp_path, _section(stopped_server)), home=tmp_path) as process:
        await process.until("waiting for the database")
        end = await process.stop()
    assert (end.code, end.complaint) == (0, "")
    assert end.seconds < 2


async def test_gives_up_on_a_server_that_stays_away(
    stopped_server: PostgresServer, tmp_path: Path
) -> None:
    """After the time allowed it names the server and what to do; the password stays secret."""
    file = _write(tmp_path, _section(stopped_server), startup_timeout=0.3)
    async with daemon(file, "--log-format", "json", home=tmp_path) as process:
        end = await process.end()
    assert end.code == 5
    assert f"The database {stopped_server.host}:5432/postgres cannot be reached" in end.complaint
    assert "Check that the server runs" in end.complaint
    assert end.complaint.count("\n") == 1
    assert process.events()[-1]["exit_code"] == 5
    assert PASSWORD not in end.complaint + "".join(process.log)


async def test_stops_with_the_server_that_holds_its_lock(
    provisioner: PostgresProvisioner, tmp_path: Path
) -> None:
    """A server that is stopped takes the lock with it, so the daemon stops too."""
    with provisioner.start_server() as server:
        async with daemon(_write(tmp_path, _section(server)), home=tmp_path) as process:
            await process.until("ready")
            server.stop()
            assert (await process.end()).code == 8


async def test_password_is_not_in_the_process_list(
    provisioner: PostgresProvisioner, tmp_path: Path
) -> None:
    """Neither the command line nor the environment of the daemon shows it."""
    with provisioner.start_server() as server:
        async with daemon(_write(tmp_path, _section(server)), home=tmp_path) as process:
            await process.until("ready")
            for name in ("cmdline", "environ"):
                shown = Path(f"/proc/{process.pid}/{name}").read_bytes()
                assert PASSWORD.encode() not in shown
            await process.stop()
