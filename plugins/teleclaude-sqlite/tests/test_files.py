"""Files: who can read them, where links lead, and the lock beside the database."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from teleclaude.errors import InstanceLockedError, StoreUnavailableError
from teleclaude.store import Db
from teleclaude.testing.processes import store_process
from teleclaude_sqlite.lock import lock_path
from teleclaude_sqlite.settings import SqliteSettings

from .conftest import configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from teleclaude.backends import Backend
    from teleclaude.config import Config


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A careless umask, under which everything is open to everybody."""
    old = os.umask(0)
    yield
    os.umask(old)


@pytest.mark.usefixtures("open_umask")
async def test_only_the_owner_reads(tmp_path: Path) -> None:
    """Database, write-ahead log, lock and backup are 0600, new directories 0700."""
    path = tmp_path / "new" / "deep" / "teleclaude.db"
    path.parent.parent.mkdir(mode=0o755)
    config = configuration(path, tmp_path)
    db = Db(config)
    await db.migrator.upgrade()
    async with db, config.backend.instance_lock(config.database, "daemon"):
        await db.settings.set("key", "value")
        await config.backend.backup(db._engine, config.database)
        files = sorted(path.parent.iterdir())
        assert len(files) == 5
        assert {file.name: oct(mode(file)) for file in files} == dict.fromkeys(
            [file.name for file in files], "0o600"
        )
    assert mode(path.parent) == 0o700
    assert mode(path.parent.parent) == 0o755  # it was there before


def test_an_existing_file_is_not_touched(backend: Backend, settings: SqliteSettings) -> None:
    """Preparing the storage twice changes nothing, not even a mode."""
    settings.path.write_bytes(b"content")
    settings.path.chmod(0o640)
    backend.prepare_storage(settings)
    assert settings.path.read_bytes() == b"content"
    assert mode(settings.path) == 0o640


async def test_behind_a_link_is_the_same_database(tmp_path: Path, migrated_file: Path) -> None:
    """A link to the file leads to the same database and the same lock."""
    real = tmp_path / "real" / "data.db"
    real.parent.mkdir()
    real.write_bytes(migrated_file.read_bytes())
    link = tmp_path / "links" / "link.db"
    link.parent.mkdir()
    link.symlink_to(Path("../real/data.db"))
    directory = tmp_path / "directory"
    directory.symlink_to(real.parent)
    places = [real, link, directory / "data.db"]
    locks = {lock_path(SqliteSettings(path=place), "daemon") for place in places}
    assert locks == {real.with_name("data.db.lock")}
    config = configuration(link, tmp_path)
    async with store_process("hold_lock", config.path, "daemon") as other:
        await other.said()
        for place in places:
            settings = SqliteSettings(path=place)
            with pytest.raises(InstanceLockedError, match=f"{other.pid} "):
                async with config.backend.instance_lock(settings, "daemon"):
                    pass
    async with Db(config) as db:
        await db.settings.set("key", "value")
    assert [path.name for path in link.parent.iterdir()] == ["link.db"]


async def test_a_link_to_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    """A link that leads nowhere yet is followed when the database is made."""
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "new" / "data.db")
    db = Db(configuration(link, tmp_path))
    await db.migrator.upgrade()
    async with db:
        await db.settings.set("key", "value")
    assert link.is_symlink()
    assert mode(tmp_path / "new" / "data.db") == 0o600


async def test_a_link_to_itself(tmp_path: Path) -> None:
    """Links that go in circles are an error like a missing file."""
    link = tmp_path / "link.db"
    link.symlink_to(link)
    db = Db(configuration(link, tmp_path))
    with pytest.raises(StoreUnavailableError):
        await db.migrator.upgrade()
    with pytest.raises(StoreUnavailableError):
        await db.open()


OPEN = """
import asyncio, os, sys
from teleclaude import Db, StoreError, load_config

async def use(db):
    async with db:
        await db.settings.set("key", "value")

# Everything that has to be read from the installation is read while that is allowed.
first, second = (Db(load_config(path, environ={})) for path in sys.argv[1:])
second.migrator.history()
asyncio.run(use(first))
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    asyncio.run(use(second))
except StoreError as error:
    print(error)
else:
    print("opened")
"""


