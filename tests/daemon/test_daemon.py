"""The daemon as a process, on every installed backend."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest
import yaml

from daemon_process import daemon
from teleclaude.store import Db

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning import Provisioner, Section
    from teleclaude.config import Config

PROMPTLY = 2.0
"""Seconds within which a daemon must have stopped."""


def _file(config: Config) -> Path:
    assert config.path is not None
    return config.path


def _with_daemon_section(file: Path, **settings: object) -> Path:
    document = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**document, "daemon": settings}))
    return file


def _one_sentence(complaint: str) -> str:
    assert complaint.startswith("error: ")
    assert complaint.count("\n") == 1
    return complaint


async def test_makes_the_schema_and_says_what_it_does(config: Config, tmp_path: Path) -> None:
    """On an empty database it creates the schema, and each step is one line."""
    async with daemon(_file(config), home=tmp_path) as process:
        await process.until("ready")
        await process.stop()
    words = ("configuration", "backend", "lock", "schema created", "ready", "stopping", "stopped")
    assert len(process.log) == len(words)
    assert all(word in line for word, line in zip(words, process.log, strict=True))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_end_it_cleanly(
    migrated_config: Config, tmp_path: Path, number: signal.Signals
) -> None:
    """SIGTERM and SIGINT end it promptly, with exit code 0 and nothing to complain about."""
    async with daemon(_file(migrated_config), home=tmp_path) as process:
        await process.until("ready")
        end = await process.stop(number)
    assert end.code == 0
    assert end.seconds < PROMPTLY
    assert end.complaint == ""


async def test_log_as_json_lines(migrated_config: Config, tmp_path: Path) -> None:
    """With `--log-format json` every line is an object with time, level and event."""
    async with daemon(_file(migrated_config), "--log-format", "json", home=tmp_path) as process:
        await process.until('"ready"')
        await process.stop()
    events = process.events()
    assert [event["event"] for event in events][-3:] == ["ready", "stopping", "stopped"]
    assert all({"timestamp", "level", "event"} <= event.keys() for event in events)
    ready = events[-3]
    assert ready["pid"] == process.pid
    assert ready["database"] == migrated_config.database.location


async def test_second_daemon_is_refused(migrated_config: Config, tmp_path: Path) -> None:
    """A second one says who is running, and since when, and exits with a code of its own."""
    async with daemon(_file(migrated_config), home=tmp_path) as first:
        await first.until("ready")
        async with daemon(_file(migrated_config), home=tmp_path) as second:
            end = await second.end()
        assert end.code == 7
        complaint = _one_sentence(end.complaint)
        assert f"process {first.pid} on {socket.gethostname()} since 20" in complaint
        assert (await first.stop()).code == 0


async def test_killed_daemon_leaves_nothing_in_the_way(
    migrated_config: Config, tmp_path: Path
) -> None:
    """After `kill -9` the next one starts at once."""
    async with daemon(_file(migrated_config), home=tmp_path) as first:
        await first.until("ready")
        os.kill(first.pid, signal.SIGKILL)
        await first.end()
    async with daemon(_file(migrated_config), home=tmp_path) as second:
        await second.until("ready")


async def test_schema_too_new(
    migrated_config: Config, database_settings: Section, provisioner: Provisioner, tmp_path: Path
) -> None:
    """It does not touch a database of a newer TeleClaude."""
    provisioner.execute(
        "UPDATE alembic_version SET version_num = '9999'", section=database_settings
    )
    async with daemon(_file(migrated_config), home=tmp_path) as process:
        end = await process.end()
    assert end.code == 6
    assert "revision 9999" in _one_sentence(end.complaint)
    assert "pip install --upgrade teleclaude" in end.complaint


async def test_maintenance_on_a_timer(migrated_config: Config, tmp_path: Path) -> None:
    """Housekeeping runs again and again, and stopping does not wait for its next turn."""
    file = _with_daemon_section(_file(migrated_config), maintenance_interval=0.1)
    async with daemon(file, home=tmp_path) as process:
        await process.until("maintenance done")
        await process.until("maintenance done")
        assert (await process.stop()).seconds < PROMPTLY


async def test_store_is_usable_beside_the_daemon(migrated_config: Config, tmp_path: Path) -> None:
    """Other processes read and write while the daemon runs."""
    async with daemon(_file(migrated_config), home=tmp_path) as process:
        await process.until("ready")
        async with Db(migrated_config) as db:
            await db.settings.set("greeting", "hello")
            assert await db.settings.get("greeting") == "hello"
        assert (await process.stop()).code == 0
