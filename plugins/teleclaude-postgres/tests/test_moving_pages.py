"""The commands of `docs/moving.md` and `docs/backups.md`, run as they are written there.

Each reader has an empty home directory and the installed command, and does what the page says.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from daemon_process import COMMAND, daemon

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[3]
OLD = ROOT / "tests" / "data" / "legacy" / "017_add_session_visibility.db"


def blocks(page: str, language: str = "sh") -> Sequence[str]:
    """Give the code blocks of a page; some are indented, as part of a list."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)


pytestmark = pytest.mark.timeout(300)  # each starts the command a dozen times

ADOPT, TRY, COPY = blocks("moving.md")
BACK_UP, RESTORE = blocks("backups.md")
(SERVER,) = blocks("moving.md", "yaml")


class Reader:
    """Somebody who has an empty home directory and follows a page."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.database = home / ".teleclaude" / "teleclaude.db"
        self.database.parent.mkdir()

    def does(self, block: str, code: int = 0) -> str:
        """Run a block of commands, and give what they say."""
        done = subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=self.home,
            env={"PATH": f"{COMMAND.parent}:{os.environ['PATH']}", "HOME": str(self.home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def status(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(self.does("teleclaude status --json"))
        return found

    async def runs_it(self, *blocks: str) -> None:
        """Start the daemon, do something while it runs, and stop it."""
        async with daemon(None, home=self.home) as process:
            await process.until("ready")
            for block in blocks:
                self.does(block)
            assert (await process.stop()).code == 0

    def writes(self, name: str, section: Mapping[str, object]) -> None:
        """Write a configuration."""
        (self.home / name).write_text(yaml.safe_dump({"database": dict(section)}))

    def follows_the_server_page(self, section: Mapping[str, object], password: Path) -> None:
        """Write the configuration of the page, with the server that there is."""
        page = yaml.safe_load(SERVER)["database"]
        password.write_text("secret\n")
        password.chmod(0o600)
        assert {"engine", "host", "password_file"} == set(page)
        self.writes("server.yml", {**page, **section, "password_file": str(password)})


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    home = tmp_path / "reader"
    home.mkdir()
    return Reader(home)


@pytest.fixture
def old(reader: Reader) -> Reader:
    """A reader whose earlier TeleClaude left a database."""
    shutil.copy(OLD, reader.database)
    return reader


async def test_i_have_an_old_teleclaude(old: Reader) -> None:
    """What would be done is shown, and the daemon does it."""
    said = old.does(ADOPT)
    assert said.startswith("Would adopt a database of an earlier TeleClaude")
    assert list(old.database.parent.glob("*.backup-*")) == []
    await old.runs_it()
    assert len(list(old.database.parent.glob("teleclaude.db.backup-*"))) == 1
    assert "nothing to adopt" in old.does("teleclaude db adopt", code=6)
    assert "Nothing to do" in old.does("teleclaude db upgrade")
    assert old.status()["rows"]["sessions"] == 8


@pytest.mark.parametrize("is_configured", [True, False])
async def test_we_are_a_team_now(
    old: Reader, section: Mapping[str, Any], tmp_path: Path, *, is_configured: bool
) -> None:
    """Everything goes to the server, which the daemon uses from then on."""
    if is_configured:
        path = old.home / "teleclaude.yml"
        path.write_text(f"# mine\ndatabase:\n  path: {old.database} # here\n")
    old.does("teleclaude db upgrade")
    before = old.status()
    old.follows_the_server_page(section, tmp_path / "password")
    assert "OK: " in old.does(TRY)
    said = old.does(COPY)
    assert "teleclaude.yml names the target now" in said
    await old.runs_it()
    after = old.status()
    assert (before["engine"], after["engine"]) == ("sqlite", "postgresql")
    assert after["rows"] == before["rows"]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_backups(
    old: Reader, section: Mapping[str, Any], tmp_path: Path, engine: str
) -> None:
    """They are made while the daemon runs, and come back into an empty database."""
    old.does("teleclaude db upgrade")
    native, portable = BACK_UP.splitlines()
    if engine == "postgresql":
        old.follows_the_server_page(section, tmp_path / "password")
        old.does(COPY)
        assert "add --portable" in old.does(native, code=5)
        await old.runs_it(portable)
    else:
        await old.runs_it(BACK_UP)
    rows = old.status()["rows"]
    assert "Nothing to do" in old.does(RESTORE)
    old.does("teleclaude db downgrade base --yes")
    assert old.status()["rows"] == {}
    assert "OK: " in old.does(f"{RESTORE.strip()} --dry-run")
    assert "Restored " in old.does(RESTORE)
    assert old.status()["rows"] == rows
    first = old.does("gunzip -c before-the-holidays.jsonl.gz").splitlines()[0]
    assert json.loads(first)["archive"] == "teleclaude"


async def test_a_sqlite_copy(old: Reader, section: Mapping[str, Any], tmp_path: Path) -> None:
    """It takes the place of the database, or is copied into another one."""
    old.does("teleclaude db upgrade")
    rows = old.status()["rows"]
    await old.runs_it(BACK_UP)
    for file in old.database.parent.glob("teleclaude.db*"):
        file.unlink()
    shutil.copy(old.home / "before-the-holidays.db", old.database)
    await old.runs_it()
    assert old.status()["rows"] == rows
    old.follows_the_server_page(section, tmp_path / "password")
    old.writes("copy.yml", {"path": "before-the-holidays.db"})
    (old.home / "server.yml").rename(old.home / "teleclaude.yml")
    assert "Copied " in old.does("teleclaude db copy --from copy.yml")
    assert old.status()["rows"] == rows
