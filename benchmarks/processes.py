"""Part `processes`: whole processes from their start, each with a fresh interpreter, in turns."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict

from benchmarks.databases import open_store, write_config
from benchmarks.workbench import HOOKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.databases import Databases
    from benchmarks.floors import Section
    from benchmarks.measuring import Effort

    Process = Callable[[], float]

RUNS: Final = 15
HELP: Final = "teleclaude --help"
START: Final = "teleclaude run"
HOOK: Final = "teleclaude-hook"

_SCRIPTS: Final = Path(sys.executable).parent
_HAS_HOOK: Final = (_SCRIPTS / HOOK).exists()
_PAYLOAD: Final = {"tool_name": "Bash", "tool_input": {"command": "ls -la", "timeout": 120000}}
_EVENT: Final = json.dumps({"session_id": "s", "hook_event_name": "PreToolUse", **_PAYLOAD})

_BARE_HOOKS: Final = {
    "sqlite": """
import sqlite3
connection = sqlite3.connect({path!r}, isolation_level=None)
connection.execute("PRAGMA synchronous = {synchronous}")
now = "2026-01-02T03:04:05.678901+00:00"
connection.execute(
    "INSERT INTO hook_outbox (created_at, next_attempt_at, attempt_count, session_id, event_type,"
    " payload) VALUES (?, ?, ?, ?, ?, ?)", (now, now, 0, "s", "PreToolUse", {payload!r}))
connection.close()
""",
    "postgresql": """
import asyncio, datetime, asyncpg
async def main():
    connection = await asyncpg.connect(
        host={host!r}, port={port!r}, user={user!r}, database={dbname!r}, ssl=False)
    now = datetime.datetime.now(datetime.UTC)
    await connection.execute(
        "INSERT INTO hook_outbox (created_at, next_attempt_at, attempt_count, session_id,"
        " event_type, payload) VALUES ($1, $2, $3, $4, $5, $6)",
        now, now, 0, "s", "PreToolUse", {payload!r})
    await connection.close()
asyncio.run(main())
""",
}
"""What does the same as `teleclaude-hook` with everything written into it."""


class Row(TypedDict):
    """What came out for one program.

    Attributes:
        process: The program.
        seconds: The median of its runs, until its end or until it is ready.
        floor: What it is compared with; empty for nothing.
        floor_seconds: The median of that.
        ratio: One divided by the other; 0 for nothing.
        errors: Runs that failed.
        lost: Rows that should have been stored and were not.
    """

    process: str
    seconds: float
    floor: str
    floor_seconds: float
    ratio: float
    errors: int
    lost: int


class _Floor(NamedTuple):
    name: str
    command: Sequence[str]


async def run(databases: Databases, effort: Effort, say: Callable[[str], None]) -> list[Row]:
    """Measure on one engine.

    Args:
        databases: Makes a database.
        effort: How much is done.
        say: Told what is done next.
    """
    runs = 1 if effort.is_quick else RUNS
    section = await databases.make()
    with TemporaryDirectory() as directory:
        config = write_config(section, Path(directory) / "teleclaude.yml")
        home = {"HOME": directory, "PATH": os.defpath, "TELECLAUDE_CONFIG_PATH": str(config)}
        async with open_store(section):
            say(HELP)
            floor = _Floor("import typer, rich", [sys.executable, "-c", "import typer, rich"])
            rows = [_compare(HELP, [_script("teleclaude"), "--help"], floor, home, runs)]
        say(START)
        rows.append(_row(START, _repeat([lambda: _until_ready(home)], runs)[0], "", []))
        if _HAS_HOOK:
            say(HOOK)
            rows.append(await _hook(section, home, runs))
        return rows


async def _hook(section: Section, home: Mapping[str, str], runs: int) -> Row:
    bare = _BARE_HOOKS[section["engine"]].format(**section, payload=json.dumps(_PAYLOAD))
    async with open_store(section) as db:
        before = await _count(db)
        floor = _Floor("a bare script with the driver", [sys.executable, "-c", bare])
        row = _compare(HOOK, [_script(HOOK)], floor, home, runs)
        row["lost"] = before + 2 * (runs + 1) - await _count(db)
        return row


async def _count(db: Any) -> int:  # noqa: ANN401 - a Db
    from sqlalchemy import func, select  # noqa: PLC0415 - nothing else here needs it

    rows = await db._executor.read(select(func.count()).select_from(HOOKS))  # noqa: SLF001
    return int(rows[0][0])


def _compare(
    name: str, command: Sequence[str], floor: _Floor, home: Mapping[str, str], runs: int
) -> Row:
    processes = [lambda: _until_end(command, home), lambda: _until_end(floor.command, home)]
    its, floors = _repeat(processes, runs)
    return _row(name, its, floor.name, floors)


def _row(name: str, its: Sequence[float], floor: str, floors: Sequence[float]) -> Row:
    seconds, floor_seconds = median(its), median(floors or [0.0])
    return {
        "process": name,
        "seconds": seconds,
        "floor": floor,
        "floor_seconds": floor_seconds,
        "ratio": seconds / floor_seconds if floors else 0.0,
        "errors": 0,
        "lost": 0,
    }


def _repeat(processes: Sequence[Process], runs: int) -> list[list[float]]:
    """Run each in turns, once more than is counted: the first reads the files from the disk."""
    rounds = [[process() for process in processes] for _ in range(runs + 1)]
    return [list(times) for times in zip(*rounds[1:], strict=True)]


def _until_end(command: Sequence[str], home: Mapping[str, str]) -> float:
    start = perf_counter()
    subprocess.run(  # noqa: S603 - our own programs
        command, input=_EVENT.encode(), stdout=subprocess.DEVNULL, env=home, check=True
    )
    return perf_counter() - start


def _until_ready(home: Mapping[str, str]) -> float:
    start = perf_counter()
    command = [_script("teleclaude"), "run", "--log-format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=home, text=True) as daemon:  # noqa: S603
        try:
            for line in daemon.stdout or ():
                if json.loads(line).get("event") == "ready":
                    return perf_counter() - start
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.communicate()
    message = f"teleclaude run ended with {daemon.returncode} before it was ready."
    raise RuntimeError(message)


def _script(name: str) -> str:
    return str(_SCRIPTS / name)