@pytest.fixture
def nobodys(migrated_file: Path) -> Iterator[Path]:
    """A directory with a database and a link to it, owned by somebody without privileges."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        directory = Path(name) / "nobodys"
        (directory / "link").mkdir(parents=True)
        (directory / "data.db").write_bytes(migrated_file.read_bytes())
        (directory / "link" / "link.db").symlink_to(directory / "data.db")
        if os.geteuid() == 0:
            for path in (directory, *directory.rglob("*")):
                os.chown(path, 65534, 65534, follow_symlinks=False)
        directory.parent.chmod(0o755)
        yield directory


@pytest.fixture
def opened_by_nobody(tmp_path: Path, file_config: Config, nobodys: Path) -> Callable[[Path], str]:
    """Give a function that opens a database as somebody without privileges."""

    def opened(path: Path) -> str:
        config = nobodys.parent / "teleclaude.yml"
        config.unlink(missing_ok=True)
        configuration(path, nobodys.parent)
        config.chmod(0o644)
        done = subprocess.run(
            [sys.executable, "-c", OPEN, str(file_config.path), str(config)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return opened


def test_permissions(nobodys: Path, opened_by_nobody: Callable[[Path], str]) -> None:
    """A file or directory that may not be written is said to be so, before SQLite guesses."""
    path = nobodys / "data.db"
    assert opened_by_nobody(path) == "opened"
    path.chmod(0o400)
    assert "refuses access: the file and its directory must be" in opened_by_nobody(path)
    path.chmod(0o600)
    nobodys.chmod(0o500)
    assert "refuses access: the file and its directory must be" in opened_by_nobody(path)


def test_what_counts_is_the_directory_of_the_file(
    nobodys: Path, opened_by_nobody: Callable[[Path], str]
) -> None:
    """The directory of a link need not be writable; SQLite writes beside the file itself."""
    link = nobodys / "link" / "link.db"
    link.parent.chmod(0o500)
    assert opened_by_nobody(link) == "opened"


# --- the lock -----------------------------------------------------------------------------------


async def test_the_lock_file_says_who(backend: Backend, settings: SqliteSettings) -> None:
    """The lock file holds the holder, readable for people, and stays when the lock is gone."""
    path = settings.path.with_name("teleclaude.db.lock")
    async with backend.instance_lock(settings, "daemon") as lock:
        record = json.loads(path.read_text())
        assert record["pid"] == os.getpid()
        assert lock.holder.since is not None
        assert record["since"] == lock.holder.since.isoformat()
    assert path.exists()
    assert await backend.lock_holder(settings, "daemon") is None
    assert lock_path(settings, "other").name == "teleclaude.db.other.lock"


async def test_asking_creates_nothing(backend: Backend, tmp_path: Path) -> None:
    """Asking for the holder where there never was a database makes no file and no directory."""
    settings = SqliteSettings(path=tmp_path / "nowhere" / "x.db")
    assert await backend.lock_holder(settings, "daemon") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"pid":1,"host":"h","since":1}'])
async def test_a_lock_file_that_says_nothing(
    backend: Backend, settings: SqliteSettings, content: str
) -> None:
    """Whatever stands in the file, only the kernel's lock counts."""
    path = lock_path(settings, "daemon")
    path.write_text(content)
    assert await backend.lock_holder(settings, "daemon") is None
    async with backend.instance_lock(settings, "daemon"):
        path.write_text(content)
        with pytest.raises(InstanceLockedError, match="an unknown process"):
            async with backend.instance_lock(settings, "daemon"):
                pass


async def test_a_refused_attempt_leaves_the_record_alone(file_config: Config) -> None:
    """Who is refused does not overwrite who has the lock."""
    settings = SqliteSettings.model_validate(file_config.database.model_dump())
    async with store_process("hold_lock", file_config.path, "daemon") as other:
        await other.said()
        before = lock_path(settings, "daemon").read_text()
        with pytest.raises(InstanceLockedError):
            async with file_config.backend.instance_lock(settings, "daemon"):
                pass
        assert lock_path(settings, "daemon").read_text() == before
