"""The quick way on every engine: what it stores, what it refuses, what it loads."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from daemon_process import daemon
from hook_process import (
    EVENT,
    HEAVY,
    complaint,
    environment,
    loaded_by_hook,
    manifest_path,
    prepare,
    run_hook,
    start_hook,
)
from teleclaude.errors import InvalidValueError
from teleclaude.hook import quick
from teleclaude.hook.events import Event
from teleclaude.store import Db
from teleclaude.testing.hostile import MEGABYTE, TEXTS

if TYPE_CHECKING:
    from pathlib import Path

    from teleclaude.config import Config
    from teleclaude.testing.fixtures import Execute

PROCESSES = 20
HOSTILE: dict[str, object] = {
    **TEXTS,
    "megabyte": MEGABYTE,
    "code": "[{" * 200,
    "numbers": [1e300, -0.0, 2**63 - 1, 0.1, 1e-7, True, None],
    "nested": json.loads("[" * 98 + "]" * 98),
}


async def test_row_is_what_the_store_stores(migrated_config: Config, execute: Execute) -> None:
    """Column by column, hostile text and numbers included, it is the store's own row."""
    prepare(migrated_config)
    async with Db(migrated_config) as db:
        await db.hook_outbox.enqueue("it's\u202e", "Stop %s", HOSTILE)
        began = datetime.now(UTC)
        event = {"session_id": "it's\u202e", "hook_event_name": "Stop %s", **HOSTILE}
        assert run_hook(migrated_config, event) == (0, "", "")
        stored, hooked = await db.hook_outbox.peek(2)
    unlike = {"id", "created_at", "next_attempt_at"}
    assert {k: v for k, v in hooked._asdict().items() if k not in unlike} == {
        k: v for k, v in stored._asdict().items() if k not in unlike
    }
    assert began <= hooked.created_at <= began + timedelta(minutes=1)
    assert hooked.next_attempt_at == hooked.created_at
    ((*one,), (*other,)) = execute("SELECT * FROM hook_outbox ORDER BY id")
    assert [type(value) for value in one] == [type(value) for value in other]
    texts = [[re.sub(r"\d", "0", it) for it in row if isinstance(it, str)] for row in (one, other)]
    assert texts[0] == texts[1]  # where instants are text, they have one form


def test_nothing_heavy_is_loaded(migrated_config: Config) -> None:
    """With a manifest neither SQLAlchemy nor pydantic nor YAML nor Alembic is imported."""
    prepare(migrated_config)
    assert loaded_by_hook(migrated_config) & HEAVY == set()


def test_the_long_way_prepares_the_quick_one(migrated_config: Config, execute: Execute) -> None:
    """Without a manifest the event is stored, and the next process has one only we can write."""
    assert loaded_by_hook(migrated_config) >= {"sqlalchemy", "yaml"}
    assert manifest_path(migrated_config).stat().st_mode & 0o777 == 0o600
    assert loaded_by_hook(migrated_config) & HEAVY == set()
    assert execute("SELECT count(*) FROM hook_outbox") == [(2,)]


async def test_the_daemon_prepares_the_quick_way(migrated_config: Config) -> None:
    """Once a daemon has started, the first event already goes the quick way."""
    file = migrated_config.path
    assert file is not None
    assert not manifest_path(migrated_config).exists()
    home = manifest_path(migrated_config).parents[1]
    async with daemon(file, home=home) as process:
        await process.until("ready")
        assert loaded_by_hook(migrated_config) & HEAVY == set()
        await process.stop()


