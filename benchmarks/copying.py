"""`teleclaude db copy` beside pgloader: one SQLite file into the same tables of PostgreSQL.

    python -m benchmarks.copying --rows 800000 --rounds 5 --json copying.json

Both begin with tables that are made and empty, both write values of the same types, and both are
timed as processes from their start. What is compared with pgloader ends where verification would
begin, because pgloader does not verify; what verification adds is reported beside it. They run in
turns, and the ratio is taken round by round: other load on the machine then meets both.

PostgreSQL is a throw-away server as it comes, reached through its socket. What pgloader wrote
is compared with the source once, by TeleClaude: a copy into it must find that nothing is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from benchmarks.databases import open_databases, write_config
from benchmarks.floors import arguments as connection_arguments
from teleclaude import load_config
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.store.transfer import CopyOptions, copy_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from teleclaude.config import Config

ROWS: Final = 800_000
FEW: Final = 10_000
TARGET_RATIO: Final = 1.5
START: Final = datetime(2025, 3, 1, 8, 0, 0, 123_456, tzinfo=UTC)
MEGABYTE: Final = 1024
"""In the unit of `ru_maxrss`, KiB."""

TOOLS: Final = ("Bash", "Read", "Edit", "Grep", "WebFetch")
SENTENCE: Final = "The outbox is claimed by lease, and a lease that runs out is taken by another. "


# --- the store ----------------------------------------------------------------------------------


def hook_event(number: int) -> dict[str, Any]:
    """Give an event of an agent, nearly always delivered."""
    at = START + timedelta(milliseconds=731 * number)
    pending = number % 500 == 0
    command = f"pytest tests/store -k 'case_{number % 997}' --maxfail=1 # \N{CHECK MARK}"
    payload = {
        "session_id": f"{number * 2654435761 % 2**32:08x}-7c1e-4b0a-9f5d-{number:012x}",
        "hook_event_name": "PreToolUse",
        "tool_name": TOOLS[number % len(TOOLS)],
        "tool_input": {"command": command, "timeout": 120000, "background": False},
        "cwd": "/home/somebody/projects/teleclaude",
    }
    return {
        "id": number + 1,
        "created_at": at,
        "next_attempt_at": at + timedelta(seconds=30),
        "attempt_count": 0 if pending else 1,
        "last_error": "the handler did not answer" if number % 100 == 0 else None,
        "delivered_at": None if pending else at + timedelta(seconds=1, microseconds=number % 997),
        "session_id": f"session-{number % 4001:08d}",
        "event_type": "tool_use" if number % 3 else "stop",
        "payload": payload,
    }


def session(number: int) -> dict[str, Any]:
    """Give a session, nearly always closed."""
    at = START + timedelta(minutes=number)
    return {
        "session_id": f"session-{number:08d}",
        "computer_name": "workstation",
        "title": f"Project {number % 40}: {SENTENCE[: number % 60]}",
        "tmux_session_name": f"tc_{number:08x}",
        "last_input_origin": "telegram",
        "adapter_metadata": {"telegram": {"topic_id": number, "output_message_id": f"{number}"}},
        "created_at": at,
        "last_activity": at + timedelta(hours=1, microseconds=number % 999),
        "closed_at": at + timedelta(hours=2) if number % 50 else None,
        "terminal_size": "160x40",
        "project_path": f"/home/somebody/projects/{number % 40}",
        "initiated_by_ai": number % 2 == 0,
        "notification_sent": number % 3 == 0,
        "native_session_id": f"{number * 40503 % 2**32:08x}-7c1e-4b0a-9f5d-{number:012x}",
        "native_log_file": f"/home/somebody/.agent/{number}.jsonl",
        "active_agent": "claude",
        "tui_capture_started": False,
        "last_message_sent": SENTENCE,
        "last_message_sent_at": at,
        "last_output_raw": SENTENCE * 3,
        "last_output_at": at,
        "lifecycle_status": "closed" if number % 50 else "active",
        "transcript_files": [f"/home/somebody/.agent/{number}.jsonl"],
        "char_offset": number,
        "visibility": "private",
    }


def observation(number: int) -> dict[str, Any]:
    """Give something that is remembered."""
    return {
        "id": number + 1,
        "memory_session_id": f"manual-{number % 40}",
        "project": f"project-{number % 40}",
        "type": "discovery",
        "title": f"Case {number % 997} depends on the order",
        "facts": [SENTENCE[:40], f"It fails in {number % 7} of 10 runs"],
        "narrative": SENTENCE * 2,
        "concepts": ["order", "lease"],
        "files_read": [f"tests/store/test_{number % 97}.py"],
        "discovery_tokens": number % 5000,
        "created_at": START + timedelta(minutes=number),
        "created_at_epoch": 1_740_000_000 + 60 * number,
    }


def notification(number: int) -> dict[str, Any]:
    """Give a notification that was delivered."""
    at = START + timedelta(minutes=number)
    return {
        "id": number + 1,
        "created_at": at,
        "attempt_count": 1,
        "delivered_at": at + timedelta(seconds=2),
        "channel": "email",
        "recipient_email": "somebody@example.org",
        "content": SENTENCE,
        "status": "delivered",
    }


def listener(number: int) -> dict[str, Any]:
    """Give a listener."""
    return {
        "target_session_id": f"session-{number % 977:08d}",
        "caller_session_id": f"session-{number:08d}",
        "caller_tmux_session": f"tc_{number:08x}",
        "registered_at": START + timedelta(seconds=number),
    }


SHARES: Final[Mapping[str, tuple[float, Callable[[int], dict[str, Any]]]]] = {
    "hook_outbox": (0.85, hook_event),
    "sessions": (0.05, session),
    "memory_observations": (0.05, observation),
    "notification_outbox": (0.03, notification),
    "session_listeners": (0.02, listener),
}
"""How the rows are spread over tables, and what they are."""


def rows(name: str, count: int) -> Iterator[Sequence[object]]:
    """Give the rows of a table."""
    table, make = metadata.tables[name], SHARES[name][1]
    makers = {c.name: c.info["computed"] for c in table.columns if "computed" in c.info}
    empty = dict.fromkeys(table.columns.keys()) | {
        column.name: False for column in table.columns if not column.nullable
    }
    for number in range(count):
        row = empty | make(number)
        row |= {name: of(row) for name, of in makers.items()}
        yield list(row.values())


async def build(config: Config, count: int) -> None:
    """Make a store with so many rows."""
    config.backend.prepare_storage(config.database)
    db = Db(config)
    await db.migrator.upgrade()
    async with db:
        for name, (share, _) in SHARES.items():
            async with db._executor.loading() as tx:  # noqa: SLF001 - no store loads rows
                await tx.load(metadata.tables[name], rows(name, round(count * share)))
        await config.backend.maintain(db._engine)  # noqa: SLF001 - as the daemon does


async def make_schema(config: Config) -> None:
    """Make the tables."""
    db = Db(config)
    await db.migrator.upgrade()
    await db.close()


# --- one copy -----------------------------------------------------------------------------------


class Phases:
    """Progress that remembers when copying ended and verification began."""

    def __init__(self) -> None:
        """Begin."""
        self.verifying: float | None = None

    def say(self, message: str) -> None:
        """Hear what happens next."""

    def begin(self, step: str, table: str, total: int) -> None:
        """Hear that a table is begun."""
        del table, total
        if step in {"reread", "verify"} and self.verifying is None:
            self.verifying = perf_counter()

    def advance(self, rows: int) -> None:
        """Hear that rows are done."""

    def end(self) -> None:
        """Hear that a table is done."""


async def copy(source: Path, target: Path) -> None:
    """Copy in this process, and write what it took: seconds since this is clear of the imports."""
    phases = Phases()
    ours, theirs = (load_config(file, environ={}) for file in (source, target))
    report = await copy_store(ours, theirs, CopyOptions(), phases)
    end = perf_counter()
    json.dump(
        {
            "outcome": report.outcome.value,
            "copied": report.copied,
            "verification": end - (phases.verifying or end),
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE,
        },
        sys.stdout,
    )


def teleclaude(source: Path, target: Path) -> dict[str, Any]:
    """Copy in a process of its own.

    Args:
        source: The configuration of the store.
        target: That of the database.

    Returns:
        What `copy` wrote, with the seconds that the process lived and those without verification.
    """
    command = [sys.executable, "-m", __spec__.name, "--copy", str(source), str(target)]
    began = perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603 - this file
    seconds = perf_counter() - began
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "whole": seconds, "seconds": seconds - found["verification"]}


PREFETCH: Final = 10_000
"""Rows that pgloader reads ahead. With its default, ten times as many, it runs out of memory."""

PGLOADER: Final = """
LOAD DATABASE FROM sqlite://{path}
INTO pgsql://{user}@unix:{host}:{port}/{dbname}
WITH data only, reset sequences, prefetch rows = {prefetch}
INCLUDING ONLY TABLE NAMES LIKE {tables};
"""
"""The tables are there, so each value is cast by the type of its column: text to `timestamptz` and
`jsonb`, 0 and 1 to booleans."""


def pgloader(path: Path, section: Mapping[str, Any], directory: Path) -> float:
    """Copy with pgloader.

    Args:
        path: The SQLite file.
        section: The target.
        directory: Where files can be put.

    Returns:
        The seconds that the process lived.
    """
    command = directory / "copy.load"
    tables = ", ".join(f"'{name}'" for name in SHARES)
    command.write_text(
        PGLOADER.format(path=path, tables=tables, prefetch=PREFETCH, **section), encoding="utf-8"
    )
    began = perf_counter()
    done = subprocess.run(  # noqa: S603 - of what was written here
        ["pgloader", "--quiet", "--root-dir", str(directory / "pgloader"), str(command)],  # noqa: S607 - as the shell finds it
        check=False,
        capture_output=True,
        text=True,
    )
    seconds = perf_counter() - began
    if done.returncode or "ERROR" in done.stdout + done.stderr:
        message = f"pgloader failed:\n{done.stdout}{done.stderr}"
        raise SystemExit(message)
    return seconds


# --- measuring ----------------------------------------------------------------------------------


class Bench:
    """A store, and a database to copy it into."""

    def __init__(self, source: Path, path: Path, target: Path, section: Mapping[str, Any]) -> None:
        """Take both configurations, with the file of the source and the section of the target."""
        self.source = source
        self.path = path
        self.target = target
        self.section = section

    async def empty(self) -> None:
        """Empty the target's tables, and let the server finish what it has put off."""
        connection = await asyncpg.connect(**connection_arguments(self.section))
        try:
            for table in metadata.sorted_tables:
                await connection.execute(f'TRUNCATE "{table.name}" RESTART IDENTITY CASCADE')
            await connection.execute("CHECKPOINT")
        finally:
            await connection.close()

    def ours(self) -> dict[str, Any]:
        """Measure TeleClaude."""
        asyncio.run(self.empty())
        return teleclaude(self.source, self.target)

    def theirs(self) -> float:
        """Measure pgloader."""
        asyncio.run(self.empty())
        return pgloader(self.path, self.section, self.path.parent)


