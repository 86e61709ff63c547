"""Makes databases as earlier TeleClaude versions left them, for the tests of their adoption.

    python scripts/legacy_databases.py tests/data/legacy

One file for each level, that is for each migration that can be the last one recorded, and files
with another history: created at a later level, older numbering, a failed start. What is in them
stands in `legacy_rows.py`. The files are small: 512 bytes a page, vacuumed.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from legacy_rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

LEVELS: Final = (
    "001_fix_sessions_tmux_nullable",
    "002_add_last_output_digest",
    "003_add_agent_output_fields",
    "004_add_checkpoint_fields",
    "005_add_memory_tables",
    "006_widen_observation_types",
    "007_rename_activity_columns",
    "008_add_human_identity_fields",
    "009_add_notification_outbox",
    "010_add_session_listeners",
    "011_rename_feedback_to_output_summary",
    "012_add_help_desk_session_fields",
    "012_add_memory_identity_key",
    "013_add_session_relay_columns",
    "014_add_memory_obs_identity_index",
    "015_add_session_char_offset",
    "016_add_transcript_files",
    "017_add_session_visibility",
)
"""The migrations, in the order in which they ran."""

OLD_NUMBERING: Final = (
    "001_add_ux_columns",
    "002_add_working_slug",
    "003_add_closed_at",
    "004_remove_closed_column",
    "005_project_path_refactor",
    "006_remove_working_directory",
    "007_split_project_path_subdir",
    "008_rename_terminal_outbox",
    "008_add_lifecycle_status",
    "009_drop_api_outbox",
    "010_last_input_origin",
    "011_add_last_feedback_summary",
)

APPLIED_AT: Final = "2026-01-20 09:00:00"
COUNTED_UP: Final = 1000
"""Where the counters of the automatic ids stand: above every id, because rows were deleted."""

MEMORY: Final = LEVELS.index("005_add_memory_tables")
WIDENED: Final = LEVELS.index("006_widen_observation_types")
OUTBOXES: Final = LEVELS.index("009_add_notification_outbox")
LISTENERS: Final = LEVELS.index("010_add_session_listeners")
IDENTITY: Final = LEVELS.index("012_add_memory_identity_key")
IDENTITY_INDEX: Final = LEVELS.index("014_add_memory_obs_identity_index")
LAST: Final = len(LEVELS) - 1
OLDEST: Final = -1
"""Before the first migration of the newer numbering."""

SESSIONS: Final[tuple[tuple[str, str, str], ...]] = (
    # the column, its definition, the migration that brought it
    ("session_id", "TEXT PRIMARY KEY", ""),
    ("computer_name", "TEXT NOT NULL", ""),
    ("title", "TEXT", ""),
    ("tmux_session_name", "TEXT", ""),
    ("last_input_origin", "TEXT NOT NULL DEFAULT 'telegram'", ""),
    ("adapter_metadata", "TEXT", ""),
    ("created_at", "TIMESTAMP DEFAULT CURRENT_TIMESTAMP", ""),
    ("last_activity", "TIMESTAMP DEFAULT CURRENT_TIMESTAMP", ""),
    ("closed_at", "TIMESTAMP", ""),
    ("terminal_size", "TEXT DEFAULT '80x24'", ""),
    ("project_path", "TEXT", ""),
    ("subdir", "TEXT", ""),
    ("description", "TEXT", ""),
    ("initiated_by_ai", "BOOLEAN DEFAULT 0", ""),
    ("initiator_session_id", "TEXT", ""),
    ("output_message_id", "TEXT", ""),
    ("notification_sent", "INTEGER DEFAULT 0", ""),
    ("native_session_id", "TEXT", ""),
    ("native_log_file", "TEXT", ""),
    ("active_agent", "TEXT", ""),
    ("thinking_mode", "TEXT", ""),
    ("tui_log_file", "TEXT", ""),
    ("tui_capture_started", "INTEGER DEFAULT 0", ""),
    ("last_message_sent", "TEXT", ""),
    ("last_message_sent_at", "TEXT", ""),
    ("last_output_raw", "TEXT", ""),
    ("last_output_at", "TEXT", ""),
    ("working_slug", "TEXT", ""),
    ("lifecycle_status", "TEXT DEFAULT 'active'", ""),
    ("last_output_summary", "TEXT", ""),
    ("last_output_digest", "TEXT", "002_add_last_output_digest"),
    ("last_tool_done_at", "TEXT", "003_add_agent_output_fields"),
    ("last_tool_use_at", "TEXT", "004_add_checkpoint_fields"),
    ("last_checkpoint_at", "TEXT", "004_add_checkpoint_fields"),
    ("human_email", "TEXT", "008_add_human_identity_fields"),
    ("human_role", "TEXT", "008_add_human_identity_fields"),
    ("last_memory_extraction_at", "TEXT", "012_add_help_desk_session_fields"),
    ("help_desk_processed_at", "TEXT", "012_add_help_desk_session_fields"),
    ("relay_status", "TEXT", "012_add_help_desk_session_fields"),
    ("relay_discord_channel_id", "TEXT", "012_add_help_desk_session_fields"),
    ("relay_started_at", "TEXT", "012_add_help_desk_session_fields"),
    ("char_offset", "INTEGER DEFAULT 0", "015_add_session_char_offset"),
    ("transcript_files", "TEXT DEFAULT '[]'", "016_add_transcript_files"),
    ("visibility", "TEXT DEFAULT 'private'", "017_add_session_visibility"),
)

RENAMED: Final = {
    "007_rename_activity_columns": {
        "last_tool_use_at": "last_after_model_at",
        "last_tool_done_at": "last_agent_output_at",
    },
    "011_rename_feedback_to_output_summary": {
        "last_output_raw": "last_feedback_received",
        "last_output_at": "last_feedback_received_at",
        "last_output_summary": "last_feedback_summary",
    },
}
"""By migration: today's name of a column, and the one before it."""

