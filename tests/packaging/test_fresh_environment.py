"""What somebody gets who installs the core into an empty environment: a daemon that runs."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 30

pytestmark = pytest.mark.timeout(300)  # the first test waits for downloads


@pytest.fixture(scope="session")
def executables(distributions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the core's wheel and what that asks for."""
    directory = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    # Whatever an index may have under our names, the wheels are what is installed.
    ours = [
        f"{name} @ {wheel.as_uri()}"
        for name in ("teleclaude", "teleclaude-sqlite")
        for wheel in distributions.glob(f"{name.replace('-', '_')}-[0-9]*.whl")
    ]
    constraints = directory / "constraints.txt"
    constraints.write_text("\n".join(ours))
    pip = [directory / "bin" / "pip", "install", "--quiet", "--constraint", constraints]
    subprocess.run([*pip, ours[0]], check=True)
    return directory / "bin"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home directory."""
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """As little as a process can have."""
    return {"HOME": str(home), "PATH": os.defpath}


@pytest.fixture
def daemon(
    executables: Path, environment: dict[str, str], tmp_path: Path
) -> Iterator[subprocess.Popen[str]]:
    """A daemon without configuration that has said it is ready."""
    process = subprocess.Popen(
        [executables / "teleclaude", "run", "--log-format", "json"],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(daemon: subprocess.Popen[str], event: str) -> dict[str, Any]:
    """Read the daemon's log up to an event; pytest's own timeout bounds the wait."""
    assert daemon.stdout is not None
    lines = []
    for line in daemon.stdout:
        lines.append(line)
        if line.startswith("{") and (entry := json.loads(line))["event"] == event:
            return dict(entry)
    pytest.fail("the daemon ended: " + "".join(lines))


def test_the_command_says_its_version(
    executables: Path, environment: dict[str, str], distributions: Path
) -> None:
    """`teleclaude --version` gives the version of the wheel."""
    command = [executables / "teleclaude", "--version"]
    output = subprocess.check_output(command, env=environment, text=True)
    (wheel,) = distributions.glob("teleclaude-[0-9]*.whl")
    assert output == f"teleclaude {wheel.name.split('-')[1]}\n"


def test_the_daemon_starts_in_an_empty_home(daemon: subprocess.Popen[str], home: Path) -> None:
    """Without any configuration it makes a database that nobody else can read, and says so."""
    ready = wait_for(daemon, "ready")
    database = home / ".teleclaude" / "teleclaude.db"
    assert ready["database"] == str(database)
    assert database.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_daemon_cleanly(
    daemon: subprocess.Popen[str], signal_number: signal.Signals
) -> None:
    """It stops within two seconds and reports success."""
    wait_for(daemon, "ready")
    daemon.send_signal(signal_number)
    assert daemon.wait(timeout=2) == 0


def test_a_hook_stores_its_event(
    daemon: subprocess.Popen[str], executables: Path, environment: dict[str, str], home: Path
) -> None:
    """`teleclaude-hook` is installed, and stores what an agent writes to it."""
    wait_for(daemon, "ready")
    event = '{"session_id": "s", "hook_event_name": "Stop"}'
    subprocess.run(
        [executables / "teleclaude-hook"], input=event, env=environment, text=True, check=True
    )
    with closing(sqlite3.connect(home / ".teleclaude" / "teleclaude.db")) as connection:
        rows = connection.execute("SELECT session_id, event_type FROM hook_outbox").fetchall()
    assert rows == [("s", "Stop")]


def test_the_status_says_whether_a_daemon_runs(
    daemon: subprocess.Popen[str], executables: Path, environment: dict[str, str]
) -> None:
    """`teleclaude status` names the daemon's process while it runs, and nobody afterwards."""

    def holder() -> Any:
        command = [executables / "teleclaude", "status", "--json"]
        return json.loads(subprocess.check_output(command, env=environment))["daemon"]

    wait_for(daemon, "ready")
    assert holder()["pid"] == daemon.pid
    daemon.terminate()
    daemon.wait(SECONDS)
    assert holder() is None
