"""The file of a backup: what is in it while others write, and what is left when that fails."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import resource
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archives import archived, lines_of, restored
from copies import Told
from daemon_process import daemon
from stores import fill
from teleclaude.errors import (
    BackupError,
    InstanceLockedError,
    SchemaOutdatedError,
    StoreUnavailableError,
    TeleclaudeError,
)
from teleclaude.store.archive import back_up_natively
from teleclaude.store.archive.destination import new_file
from teleclaude.store.models import metadata
from teleclaude.testing.changed_backends import without
from teleclaude.testing.rows import hostile_rows, plain_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning import Provisioner, Section
    from teleclaude.config import Config

TABLES = metadata.sorted_tables


class Writing(Told):
    """Progress that writes to the source while it is backed up."""

    def __init__(self, provisioner: Provisioner, section: Section) -> None:
        super().__init__()
        self._provisioner = provisioner
        self._section = section

    def begin(self, step: str, table: str, total: int) -> None:
        super().begin(step, table, total)
        if table == "hook_outbox":
            for name in ("session_listeners", "hook_outbox"):
                self._provisioner.execute(f"DELETE FROM {name}", section=self._section)


async def test_a_store_that_is_written_to(
    provisioner: Provisioner, database_settings: Section, migrated_config: Config, tmp_path: Path
) -> None:
    """An archive holds the state of its beginning, in every table."""
    await fill(migrated_config, {table: plain_rows(table, 3) for table in TABLES})
    before = await archived(migrated_config, tmp_path / "before")
    writing = Writing(provisioner, database_settings)
    assert await archived(migrated_config, tmp_path / "while", writing) == before
    after = await archived(migrated_config, tmp_path / "after")
    assert len(lines_of(after)) == len(lines_of(before)) - 6


async def test_a_daemon(migrated_config: Config, tmp_path: Path) -> None:
    """One that uses the store is no obstacle to a backup, but it is to a restore."""
    async with daemon(migrated_config.path, home=tmp_path) as process:
        await process.until("ready")
        await archived(migrated_config, tmp_path / "archive")
        with pytest.raises(InstanceLockedError, match=f"process {process.pid}"):
            await restored(tmp_path / "archive", migrated_config)


async def test_a_value_that_no_store_takes(
    provisioner: Provisioner, database_settings: Section, migrated_config: Config, tmp_path: Path
) -> None:
    """It is refused, with its row, rather than written into an archive nobody can restore."""
    await fill(migrated_config, {TABLES[0]: plain_rows(TABLES[0], 2)})
    long = f"UPDATE {TABLES[0].name} SET agent = '{'k' * 1_001}' WHERE agent = 'agent 1'"
    provisioner.execute(long, section=database_settings)
    with pytest.raises(BackupError, match=r"1001 bytes.*in the row of agent_availability"):
        await archived(migrated_config, tmp_path / "archive")
    assert list(tmp_path.glob("archive*")) == []


async def test_a_store_that_is_not_ready(config: Config, tmp_path: Path) -> None:
    """A database without the schema is not backed up, nor is one that is not there."""
    with pytest.raises((SchemaOutdatedError, StoreUnavailableError)):
        await archived(config, tmp_path / "archive")
    assert list(tmp_path.glob("archive*")) == []


async def test_an_engine_without_copies_of_its_own(migrated_config: Config, tmp_path: Path) -> None:
    """It is said what to do instead."""
    backend = without(migrated_config.backend, "teleclaude_backup")
    config = dataclasses.replace(migrated_config, backend=backend)
    with pytest.raises(BackupError, match=r"makes no copies of its own\. .* add --portable"):
        await back_up_natively(config, tmp_path / "copy")


# --- files that cannot be written ---------------------------------------------------------------


async def refusal(config: Config, file: Path, progress: Told | None = None) -> str:
    """Fail to write an archive, leaving nothing."""
    with pytest.raises(BackupError) as failure:
        await archived(config, file, progress)
    assert not file.with_name(f"{file.name}.partial").exists()
    assert "\n" not in str(failure.value)
    return str(failure.value)


async def test_nobody_else_can_read_an_archive(migrated_config: Config, tmp_path: Path) -> None:
    """It is the owner's alone, whatever the umask, and nothing is left beside it."""
    before = os.umask(0)
    try:
        await archived(migrated_config, tmp_path / "archive")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "archive").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.glob("archive*")] == ["archive"]


def test_what_a_killed_backup_left(tmp_path: Path) -> None:
    """Neither its content nor its permissions get into the next one."""
    partial = tmp_path / "archive.partial"
    partial.write_text("left over")
    partial.chmod(0o644)
    with new_file(tmp_path / "archive") as file:
        file.write(b"new")
    assert (tmp_path / "archive").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "archive").stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["file", "link"])
async def test_a_file_that_exists(migrated_config: Config, tmp_path: Path, kind: str) -> None:
    """It is refused and stays as it is, even a link that leads nowhere."""
    file = tmp_path / "archive"
    if kind == "file":
        file.write_text("mine")
    else:
        file.symlink_to(tmp_path / "nowhere")
    assert "exists already" in await refusal(migrated_config, file)
    with pytest.raises(TeleclaudeError):
        await back_up_natively(migrated_config, file)
    assert file.read_text() == "mine" if kind == "file" else file.is_symlink()


async def test_a_file_that_appears_meanwhile(migrated_config: Config, tmp_path: Path) -> None:
    """It is not overwritten."""

    class Appearing(Told):
        def begin(self, step: str, table: str, total: int) -> None:
            super().begin(step, table, total)
            (tmp_path / "archive").write_text("mine")

    message = await refusal(migrated_config, tmp_path / "archive", Appearing())
    assert "exists already" in message
    assert (tmp_path / "archive").read_text() == "mine"


async def test_a_directory_that_is_not_there(migrated_config: Config, tmp_path: Path) -> None:
    """It is named."""
    message = await refusal(migrated_config, tmp_path / "missing" / "archive")
    assert f"There is no directory {tmp_path / 'missing'}" in message


async def test_two_backups_into_one_file(migrated_config: Config, tmp_path: Path) -> None:
    """The second is refused and does not disturb the first."""
    with (tmp_path / "archive.partial").open("wb") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        with pytest.raises(BackupError, match="Another backup is being written"):
            await archived(migrated_config, tmp_path / "archive")
    assert (tmp_path / "archive.partial").exists()


class Filling(Told):
    """Progress during which a disk becomes full: no file may grow any more."""

    def begin(self, step: str, table: str, total: int) -> None:
        super().begin(step, table, total)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, resource.RLIM_INFINITY))


async def test_a_disk_that_becomes_full(migrated_config: Config, tmp_path: Path) -> None:
    """It is said in one sentence, and nothing is left."""
    await fill(migrated_config, {table: hostile_rows(table) for table in TABLES})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        message = await refusal(migrated_config, tmp_path / "archive", Filling())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert f"There is no space in {tmp_path}" in message


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be nobody for a moment, if we are root."""
    user = os.geteuid()
    os.seteuid(65534 if user == 0 else user)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_directory_that_cannot_be_written_to() -> None:
    """It is said in one sentence."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o555)
        file = Path(name) / "archive"
        with unprivileged(), pytest.raises(BackupError, match="refuses access"), new_file(file):
            pass
        Path(name).chmod(0o755)