BOOTSTRAP: Final = """
CREATE TABLE IF NOT EXISTS pending_message_deletions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, message_id TEXT NOT NULL,
  deletion_type TEXT NOT NULL CHECK (deletion_type IN ('user_input', 'feedback')),
  created_at TEXT DEFAULT CURRENT_TIMESTAMP, UNIQUE (session_id, message_id, deletion_type),
  FOREIGN KEY (session_id) REFERENCES sessions (session_id) ON DELETE CASCADE);
CREATE INDEX IF NOT EXISTS idx_pending_deletions_session ON pending_message_deletions (session_id);
CREATE TABLE IF NOT EXISTS system_settings (
  key TEXT PRIMARY KEY, value TEXT NOT NULL, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE IF NOT EXISTS agent_availability (
  agent TEXT PRIMARY KEY, available INTEGER DEFAULT 1, unavailable_until TEXT, reason TEXT);
CREATE TABLE IF NOT EXISTS hook_outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, event_type TEXT NOT NULL,
  payload TEXT NOT NULL, created_at TEXT DEFAULT CURRENT_TIMESTAMP,
  next_attempt_at TEXT DEFAULT CURRENT_TIMESTAMP, attempt_count INTEGER DEFAULT 0, last_error TEXT,
  delivered_at TEXT, locked_at TEXT);
CREATE INDEX IF NOT EXISTS idx_hook_outbox_pending ON hook_outbox (delivered_at, next_attempt_at);
"""

VOICES: Final = """
CREATE TABLE IF NOT EXISTS voice_assignments (
  id TEXT PRIMARY KEY, service_name TEXT, voice TEXT DEFAULT '',
  assigned_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
"""
OLD_VOICES: Final = """
CREATE TABLE voice_assignments (
  id TEXT PRIMARY KEY, voice_name TEXT, elevenlabs_id TEXT, macos_voice TEXT, openai_voice TEXT,
  assigned_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
"""
VOICES_INDEX: Final = """
CREATE INDEX IF NOT EXISTS idx_voice_assignments_assigned_at ON voice_assignments (assigned_at);
"""

