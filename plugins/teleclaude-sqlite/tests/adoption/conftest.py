from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import yaml

from teleclaude.config import load_config
from teleclaude.store import Db

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

ROOT = Path(__file__).parents[4]
DATA = ROOT / "tests" / "data"
FILES = sorted(path.stem for path in (DATA / "legacy").glob("*.db"))
"""Databases of earlier versions, made by `scripts/legacy_databases.py`."""

LAST = "017_add_session_visibility"

EARLIER = {
    "last_output_raw": ("last_feedback_received",),
    "last_output_at": ("last_feedback_received_at",),
    "last_output_summary": ("last_feedback_summary",),
    "last_tool_use_at": ("last_after_model_at",),
    "last_tool_done_at": ("last_agent_output_at",),
    "last_input_origin": ("last_input_adapter", "origin_adapter"),
    "service_name": ("openai_voice", "macos_voice"),
    "voice": ("openai_voice", "macos_voice"),
}
"""What a column was called before."""

Rows = dict[str, list[dict[str, Any]]]


class TakeOld(Protocol):
    """Copies one of the old databases to where the test's database is."""

    def __call__(self, name: str, *statements: str) -> Path: ...


@pytest.fixture
def take(path: Path) -> TakeOld:
    def take(name: str, *statements: str) -> Path:
        shutil.copy(DATA / "legacy" / f"{name}.db", path)
        execute(path, *statements)
        return path

    return take


@asynccontextmanager
async def store(path: Path, **more: object) -> AsyncIterator[Db]:
    """A store that is not open, and is closed at the end."""
    yml = path.with_name("teleclaude.yml")
    yml.write_text(yaml.safe_dump({"database": {"path": str(path), **more}}))
    db = Db(load_config(yml, environ={}))
    try:
        yield db
    finally:
        await db.close()


def execute(path: Path, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements with Python's own driver and give the rows of the last one."""
    rows: list[tuple[Any, ...]] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
    return rows


def rows_of(path: Path) -> Rows:
    """All rows of all tables as SQLite has them; texts that are no UTF-8 have lone surrogates."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.text_factory = lambda value: value.decode("utf-8", "surrogateescape")
        connection.row_factory = sqlite3.Row
        names = [
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return {
            name: [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')]
            for name in names
        }


def content(path: Path) -> str:
    """Everything in a database, to be compared before and after."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        schema = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2")
        return json.dumps(
            [schema.fetchall(), rows_of(path)], default=lambda value: value.hex(), indent=1
        )


def backups(path: Path) -> list[Path]:
    """The copies beside a database."""
    return sorted(path.parent.glob(f"{path.name}.backup-*"))


def expectations() -> Mapping[str, Any]:
    """What was written down by hand."""
    found: Mapping[str, Any] = yaml.safe_load((DATA / "adopted.yml").read_text(encoding="utf-8"))
    return found