@pytest.mark.parametrize(
    ("session", "event", "payload"),
    [
        ("s\0", "e", {}),
        ("s" * 1001, "e", {}),
        ("s", "\N{SNOWMAN}" * 400, {}),
        ("s", "e\ud800", {}),
        ("s", "e", {"a": "\udfff"}),
        ("s", "e", {"a\0": 1}),
        ("s", "e", {"a": float("nan")}),
        ("s", "e", {"a": float("inf")}),
        ("s", "e", {"a": 2**63}),
        ("s", "e", {"a": json.loads("[" * 101 + "]" * 101)}),
    ],
)
async def test_what_the_store_refuses_is_refused(
    migrated_config: Config,
    monkeypatch: pytest.MonkeyPatch,
    session: str,
    event: str,
    payload: dict[str, object],
) -> None:
    """The same values are refused, in the same words, and nothing is stored."""
    prepare(migrated_config)
    monkeypatch.setattr(os, "environ", environment(migrated_config))
    async with Db(migrated_config) as db:
        with pytest.raises(InvalidValueError) as refusal:
            await db.hook_outbox.enqueue(session, event, payload)
        with pytest.raises(InvalidValueError) as quick_refusal:
            quick.enqueue(Event(session, event, payload), None)
        assert await db.hook_outbox.peek(1) == []
    assert str(quick_refusal.value) == str(refusal.value)


def test_processes_at_once_lose_nothing(migrated_config: Config, execute: Execute) -> None:
    """Many hooks at the same time store all of their events."""
    prepare(migrated_config)
    processes = [start_hook(migrated_config) for _ in range(PROCESSES)]
    ends = []
    for number, process in enumerate(processes):
        assert process.stdin is not None
        process.stdin.write(json.dumps({**EVENT, "session_id": str(number)}).encode())
        process.stdin.close()
        process.stdin = None
    for process in processes:
        _, said = process.communicate()
        ends.append((process.returncode, said))
    assert ends == [(0, b"")] * PROCESSES
    rows = execute("SELECT session_id FROM hook_outbox")
    assert sorted(int(row[0]) for row in rows) == list(range(PROCESSES))


@pytest.mark.parametrize(
    ("revision", "words"), [("0000", "does not know"), ("", "teleclaude db upgrade")]
)
def test_schema_of_another_version(
    migrated_config: Config, execute: Execute, revision: str, words: str
) -> None:
    """The quick way stores nothing into another schema, and the long way says what is wrong."""
    prepare(migrated_config)
    change = f"UPDATE alembic_version SET version_num = '{revision}'"
    execute(change if revision else "DELETE FROM alembic_version")
    assert words in complaint(run_hook(migrated_config))
    assert execute("SELECT count(*) FROM hook_outbox") == [(0,)]


def test_another_database_in_the_configuration(
    migrated_config: Config, execute: Execute, tmp_path: Path
) -> None:
    """A changed file counts at once: nothing goes where the manifest still points to."""
    prepare(migrated_config)
    file = migrated_config.path
    assert file is not None
    before = file.read_text()
    try:
        file.write_text(f"database: {{engine: sqlite, path: {tmp_path / 'other.db'}}}")
        assert "other.db" in complaint(run_hook(migrated_config))
    finally:
        file.write_text(before)
    assert execute("SELECT count(*) FROM hook_outbox") == [(0,)]


def test_damaged_manifest(migrated_config: Config, execute: Execute) -> None:
    """One that says nonsense is replaced, and its event is stored all the same."""
    manifest = prepare(migrated_config)
    manifest.write_text(manifest.read_text().replace('["session"', '["nonsense"'))
    assert run_hook(migrated_config) == (0, "", "")
    assert loaded_by_hook(migrated_config) & HEAVY == set()
    assert execute("SELECT count(*) FROM hook_outbox") == [(2,)]


def test_missing_database(migrated_config: Config, tmp_path: Path) -> None:
    """A database that is not there is one sentence."""
    name = "TELECLAUDE_DATABASE__" + ("PATH" if "path" in _section(migrated_config) else "DBNAME")
    missing = str(tmp_path / "missing.db")
    assert missing in complaint(run_hook(migrated_config, **{name: missing}))


def _section(config: Config) -> set[str]:
    return set(type(config.database).model_fields)