OBSERVATIONS: Final = """
CREATE TABLE IF NOT EXISTS memory_observations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, memory_session_id TEXT NOT NULL, project TEXT NOT NULL,
  type TEXT NOT NULL {check}, title TEXT, subtitle TEXT, facts TEXT, narrative TEXT, concepts TEXT,
  files_read TEXT, files_modified TEXT, prompt_number INTEGER, discovery_tokens INTEGER DEFAULT 0,
  created_at TEXT NOT NULL, created_at_epoch INTEGER NOT NULL{identity});
CREATE INDEX IF NOT EXISTS idx_memory_obs_project
  ON memory_observations (project, created_at_epoch DESC);
CREATE INDEX IF NOT EXISTS idx_memory_obs_session ON memory_observations (memory_session_id);
CREATE INDEX IF NOT EXISTS idx_memory_obs_type ON memory_observations (type);
"""
CHECKED_TYPE: Final = (
    "CHECK (type IN ('decision', 'bugfix', 'feature', 'refactor', 'discovery', 'change'))"
)
MEMORY_TABLES: Final = """
CREATE TABLE IF NOT EXISTS memory_summaries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, memory_session_id TEXT NOT NULL, project TEXT NOT NULL,
  request TEXT, investigated TEXT, learned TEXT, completed TEXT, next_steps TEXT,
  created_at TEXT NOT NULL, created_at_epoch INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS idx_memory_sum_project
  ON memory_summaries (project, created_at_epoch DESC);
CREATE INDEX IF NOT EXISTS idx_memory_sum_session ON memory_summaries (memory_session_id);
CREATE TABLE IF NOT EXISTS memory_manual_sessions (
  memory_session_id TEXT PRIMARY KEY, project TEXT NOT NULL UNIQUE,
  created_at_epoch INTEGER NOT NULL);
"""
FULL_TEXT: Final = """
CREATE VIRTUAL TABLE memory_observations_fts USING fts5 (
  title, subtitle, narrative, facts, concepts,
  content='memory_observations', content_rowid='id');
CREATE TRIGGER memory_obs_ai AFTER INSERT ON memory_observations BEGIN
  INSERT INTO memory_observations_fts (rowid, title, subtitle, narrative, facts, concepts)
  VALUES (new.id, new.title, new.subtitle, new.narrative, new.facts, new.concepts); END;
CREATE TRIGGER memory_obs_ad AFTER DELETE ON memory_observations BEGIN
  INSERT INTO memory_observations_fts
    (memory_observations_fts, rowid, title, subtitle, narrative, facts, concepts)
  VALUES ('delete', old.id, old.title, old.subtitle, old.narrative, old.facts, old.concepts); END;
CREATE TRIGGER memory_obs_au AFTER UPDATE ON memory_observations BEGIN
  INSERT INTO memory_observations_fts
    (memory_observations_fts, rowid, title, subtitle, narrative, facts, concepts)
  VALUES ('delete', old.id, old.title, old.subtitle, old.narrative, old.facts, old.concepts);
  INSERT INTO memory_observations_fts (rowid, title, subtitle, narrative, facts, concepts)
  VALUES (new.id, new.title, new.subtitle, new.narrative, new.facts, new.concepts); END;
"""