def compare(bench: Bench, count: int, rounds: int) -> list[dict[str, Any]]:
    """Measure both in turns, after pgloader's result was found to be the same."""
    bench.theirs()
    check = teleclaude(bench.source, bench.target)
    if check["outcome"] != "already copied":
        message = f"pgloader did not copy the same: {check}"
        raise SystemExit(message)
    found = []
    for number in range(rounds):
        first = bench.theirs() if number % 2 else 0.0
        ours = bench.ours()
        seconds = first or bench.theirs()
        found.append(
            {
                "load": os.getloadavg()[0],
                "pgloader": count / seconds,
                "teleclaude": count / ours["seconds"],
                "ratio": seconds / ours["seconds"],
                "verified": ours["whole"] / ours["seconds"],
                "verification": ours["verification"],
                "peak": ours["peak"],
            }
        )
        sys.stdout.write(line(number + 1, found[-1]) + "\n")
        sys.stdout.flush()
    return found


HEAD: Final = """
| round | load | pgloader rows/s | teleclaude rows/s | ratio | verification adds | peak memory |
|---|---:|---:|---:|---:|---:|---:|
"""


def line(name: object, one: Mapping[str, float]) -> str:
    """Write one round as a line of a table."""
    adds = f"{one['verification']:.1f} s, {one['verified'] - 1:.0%}"
    return (
        f"| {name} | {one['load']:.1f} | {one['pgloader']:,.0f} | {one['teleclaude']:,.0f} "
        f"| **{one['ratio']:.2f}** | {adds} | {one['peak']:.0f} MB |"
    )


