"""The instance lock, with real second processes, killed sessions and a server that goes silent."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from teleclaude.errors import InstanceLockedError
from teleclaude_postgres.advisory import advisory_key
from teleclaude_postgres.connecting import connect
from teleclaude_postgres.lock import _application_name
from teleclaude_postgres.settings import PostgresSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from postgres_provisioning import PostgresProvisioner
    from teleclaude.backends import Backend, InstanceLock
    from teleclaude_postgres.connecting import DriverConnection

HOLD = """
import asyncio, json, sys
from teleclaude.backends import load_backend

async def main():
    backend = load_backend("postgresql")
    settings = backend.settings_class.model_validate(json.loads(sys.argv[1]))
    async with backend.instance_lock(settings, "daemon"):
        print("held", flush=True)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""

LOCK_PID = "SELECT pid FROM pg_stat_activity WHERE application_name ~ 'teleclaude daemon'"


@asynccontextmanager
async def another_process(section: dict[str, Any]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that has the lock until a line is written to it."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, json.dumps(section), stdin=pipe, stdout=pipe
    )
    assert process.stdout
    try:
        assert await asyncio.wait_for(process.stdout.readline(), 20) == b"held\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def driver_connection(settings: PostgresSettings) -> DriverConnection:
    return await connect(settings, settings.endpoints, server_settings={})


async def acquire(backend: Backend, settings: PostgresSettings) -> None:
    async with backend.instance_lock(settings, "daemon"):
        pass