NOTIFICATIONS: Final = """
CREATE TABLE IF NOT EXISTS notification_outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, recipient_email TEXT NOT NULL,
  content TEXT NOT NULL, file_path TEXT, status TEXT NOT NULL DEFAULT 'pending',
  created_at TEXT NOT NULL, delivered_at TEXT, attempt_count INTEGER DEFAULT 0,
  next_attempt_at TEXT, last_error TEXT, locked_at TEXT);
CREATE INDEX IF NOT EXISTS idx_notification_outbox_status ON notification_outbox (status);
CREATE INDEX IF NOT EXISTS idx_notification_outbox_next_attempt
  ON notification_outbox (next_attempt_at);
"""
WEBHOOKS: Final = """
CREATE TABLE IF NOT EXISTS webhook_contracts (
  id TEXT PRIMARY KEY, contract_json TEXT NOT NULL, active INTEGER NOT NULL DEFAULT 1,
  source TEXT NOT NULL DEFAULT 'api', created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS idx_webhook_contracts_active ON webhook_contracts (active);
CREATE TABLE IF NOT EXISTS webhook_outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, contract_id TEXT NOT NULL, event_json TEXT NOT NULL,
  target_url TEXT NOT NULL, target_secret TEXT, status TEXT NOT NULL DEFAULT 'pending',
  created_at TEXT NOT NULL, delivered_at TEXT, attempt_count INTEGER NOT NULL DEFAULT 0,
  next_attempt_at TEXT, last_error TEXT, locked_at TEXT);
CREATE INDEX IF NOT EXISTS idx_webhook_outbox_status ON webhook_outbox (status);
CREATE INDEX IF NOT EXISTS idx_webhook_outbox_next_attempt ON webhook_outbox (next_attempt_at);
"""
LISTENER_TABLE: Final = """
CREATE TABLE IF NOT EXISTS session_listeners (
  target_session_id TEXT NOT NULL, caller_session_id TEXT NOT NULL,
  caller_tmux_session TEXT NOT NULL, registered_at TEXT NOT NULL,
  PRIMARY KEY (target_session_id, caller_session_id));
CREATE INDEX IF NOT EXISTS idx_session_listeners_caller ON session_listeners (caller_session_id);
"""
RECORDED: Final = """
CREATE TABLE schema_migrations (
  version TEXT PRIMARY KEY, applied_at TEXT DEFAULT CURRENT_TIMESTAMP);
"""

STRANGE: Final = """
ALTER TABLE sessions ADD COLUMN colour TEXT;
UPDATE sessions SET colour = 'green' WHERE session_id IN ('plain', 'broken');
CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT,
  session_id TEXT REFERENCES sessions (session_id) ON DELETE CASCADE);
INSERT INTO notes (text, session_id) VALUES ('about plain', 'plain'), ('about nobody', 'gone');
CREATE VIEW open_sessions AS SELECT session_id FROM sessions WHERE closed_at IS NULL;
CREATE TRIGGER note_closing AFTER UPDATE OF closed_at ON sessions
  BEGIN INSERT INTO notes (text, session_id) VALUES ('closed', new.session_id); END;
"""
"""What somebody added who is no part of TeleClaude."""


class History(NamedTuple):
    """How a database came to be.

    Attributes:
        level: The last migration that ran, as an index of `LEVELS`.
        created: The level at which it was created.
        old: How many migrations of the old numbering it lived through.
        failed_start: Whether the last version of the old program failed to open it.
        extra: SQL that was run by somebody else.
    """

    level: int
    created: int = OLDEST
    old: int = 0
    failed_start: bool = False
    extra: str = ""


def histories() -> Mapping[str, History]:
    """Give the databases that are made, by name."""
    found = {version: History(level) for level, version in enumerate(LEVELS)}
    eleven = LEVELS.index("011_rename_feedback_to_output_summary")
    found["created-011"] = History(eleven, created=eleven)
    found["created-011-upgraded-017"] = History(LAST, created=eleven)
    found["created-017"] = History(LAST, created=LAST)
    for name in ("007_split_project_path_subdir", "011_add_last_feedback_summary"):
        old = OLD_NUMBERING.index(name) + 1
        found[f"old-{name}"] = History(OLDEST, old=old)
    found["old-011-upgraded-017"] = History(LAST, old=len(OLD_NUMBERING))
    for level in range(WIDENED, eleven + 1):
        found[f"failed-{LEVELS[level][:3]}"] = History(level, failed_start=True)
    found["strange-017"] = History(LAST, created=LAST, extra=STRANGE)
    return found


