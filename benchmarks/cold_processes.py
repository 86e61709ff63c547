"""What one hook event costs: a process from its start to its end, against a bare script.

The bare script inserts the same row with the driver and nothing else: no configuration, no checks,
everything written into it. `teleclaude-hook` may take 1.5 times as long.

    python benchmarks/cold_processes.py [RUNS]

Both are run in turns, and their medians compared. PostgreSQL is a throw-away server, reached
through its socket, as in the tests; without `teleclaude-postgres` only SQLite is measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from teleclaude.backends import installed_backends
from teleclaude.config import load_config
from teleclaude.hook.writing import write_manifest
from teleclaude.store import Db

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from provisioning import make_provisioner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RUNS: Final = 15
BUDGET: Final = 1.5
PAYLOAD: Final = {"tool_name": "Bash", "tool_input": {"command": "ls -la", "timeout": 120000}}
EVENT: Final = json.dumps({"session_id": "s", "hook_event_name": "PreToolUse", **PAYLOAD}).encode()
HOOK: Final = str(Path(sys.executable).with_name("teleclaude-hook"))

BARE: Final = {
    "sqlite": """
import sqlite3
connection = sqlite3.connect({path!r}, isolation_level=None)
connection.execute("PRAGMA synchronous = normal")
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


def main() -> None:
    """Measure every installed engine that there is a bare script for."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    for backend in installed_backends():
        if backend.engine in BARE:
            with tempfile.TemporaryDirectory() as directory:
                measure(backend.engine, Path(directory), runs)


def measure(engine: str, directory: Path, runs: int) -> None:
    """Measure one engine, and say what came out.

    Args:
        engine: The engine.
        directory: Where files can be put.
        runs: How often each program is run.
    """
    provisioner = make_provisioner(engine, directory)
    try:
        section = provisioner.section()
        file = directory / "teleclaude.yml"
        file.write_text(yaml.safe_dump({"database": dict(section)}))
        variables = {
            "HOME": str(directory),
            "PATH": os.defpath,
            "TELECLAUDE_CONFIG_PATH": str(file),
        }
        asyncio.run(prepare(file, variables))
        payload = json.dumps(PAYLOAD)
        bare = [sys.executable, "-c", BARE[engine].format(**section, payload=payload)]
        medians = compare([bare, [HOOK]], variables, runs)
        ratio = medians[1] / medians[0]
        print(
            f"{engine}: bare {medians[0]:.1f} ms, teleclaude-hook {medians[1]:.1f} ms, "
            f"{ratio:.2f} times ({'within' if ratio <= BUDGET else 'OVER'} {BUDGET})"
        )
    finally:
        provisioner.close()


async def prepare(file: Path, variables: Mapping[str, str]) -> None:
    """Make the schema and the manifest."""
    db = Db(load_config(file, environ={}))
    await db.migrator.upgrade()
    await db.close()
    await write_manifest(str(file), variables)


def compare(
    commands: Sequence[Sequence[str]], variables: Mapping[str, str], runs: int
) -> list[float]:
    """Give the median of each command in milliseconds, run in turns after a first time."""
    times: list[list[float]] = [[] for _ in commands]
    for _ in range(runs + 1):
        for command, its in zip(commands, times, strict=True):
            began = time.perf_counter()
            subprocess.run(command, input=EVENT, env=variables, check=True)
            its.append((time.perf_counter() - began) * 1000)
    return [statistics.median(its[1:]) for its in times]


if __name__ == "__main__":
    main()
