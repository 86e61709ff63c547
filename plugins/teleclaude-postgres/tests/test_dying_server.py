"""A server that dies in the middle of a copy, a restore or a backup, and is started again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import halting_command
from archives import archived
from daemon_process import COMMAND
from stores import fill, read_all
from teleclaude.backends import Batch
from teleclaude.errors import (
    InstanceLockLostError,
    MigrationError,
    StoreError,
)
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.testing.processes import python_process
from teleclaude.testing.rows import plain_rows
from teleclaude_postgres.loading import copy_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from postgres_provisioning import PostgresProvisioner
    from postgres_server import PostgresServer
    from store_fixtures import Configure
    from teleclaude.config import Config

TABLES = metadata.sorted_tables
ROWS = {"hook_outbox": 2_000, "sessions": 300, "system_settings": 400}
TOTAL = sum(ROWS.values())

WAYS = [signal.SIGKILL, signal.SIGQUIT]
"""How it dies: as by `kill -9`, and as by `pg_ctl stop -m immediate`."""

LOST = "The instance lock was lost: the server ended its connection. Run the command again"


class Stores(NamedTuple):
    """One store on the server that dies, one in a file."""

    server: PostgresServer
    there: Config
    here: Config


@pytest.fixture
def stores(
    provisioner: PostgresProvisioner, configure: Configure, tmp_path: Path
) -> Iterator[Stores]:
    """Two stores without tables; what the server has acknowledged, it keeps."""
    with provisioner.start_server(settings={"synchronous_commit": "on"}) as server:
        where = {"host": server.host, "port": server.port, "user": "postgres", "dbname": "postgres"}
        there = configure({"engine": "postgresql", **where})
        yield Stores(server, there, configure({"path": str(tmp_path / "here.db")}))


async def fill_with_rows(config: Config) -> None:
    """Make the tables, and put rows into some of them."""
    db = Db(config)
    await db.migrator.upgrade()
    await db.close()
    tables = (table for table in TABLES if table.name in ROWS)
    await fill(config, {table: plain_rows(table, ROWS[table.name]) for table in tables})


async def refusal(server: PostgresServer, number: signal.Signals, step: str, *words: Any) -> str:
    """Let a command lose its server in the middle, and give the sentence it says of that."""
    script = Path(halting_command.__file__)
    async with python_process(script, step, 700, "db", *words) as process:
        assert await process.said() == "ready"
        await asyncio.to_thread(server.kill, number)
        code, complaint = await process.fail()
    await asyncio.to_thread(server.start)
    assert (complaint.count("\n"), complaint[:7]) == (1, "error: ")
    # Both are noticed at once, and either of them may be the first to be told.
    is_lock = LOST in complaint
    assert is_lock or f"{server.host}:{server.port}/postgres" in complaint
    assert code == (InstanceLockLostError if is_lock else StoreError).exit_code
    return complaint


def command(*words: Any) -> str:
    """Run a command that succeeds."""
    done = subprocess.run(
        [COMMAND, "db", *words], capture_output=True, check=False, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


async def finish(stores: Stores, target: Config, words: Sequence[Any]) -> None:
    """Run the command again: what is missing is copied, and then nothing is."""
    with pytest.raises(MigrationError, match="was not finished"):
        await Db(target).open()
    said = await asyncio.to_thread(command, *words)
    assert "An interrupted copy is continued." in said
    assert f" of {TOTAL:,}, the rest before," in said
    assert await read_all(stores.here) == await read_all(stores.there)
    assert "Nothing to do" in await asyncio.to_thread(command, *words)


@pytest.mark.parametrize("number", WAYS)
@pytest.mark.parametrize("step", ["copy", "verify"])
async def test_a_target_that_dies(stores: Stores, number: signal.Signals, step: str) -> None:
    """One sentence says so, and the same command finishes the copy when the server is back."""
    await fill_with_rows(stores.here)
    words = ("copy", "--config", stores.here.path, "--to", stores.there.path)
    await refusal(stores.server, number, step, *words)
    await finish(stores, stores.there, words)


@pytest.mark.parametrize("number", WAYS)
@pytest.mark.parametrize("online", [(), ("--online",)])
async def test_a_source_that_dies(
    stores: Stores, number: signal.Signals, online: Sequence[str]
) -> None:
    """So it is where the server is copied from, with its lock or without."""
    await fill_with_rows(stores.there)
    words = ("copy", "--config", stores.there.path, "--to", stores.here.path, *online)
    complaint = await refusal(stores.server, number, "copy", *words)
    assert not (online and LOST in complaint)
    await finish(stores, stores.here, words)


@pytest.mark.parametrize("number", WAYS)
@pytest.mark.parametrize("step", ["copy", "verify"])
async def test_a_server_that_dies_in_a_restore(
    stores: Stores, tmp_path: Path, number: signal.Signals, step: str
) -> None:
    """The same command finishes the restore."""
    await fill_with_rows(stores.here)
    await archived(stores.here, tmp_path / "archive")
    words = ("restore", tmp_path / "archive", "--config", stores.there.path)
    await refusal(stores.server, number, step, *words)
    await finish(stores, stores.there, words)
    assert await archived(stores.there, tmp_path / "again") == (tmp_path / "archive").read_bytes()


@pytest.mark.parametrize("number", WAYS)
async def test_a_server_that_dies_in_a_backup(
    stores: Stores, tmp_path: Path, number: signal.Signals
) -> None:
    """There is no archive, nor a part of one; the next backup is complete."""
    await fill_with_rows(stores.there)
    file = tmp_path / "archive"
    words = ("backup", "--portable", file, "--config", stores.there.path)
    assert stores.there.database.location in await refusal(stores.server, number, "back up", *words)
    assert list(tmp_path.glob("archive*")) == []
    await asyncio.to_thread(command, *words)
    await asyncio.to_thread(command, "restore", file, "--config", stores.here.path)
    assert await read_all(stores.here) == await read_all(stores.there)


@pytest.mark.parametrize("number", WAYS)
async def test_a_server_that_dies_while_rows_arrive(stores: Stores, number: signal.Signals) -> None:
    """Whatever was on its way at that moment, nothing is lost and nothing is there twice."""
    await fill_with_rows(stores.here)
    words = ("copy", "--config", stores.here.path, "--to", stores.there.path)
    script = Path(halting_command.__file__)
    async with python_process(script, "copy", 700, "db", *words) as process:
        assert await process.said() == "ready"
        await process.go_on()
        await asyncio.to_thread(stores.server.kill, number)
        _, complaint = await process.fail()
    assert "Traceback" not in complaint
    await asyncio.to_thread(stores.server.start)
    await asyncio.to_thread(command, *words)
    assert await read_all(stores.here) == await read_all(stores.there)


async def test_a_server_that_dies_while_it_takes_no_more(stores: Stores) -> None:
    """Who waits until more can be sent hears that the connection is lost."""
    await Db(stores.there).migrator.upgrade()
    table = metadata.tables["system_settings"]
    engine = stores.there.backend.create_engine(stores.there.database)

    keys, _, *others = zip(*plain_rows(table, 1000), strict=True)
    rows = Batch([keys, ["x" * 100_000] * 1000, *others])
    async with engine.connect() as connection:
        pid = int(await connection.scalar(text("SELECT pg_backend_pid()")) or 0)
        os.kill(pid, signal.SIGSTOP)  # from here on nobody reads what is sent
        loading = asyncio.ensure_future(copy_rows(connection, table, rows))
        done, _ = await asyncio.wait([loading], timeout=0.5)
        assert not done
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(DBAPIError, match="connection was closed in the middle"):
            await asyncio.wait_for(loading, 20)
        await connection.invalidate()
    await engine.dispose()