@contextmanager
def places(count: int) -> Iterator[Bench]:
    """Make a store with so many rows, and an empty database."""
    with (
        TemporaryDirectory(prefix="copying-") as name,
        open_databases("postgresql", synchronous="normal") as databases,
    ):
        directory = Path(name)
        path = directory / "teleclaude.db"
        source = write_config({"engine": "sqlite", "path": str(path)}, directory / "source.yml")
        asyncio.run(build(load_config(source, environ={}), count))
        section = asyncio.run(databases.make())
        target = write_config(section, directory / "target.yml")
        asyncio.run(make_schema(load_config(target, environ={})))
        yield Bench(source, path, target, section)


def run(arguments: argparse.Namespace) -> None:
    """Measure, and write what came out."""
    with places(FEW) as bench:
        few = bench.ours()["peak"]
    sys.stdout.write(f"peak memory of {FEW:,} rows: {few:.0f} MB\n{HEAD}")
    with places(arguments.rows) as bench:
        found = compare(bench, arguments.rows, arguments.rounds)
    medians = {name: median(one[name] for one in found) for name in found[0]}
    sys.stdout.write(line("median", medians) + "\n")
    met = medians["ratio"] >= TARGET_RATIO
    sys.stdout.write(f"\n{'at least' if met else 'NOT'} {TARGET_RATIO} times pgloader\n")
    if arguments.json:
        everything = {"python": sys.version, "machine": platform.platform(), "few": few}
        everything |= {"rows": arguments.rows, "rounds": found, "median": medians}
        arguments.json.write_text(json.dumps(everything, indent=1), encoding="utf-8")


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where to write everything")
    parser.add_argument("--copy", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.copy:
        asyncio.run(copy(*arguments.copy))
    elif shutil.which("pgloader") is None:
        raise SystemExit("pgloader is not installed; install it with: apt-get install pgloader")
    else:
        run(arguments)


if __name__ == "__main__":
    main()