def make(path: Path, history: History) -> None:
    """Make one database.

    Args:
        path: The file; it must not exist.
        history: How it came to be.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN")
        for statement in _schema(history):
            connection.execute(statement)
        _insert_rows(connection, history)
        for table in _tables(connection) - {"notes"}:
            connection.execute(
                "UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (COUNTED_UP, table)
            )
        connection.execute("COMMIT")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _schema(history: History) -> Iterator[str]:
    yield from _split(RECORDED)
    yield from _create(history)
    for level in range(history.created + 1, history.level + 1):
        yield from _migrate(level)
    if history.failed_start:
        yield from _split(NOTIFICATIONS + WEBHOOKS + LISTENER_TABLE)
    versions = [*OLD_NUMBERING[: history.old], *LEVELS[: history.level + 1]]
    for version in versions:
        yield f"INSERT INTO schema_migrations VALUES ('{version}', '{APPLIED_AT}')"  # noqa: S608 - constants


def _create(history: History) -> Iterator[str]:
    """Do what the bootstrap does with a file that has nothing in it."""
    level, before_voices = history.created, bool(history.old)
    columns = [f"{name} {kind}" for name, kind in _session_columns(history)]
    if level == OLDEST:
        columns.append("UNIQUE (computer_name, tmux_session_name)")
    yield f"CREATE TABLE sessions ({', '.join(columns)})"
    yield from _split(OLD_VOICES if before_voices else VOICES)
    yield from _split(VOICES_INDEX + BOOTSTRAP)
    if before_voices and history.old == len(OLD_NUMBERING):
        yield "ALTER TABLE voice_assignments ADD COLUMN service_name TEXT"
        yield "ALTER TABLE voice_assignments ADD COLUMN voice TEXT DEFAULT ''"
    if before_voices and history.old <= OLD_NUMBERING.index("009_drop_api_outbox"):
        yield "CREATE TABLE api_outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, request TEXT)"
        yield "INSERT INTO api_outbox (request) VALUES ('GET /')"
    if level >= MEMORY:
        yield from _memory(level)
    if level >= OUTBOXES:
        yield from _split(NOTIFICATIONS + WEBHOOKS)
    if level >= LISTENERS:
        yield from _split(LISTENER_TABLE)


def _session_columns(history: History) -> Iterator[tuple[str, str]]:
    level = history.created
    is_before_origin = 0 < history.old <= OLD_NUMBERING.index("010_last_input_origin")
    for name, kind, since in SESSIONS:
        if since and LEVELS.index(since) > level:
            continue
        if name == "tmux_session_name" and level == OLDEST:
            yield name, "TEXT NOT NULL"
        elif name == "last_input_origin" and is_before_origin:
            yield "origin_adapter", "TEXT NOT NULL DEFAULT 'telegram'"
            yield "last_input_adapter", "TEXT"
        elif is_before_origin and name in ("lifecycle_status", "last_output_summary"):
            continue
        else:
            yield _name_at(name, level), kind


def _name_at(column: str, level: int) -> str:
    for version, names in RENAMED.items():
        if level < LEVELS.index(version):
            column = names.get(column, column)
    return column


def _migrate(level: int) -> Iterator[str]:
    """Do what the migration of a level does."""
    version = LEVELS[level]
    if level == 0:
        yield from _make_tmux_nullable()
    for name, kind, since in SESSIONS:
        if since == version:
            yield f"ALTER TABLE sessions ADD COLUMN {_name_at(name, level)} {kind}"
    for new, old in RENAMED.get(version, {}).items():
        yield f"ALTER TABLE sessions RENAME COLUMN {old} TO {new}"
    yield from _migrate_others(level)


def _migrate_others(level: int) -> Iterator[str]:
    if level == MEMORY:
        yield from _memory(level)
    elif level == WIDENED:
        yield from _widen()
    elif level == OUTBOXES:
        yield from _split(NOTIFICATIONS + WEBHOOKS)
    elif level == LISTENERS:
        yield from _split(LISTENER_TABLE)
    elif level == IDENTITY:
        yield "ALTER TABLE memory_observations ADD COLUMN identity_key TEXT"
        yield "CREATE INDEX idx_memory_identity ON memory_observations (project, identity_key)"
    elif level == IDENTITY_INDEX:
        yield "CREATE INDEX idx_memory_obs_identity ON memory_observations (project, identity_key)"


def _make_tmux_nullable() -> Iterator[str]:
    columns = list(_session_columns(History(OLDEST)))
    definitions = [
        f"{name} {'TEXT' if name == 'tmux_session_name' else kind}" for name, kind in columns
    ]
    names = ", ".join(name for name, _ in columns)
    selected = names.replace("tmux_session_name", "NULLIF(tmux_session_name, '')")
    yield f"CREATE TABLE sessions_new ({', '.join(definitions)})"
    yield f"INSERT INTO sessions_new ({names}) SELECT {selected} FROM sessions"  # noqa: S608 - constants
    yield "DROP TABLE sessions"
    yield "ALTER TABLE sessions_new RENAME TO sessions"


def _memory(level: int) -> Iterator[str]:
    check = CHECKED_TYPE if level < WIDENED else ""
    identity = ", identity_key TEXT" if level >= IDENTITY else ""
    yield from _split(OBSERVATIONS.format(check=check, identity=identity))
    yield from _split(MEMORY_TABLES + FULL_TEXT)
    if level >= IDENTITY:
        for name in ("idx_memory_obs_identity", "idx_memory_identity"):
            yield f"CREATE INDEX {name} ON memory_observations (project, identity_key)"


def _widen() -> Iterator[str]:
    for trigger in ("memory_obs_ai", "memory_obs_ad", "memory_obs_au"):
        yield f"DROP TRIGGER {trigger}"
    yield "DROP TABLE memory_observations_fts"
    yield "DROP TABLE memory_observations"
    yield from _split(OBSERVATIONS.format(check="", identity=""))
    yield from _split(FULL_TEXT)


def _insert_rows(connection: sqlite3.Connection, history: History) -> None:
    tables = _tables(connection)
    if history.failed_start:  # what the failed start left behind is empty
        tables &= {"sessions", "memory_observations", *_filled_at(history.level)}
    for table, rows in rows_of(is_widened=history.level >= WIDENED).items():
        if table not in tables:
            continue
        there = {row[1]: bool(row[3]) for row in connection.execute(f"PRAGMA table_info({table})")}
        for row in rows:
            _insert(connection, table, there, _as_of(table, row, there, history))
    for statement in _split(history.extra):
        connection.execute(statement)


def _filled_at(level: int) -> Iterator[str]:
    yield from ("voice_assignments", "pending_message_deletions", "system_settings")
    yield from ("agent_availability", "hook_outbox", "memory_summaries", "memory_manual_sessions")
    if level >= OUTBOXES:
        yield from ("notification_outbox", "webhook_contracts", "webhook_outbox")
    if level >= LISTENERS:
        yield "session_listeners"


def _as_of(
    table: str, row: Mapping[str, object], there: Mapping[str, bool], history: History
) -> Mapping[str, object]:
    """Give a row the column names of its time."""
    if table != "sessions":
        return row
    named = {_name_at(name, history.level): value for name, value in row.items()}
    if there["tmux_session_name"] and named["tmux_session_name"] is None:
        named["tmux_session_name"] = ""
    return named


def _insert(
    connection: sqlite3.Connection,
    table: str,
    there: Iterable[str],
    row: Mapping[str, object],
) -> None:
    kept = {name: value for name, value in row.items() if name in there}
    # Text that is not UTF-8 can only be written as bytes that are called text.
    marks = ["CAST(? AS TEXT)" if isinstance(v, bytearray) else "?" for v in kept.values()]
    names = ", ".join(kept)
    statement = f"INSERT INTO {table} ({names}) VALUES ({', '.join(marks)})"  # noqa: S608 - constants
    connection.execute(statement, list(kept.values()))


def _tables(connection: sqlite3.Connection) -> set[str]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {row[0] for row in found}


def _split(script: str) -> Iterator[str]:
    """Split a script at the ends of its statements."""
    statement = ""
    for part in script.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement) and statement.strip() != ";":
            yield statement
            statement = ""


def main(arguments: Sequence[str]) -> None:
    """Make all databases anew.

    Args:
        arguments: The directory, and perhaps names of those that are wanted.
    """
    directory = Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    for name, history in histories().items():
        if len(arguments) == 1 or name in arguments[1:]:
            path = directory / f"{name}.db"
            path.unlink(missing_ok=True)
            make(path, history)


if __name__ == "__main__":
    if len(sys.argv) < 2:  # noqa: PLR2004 - the program and the directory
        sys.exit(__doc__)
    main(sys.argv[1:])
