"""People's own SQL on the tables: defaults, constraints, and ids that are never given twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from teleclaude.store.models import metadata

if TYPE_CHECKING:
    from teleclaude.store import Db
    from teleclaude.testing.fixtures import Execute

NOW = "'2024-01-01T00:00:00.000000+00:00'"


async def test_plain_sql_may_leave_out_what_has_a_default(db: Db, execute: Execute) -> None:
    """A row that somebody's own SQL inserted has the same defaults as one of the store."""
    execute(
        "INSERT INTO sessions (session_id, computer_name, title, created_at, last_activity)"
        f" VALUES ('1', 'mac', '[mac] Untitled', {NOW}, {NOW})"
    )
    own = await db.sessions.create("mac", None, "telegram")
    found = await db.sessions.get("1")
    assert found is not None
    assert found == own._replace(
        session_id="1", created_at=found.created_at, last_activity=found.last_activity
    )


REQUIRED = {
    "agent_availability": {"agent": "'a'"},
    "hook_outbox": {
        "session_id": "'1'",
        "event_type": "'x'",
        "payload": "'{}'",
        "created_at": NOW,
        "next_attempt_at": NOW,
    },
    "memory_manual_sessions": {
        "memory_session_id": "'m'",
        "project": "'p'",
        "created_at_epoch": "0",
    },
    "memory_observations": {
        "memory_session_id": "'m'",
        "project": "'p'",
        "type": "'t'",
        "created_at": NOW,
        "created_at_epoch": "0",
    },
    "memory_summaries": {
        "memory_session_id": "'m'",
        "project": "'p'",
        "created_at": NOW,
        "created_at_epoch": "0",
    },
    "notification_outbox": {
        "channel": "'c'",
        "recipient_email": "'e'",
        "content": "''",
        "created_at": NOW,
    },
    "pending_message_deletions": {
        "session_id": "'1'",
        "message_id": "'m'",
        "deletion_type": "'feedback'",
        "created_at": NOW,
    },
    "quarantine": {
        "source_table": "'t'",
        "source_key": "'k'",
        "original": "'null'",
        "reason": "'r'",
        "quarantined_at": NOW,
    },
    "session_listeners": {
        "target_session_id": "'1'",
        "caller_session_id": "'2'",
        "caller_tmux_session": "'t'",
        "registered_at": NOW,
    },
    "sessions": {
        "session_id": "'2'",
        "computer_name": "'mac'",
        "created_at": NOW,
        "last_activity": NOW,
    },
    "system_settings": {"key": "'k'", "value": "''", "updated_at": NOW},
    "voice_assignments": {"id": "'v'", "assigned_at": NOW},
    "webhook_contracts": {
        "id": "'w'",
        "contract_json": "'{}'",
        "created_at": NOW,
        "updated_at": NOW,
    },
    "webhook_outbox": {
        "contract_id": "'w'",
        "event_json": "'{}'",
        "target_url": "'u'",
        "created_at": NOW,
    },
}
"""What an INSERT of plain SQL must name, with values every engine reads."""


def test_every_table_is_tried() -> None:
    """The list above is complete."""
    assert set(REQUIRED) == set(metadata.tables)


async def test_what_must_be_named_and_what_not(db: Db, execute: Execute) -> None:
    """In every table, exactly the columns without a default must be named."""
    await db.sessions.create("mac", None, "api", session_id="1")
    for table, values in REQUIRED.items():
        for missing in values:
            with pytest.raises(Exception, match=missing):
                execute(insert(table, values | {missing: "NULL"}))
        execute(insert(table, values))


def insert(table: str, values: dict[str, str]) -> str:
    names = ", ".join(f'"{name}"' for name in values)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join(values.values())})"


@pytest.mark.parametrize(
    ("sql", "constraint"),
    [
        (
            (
                "INSERT INTO pending_message_deletions"
                " (session_id, message_id, deletion_type, created_at)"
                f" VALUES ('1', 'm', 'other', {NOW})"
            ),
            "check",
        ),
        (
            (
                "INSERT INTO pending_message_deletions"
                " (session_id, message_id, deletion_type, created_at)"
                f" VALUES ('nobody', 'm', 'feedback', {NOW})"
            ),
            "foreign key",
        ),
        (
            (
                "INSERT INTO pending_message_deletions"
                " (session_id, message_id, deletion_type, created_at)"
                f" VALUES ('1', 'm', 'feedback', {NOW}), ('1', 'm', 'feedback', {NOW})"
            ),
            "unique",
        ),
        (
            (
                "INSERT INTO memory_manual_sessions (memory_session_id, project, created_at_epoch)"
                " VALUES ('a', 'p', 0), ('b', 'p', 0)"
            ),
            "unique",
        ),
    ],
)
async def test_constraints_hold(db: Db, execute: Execute, sql: str, constraint: str) -> None:
    """The database itself refuses what the tables do not allow."""
    await db.sessions.create("mac", None, "api", session_id="1")
    with pytest.raises(Exception, match=rf"(?i){constraint}"):
        execute(sql)


async def test_ids_are_never_given_twice(db: Db, execute: Execute) -> None:
    """After the row with the highest id is deleted, and after all are, new rows get new ids."""
    insert = (
        "INSERT INTO hook_outbox (session_id, event_type, payload, created_at, next_attempt_at)"
        f" VALUES ('1', 'x', '{{}}', {NOW}, {NOW}) RETURNING id"
    )

    [[first]], [[second]], [[third]] = [execute(insert) for _ in range(3)]
    assert first < second < third
    execute(f"DELETE FROM hook_outbox WHERE id = {third}")
    [[fourth]] = execute(insert)
    assert third < fourth
    execute("DELETE FROM hook_outbox")
    [[fifth]] = execute(insert)
    assert fourth < fifth
    assert await db.sessions.count() == 0