async def acquired_within(backend: Backend, settings: PostgresSettings, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await acquire(backend, settings)
            except InstanceLockedError:
                await asyncio.sleep(0.01)


async def lost(lock: InstanceLock) -> tuple[str, float]:
    """Give the reason of the loss and the seconds until it was noticed."""
    start = time.monotonic()
    async with asyncio.timeout(5):
        return await lock.wait_lost(), time.monotonic() - start


async def test_refused_while_another_process_has_it(
    backend: Backend, section: dict[str, Any], settings: PostgresSettings
) -> None:
    """Who comes second is told which process has the lock, on which host and since when."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    async with another_process(section) as process:
        with pytest.raises(InstanceLockedError) as refusal:
            await acquire(backend, settings)
        holder = await backend.lock_holder(settings, "daemon")
    assert holder is not None
    assert (holder.pid, holder.host) == (process.pid, socket.gethostname())
    assert holder.since is not None
    assert before < holder.since <= datetime.now(UTC)
    assert str(holder) in str(refusal.value)
    assert settings.location in str(refusal.value)
    assert re.search(r"process \d+ on .+ since \d{4}-", str(refusal.value))


async def test_free_when_the_process_is_killed(
    backend: Backend, section: dict[str, Any], settings: PostgresSettings
) -> None:
    """After `kill -9` the lock is free without anybody's help."""
    async with another_process(section) as process:
        process.kill()
        await acquired_within(backend, settings, 2)


async def test_free_when_the_process_ends(
    backend: Backend, section: dict[str, Any], settings: PostgresSettings
) -> None:
    """When a process has ended in good order, the lock is free at the first attempt."""
    async with another_process(section) as process:
        await process.communicate(b"\n")
        assert process.returncode == 0
        await acquire(backend, settings)


async def test_released_at_once(backend: Backend, settings: PostgresSettings) -> None:
    """The end of the context is the end of the lock: a session that looks finds it gone."""
    observer = await driver_connection(settings)
    for _ in range(20):
        await acquire(backend, settings)
        statement = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        assert await observer.fetchval(statement) == 0
    await observer.close()


async def test_lost_while_the_process_is_busy(
    backend: Backend,
    settings: PostgresSettings,
    provisioner: PostgresProvisioner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A heartbeat on a connection whose end was read, but not yet seen through, is a loss too."""
    monkeypatch.setattr("teleclaude_postgres.lock._HEARTBEAT", 0.05)
    async with backend.instance_lock(settings, "daemon") as lock:
        await asyncio.sleep(0)  # the watch begins
        provisioner.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM ({LOCK_PID}) AS it")
        time.sleep(0.1)  # noqa: ASYNC251 - the event loop finds message and heartbeat together
        assert (await lost(lock))[0]


async def test_names_and_databases_are_separate(
    backend: Backend, settings: PostgresSettings, provisioner: PostgresProvisioner
) -> None:
    """A lock of another name, or in another database of the server, is another lock."""
    section = provisioner.section()
    del section["engine"]
    elsewhere = PostgresSettings.model_validate(section)
    async with (
        backend.instance_lock(settings, "daemon"),
        backend.instance_lock(settings, "other"),
        backend.instance_lock(elsewhere, "daemon"),
    ):
        assert await backend.lock_holder(settings, "daemon") is not None
        assert await backend.lock_holder(elsewhere, "other") is None
    provisioner.drop(section)


async def test_holder_is_this_process(backend: Backend, settings: PostgresSettings) -> None:
    """The lock knows its holder, and the server describes it in the same way."""
    async with backend.instance_lock(settings, "daemon") as lock:
        assert lock.holder[:2] == (os.getpid(), socket.gethostname())
        assert await backend.lock_holder(settings, "daemon") == lock.holder


async def test_asking_takes_nothing(backend: Backend, settings: PostgresSettings) -> None:
    """Looking who has the lock does not keep anybody from taking it."""
    await asyncio.gather(
        *(backend.lock_holder(settings, "daemon") for _ in range(5)), acquire(backend, settings)
    )


async def test_a_foreign_holder(backend: Backend, settings: PostgresSettings) -> None:
    """A session that took the lock without saying who it is, is unknown but for its start."""
    connection = await driver_connection(settings)
    await connection.execute("SELECT pg_advisory_lock($1, $2)", *advisory_key("daemon"))
    with pytest.raises(InstanceLockedError, match="an unknown process since"):
        await acquire(backend, settings)
    await connection.close()


async def test_loss_when_the_server_ends_the_session(
    backend: Backend, settings: PostgresSettings, provisioner: PostgresProvisioner
) -> None:
    """`pg_terminate_backend` is noticed within two seconds, and the lock is free for others."""
    async with backend.instance_lock(settings, "daemon") as lock:
        await asyncio.sleep(0)  # the watch begins
        provisioner.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM ({LOCK_PID}) AS l")
        reason, seconds = await lost(lock)
        assert "server ended its connection" in reason
        assert seconds < 2
        await acquire(backend, settings)


async def test_loss_when_the_server_stops(
    backend: Backend, provisioner: PostgresProvisioner
) -> None:
    """A server that shuts down is noticed within two seconds, and leaving the context is quick."""
    with provisioner.start_server() as server:
        settings = PostgresSettings(host=server.host, dbname="postgres", user="postgres")
        async with backend.instance_lock(settings, "daemon") as lock:
            await asyncio.to_thread(server.stop)
            _, seconds = await lost(lock)
            assert seconds < 2
            start = time.monotonic()
        assert time.monotonic() - start < 0.5


async def test_loss_when_nobody_answers(backend: Backend, provisioner: PostgresProvisioner) -> None:
    """A session that goes silent without a word, as behind a dead network, is noticed too."""
    with provisioner.start_server() as server:
        settings = PostgresSettings(host=server.host, dbname="postgres", user="postgres")
        async with backend.instance_lock(settings, "daemon") as lock:
            pid = await server_session(settings)
            os.kill(pid, signal.SIGSTOP)
            try:
                reason, seconds = await lost(lock)
                start = time.monotonic()
            finally:
                os.kill(pid, signal.SIGCONT)
        assert "did not answer" in reason
        assert seconds < 2
        assert time.monotonic() - start < 0.5


async def server_session(settings: PostgresSettings) -> int:
    connection = await driver_connection(settings)
    pid = int(await connection.fetchval(LOCK_PID))
    await connection.close()
    return pid


async def test_not_lost_while_all_is_well(backend: Backend, settings: PostgresSettings) -> None:
    """Several heartbeats after it was taken, the lock is still there."""
    async with backend.instance_lock(settings, "daemon") as lock:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(lock.wait_lost(), 1.2)
        assert await backend.lock_holder(settings, "daemon") == lock.holder


async def test_released_when_the_context_fails(
    backend: Backend, settings: PostgresSettings
) -> None:
    """An exception passes through the context unchanged, and the lock is released."""
    with pytest.raises(ZeroDivisionError):
        async with backend.instance_lock(settings, "daemon"):
            raise ZeroDivisionError
    await acquire(backend, settings)


async def test_released_when_the_release_is_cancelled(
    backend: Backend, settings: PostgresSettings
) -> None:
    """Cancelled while it gives the lock back, it still ends the connection that has it."""

    async def hold() -> None:
        async with backend.instance_lock(settings, "daemon"):
            held.set()
            await asyncio.sleep(60)

    for waits in range(8):
        held = asyncio.Event()
        holding = asyncio.ensure_future(hold())
        await held.wait()
        holding.cancel()
        for _ in range(waits):
            await asyncio.sleep(0)
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
        await acquired_within(backend, settings, 5)


@pytest.mark.parametrize("host", ["h" * 64, "r\N{LATIN SMALL LETTER U WITH DIAERESIS}benhost"])
def test_application_name_fits(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """The name fits into what a server keeps, whatever the host is called."""
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    name = _application_name("daemon")
    assert len(name.encode()) <= 63
    assert name.isascii()
    assert name.startswith(f"teleclaude daemon {os.getpid()}@")
