"""`teleclaude db copy` on the command line."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from daemon_process import COMMAND
from stores import read_all
from teleclaude.config import load_config
from teleclaude.store import Db
from teleclaude.store.models import metadata

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run
    from teleclaude.config import Config

TABLES = metadata.sorted_tables
ROWS = 3 * len(TABLES)


def rows(config: Config) -> dict[str, list[tuple[Any, ...]]]:
    """What is in a store."""
    return asyncio.run(read_all(config))


def set_more(config: Config) -> None:
    """Write something into a store."""

    async def write() -> None:
        async with Db(config) as db:
            await db.settings.set("more", "value")

    asyncio.run(write())


def test_a_copy_in_words(run: Run, source: Config, target: Config) -> None:
    """Progress, both sides of each table, and the section to use from now on are printed."""
    outcome = run("db", "copy", "--to", str(target.path), config=source)
    assert (outcome.code, outcome.complaint) == (0, "")
    lines = [" ".join(line.split()) for line in outcome.output.splitlines()]
    assert lines[0] == "copy agent_availability: 3 rows"
    assert "verify hook_outbox: 3 rows" in lines
    assert "hook_outbox 3 3 the same complete after 3" in lines
    assert "sessions 3 3 the same complete none" in lines
    locations = f"{source.database.location} to {target.database.location}"
    assert f"Copied {ROWS} rows from {locations} in " in outcome.output
    assert target.path
    shown = yaml.safe_load(outcome.output.partition("--switch:\n")[2])
    assert shown == yaml.safe_load(target.path.read_text())
    assert rows(target) == rows(source)


def test_a_second_copy(run: Run, source: Config, target: Config) -> None:
    """Nothing to do is said in one line."""
    for _ in range(2):
        outcome = run("db", "copy", "--to", str(target.path), config=source)
    assert f"Nothing to do: {target.database.location} holds the same {ROWS}" in outcome.output


def test_a_copy_from_elsewhere(run: Run, source: Config, target: Config) -> None:
    """With `--from`, the configured store is the target; with both, neither."""
    assert run("db", "copy", "--from", str(source.path), config=target).code == 0
    assert rows(target) == rows(source)
    both = run("db", "copy", "--from", str(source.path), "--to", str(target.path))
    assert "Nothing to do" in both.output


def test_json(run: Run, source: Config, target: Config) -> None:
    """Standard output is one document, with nothing else before or after."""
    outcome = run("db", "copy", "--to", str(target.path), "--json", config=source)
    document = json.loads(outcome.output)
    assert document["outcome"] == "copied"
    assert (document["rows_copied"], document["switched"]) == (ROWS, None)
    table = document["tables"]["hook_outbox"]
    assert table["source"] == table["target"]
    assert (table["source"]["rows"], table["source"]["id"], table["agrees"]) == (3, 3, True)


def test_a_dry_run(run: Run, source: Config, target: Config) -> None:
    """It says that it would work and that nothing was done."""
    outcome = run("db", "copy", "--to", str(target.path), "--dry-run", config=source)
    assert outcome.code == 0
    assert f"OK: {ROWS} rows can be copied" in outcome.output
    assert "--switch" not in outcome.output
    assert run("db", "current", config=target).output[:4] != "0001"


def test_replacing_asks_first(
    run: Run, source: Config, target: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a yes nothing is deleted; an empty target is not asked about."""
    asked: list[str] = []

    def confirm(question: str, **_: object) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr("typer.confirm", confirm)
    command = ("db", "copy", "--to", str(target.path), "--replace")
    assert run(*command, config=source).code == 0
    assert asked == []
    set_more(target)
    before = rows(target)
    assert run(*command, config=source).code == 1
    location = target.database.location
    assert asked == [f"All {ROWS + 1} rows of {location} will be deleted. Go on?"]
    assert rows(target) == before
    assert run(*command, "--yes", config=source).code == 0
    assert rows(target) == rows(source)


def test_a_target_that_is_not_empty(run: Run, source: Config, target: Config) -> None:
    """It is an error that says how to go on."""
    run("db", "copy", "--to", str(target.path), config=source)
    set_more(target)
    outcome = run("db", "copy", "--to", str(target.path), config=source)
    assert outcome.code == 5
    assert "is not empty" in outcome.complaint
    assert "--replace" in outcome.complaint


def test_an_interrupted_copy(
    run: Run, source: Config, target: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever presses Ctrl-C is told how to go on, and switches nothing."""

    async def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("teleclaude.store.transfer.copy_store", interrupted)
    before = source.path.read_text() if source.path else ""
    outcome = run("db", "copy", "--to", str(target.path), "--switch", config=source)
    assert outcome.code == 130
    assert outcome.complaint == "error: Interrupted. The same command continues the copy.\n"
    assert source.path
    assert source.path.read_text() == before


def test_switching(run: Run, source: Config, target: Config) -> None:
    """Afterwards the configuration names the target, and the file before is kept."""
    assert source.path
    before = source.path.read_text()
    source.path.write_text(f"# mine\n{before}")
    outcome = run("db", "copy", "--to", str(target.path), "--switch", config=source)
    assert outcome.code == 0
    assert f"{source.path} names the target now" in outcome.output
    assert source.path.read_text().startswith("# mine\n")
    assert load_config(source.path, environ={}).database == target.database
    (kept,) = source.path.parent.glob(f"{source.path.name}.before-*")
    assert kept.read_text() == f"# mine\n{before}"


def test_a_copy_that_fails_switches_nothing(run: Run, source: Config, target: Config) -> None:
    """Nor does a dry run."""
    assert source.path
    before = source.path.read_text()
    command = ("db", "copy", "--to", str(target.path), "--switch")
    assert run(*command, "--dry-run", config=source).code == 0
    run("db", "copy", "--to", str(target.path), config=source)
    set_more(target)
    assert run(*command, config=source).code == 5
    assert source.path.read_text() == before


@pytest.mark.parametrize(
    ("words", "why"),
    [((), "Say with --to or --from"), (("--from", "{to}", "--switch"), "--switch is for --to")],
)
def test_command_lines_that_make_no_sense(
    run: Run, source: Config, target: Config, words: tuple[str, ...], why: str
) -> None:
    """They are refused before anything is looked at."""
    given = (word.format(to=target.path) for word in words)
    outcome = run("db", "copy", *given, config=source)
    assert outcome.code == 2
    assert why in " ".join(outcome.complaint.replace("│", " ").split())


def test_variables_that_name_the_database_prevent_switching(
    run: Run, source: Config, target: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would go on naming it; and they do not reach the other database."""
    monkeypatch.setenv("TELECLAUDE_DATABASE__ENGINE", source.backend.engine)
    command = ("db", "copy", "--to", str(target.path))
    switching = run(*command, "--switch", config=source)
    assert switching.code == 3
    assert "TELECLAUDE_DATABASE__ENGINE" in switching.complaint
    assert run(*command, config=source).code == 0


def test_bars_on_a_terminal(source: Config, target: Config, tmp_path: Path) -> None:
    """On a terminal every table has a bar, with its rate."""
    parent, child = pty.openpty()
    command = [COMMAND, "db", "copy", "-c", source.path, "--to", target.path]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "COLUMNS": "120"}
    with subprocess.Popen(command, stdout=child, stderr=child, env=environment) as process:
        os.close(child)
        shown = b"".join(iter(lambda: _read(parent), b"")).decode()
        assert process.wait() == 0
    os.close(parent)
    assert "copy hook_outbox" in shown
    assert "3/3" in shown
    assert "\u2501" in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side is closed
        return b""
