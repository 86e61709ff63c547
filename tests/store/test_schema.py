"""The tables as people's own SQL and the records see them."""

from __future__ import annotations

from datetime import datetime
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

import pytest

from teleclaude.errors import InvalidValueError
from teleclaude.store import models, records
from teleclaude.store.models import Model, metadata
from teleclaude.store.types import (
    BigInt,
    Flag,
    JsonDocument,
    Key,
    LongText,
    SurrogateKey,
    UtcDateTime,
)

if TYPE_CHECKING:
    from sqlalchemy import Column

    from provisioning import Provisioner, Section
    from teleclaude.store import Db

RECORDS: dict[type, type[Model]] = {
    records.SessionRecord: models.Session,
    records.HookEvent: models.HookOutboxRow,
    records.Notification: models.NotificationOutboxRow,
    records.Webhook: models.WebhookOutboxRow,
    records.Listener: models.SessionListener,
    records.Voice: models.VoiceAssignment,
    records.Contract: models.WebhookContract,
    records.ObservationRecord: models.Observation,
    records.SummaryRecord: models.Summary,
}
"""Every record and the table whose rows it holds."""

NO_ROWS = {records.Availability, records.OutboxStats, records.SavedObservation}
"""Records that are put together from something else."""

PYTHON_TYPES: dict[type, set[object]] = {
    Key: {str},
    LongText: {str},
    BigInt: {int},
    SurrogateKey: {int},
    Flag: {bool},
    UtcDateTime: {datetime},
    JsonDocument: {dict, list},
}

COLUMNS = [column for table in metadata.sorted_tables for column in table.columns]

NOW = "'2024-01-01T00:00:00.000000+00:00'"


def members(hint: object) -> set[object]:
    """The classes a type hint admits."""
    if get_origin(hint) in (Union, UnionType):
        return {member for one in get_args(hint) for member in members(one)}
    return {get_origin(hint) or hint}


def test_every_record_is_held_to_a_table() -> None:
    """A record that is added must be added here, too."""
    found = {one for one in vars(records).values() if hasattr(one, "_fields")}
    assert found == {*RECORDS, *NO_ROWS}


@pytest.mark.parametrize(("record", "model"), RECORDS.items())
def test_records_have_the_columns_of_their_table(record: Any, model: type[Model]) -> None:
    """Same names, same order, compatible types and nullability."""
    table = model.metadata.tables[str(model.__tablename__)]
    assert record._fields == tuple(table.columns.keys())
    hints = get_type_hints(record)
    for column in table.columns:
        admitted = members(hints[column.name])
        assert (NoneType in admitted) is bool(column.nullable), column
        assert admitted - {NoneType} <= PYTHON_TYPES[type(column.type)], column


@pytest.mark.parametrize("column", COLUMNS, ids=str)
def test_refusals_name_the_column(column: Column[Any]) -> None:
    """Every column's type knows which column it belongs to."""
    check = column.type._check
    with pytest.raises(InvalidValueError, match=f"The value for {column} "):
        check(object())


def test_names_fit_every_engine() -> None:
    """Constraints and indexes have names of at most 63 bytes, each of them once."""
    names = []
    for table in metadata.tables.values():
        names += [table.name, *table.columns.keys()]
        things = [str(one.name) for one in (*table.constraints, *table.indexes)]
        assert "None" not in things
        names += things
    assert max(len(name.encode()) for name in names) <= 63
    constraints = [str(c.name) for t in metadata.tables.values() for c in t.constraints]
    indexes = [str(i.name) for t in metadata.tables.values() for i in t.indexes]
    assert len(set(constraints + indexes)) == len(constraints + indexes)


async def test_plain_sql_may_leave_out_what_has_a_default(
    db: Db, provisioner: Provisioner, migrated_section: Section
) -> None:
    """A row that somebody's own SQL inserted has the same defaults as one of the store."""
    provisioner.execute(
        "INSERT INTO sessions (session_id, computer_name, title, created_at, last_activity)"
        f" VALUES ('1', 'mac', '[mac] Untitled', {NOW}, {NOW})",
        section=migrated_section,
    )
    own = await db.sessions.create("mac", None, "telegram")
    found = await db.sessions.get("1")
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


async def test_what_must_be_named_and_what_not(
    db: Db, provisioner: Provisioner, migrated_section: Section
) -> None:
    """In every table, exactly the columns without a default must be named."""
    await db.sessions.create("mac", None, "api", session_id="1")
    for table, values in REQUIRED.items():
        for missing in values:
            with pytest.raises(Exception, match=missing):
                provisioner.execute(
                    insert(table, values | {missing: "NULL"}), section=migrated_section
                )
        provisioner.execute(insert(table, values), section=migrated_section)


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
async def test_constraints_hold(
    db: Db, provisioner: Provisioner, migrated_section: Section, sql: str, constraint: str
) -> None:
    """The database itself refuses what the tables do not allow."""
    await db.sessions.create("mac", None, "api", session_id="1")
    with pytest.raises(Exception, match=rf"(?i){constraint}"):
        provisioner.execute(sql, section=migrated_section)


async def test_ids_are_never_given_twice(
    db: Db, provisioner: Provisioner, migrated_section: Section
) -> None:
    """After the row with the highest id is deleted, and after all are, new rows get new ids."""
    insert = (
        "INSERT INTO hook_outbox (session_id, event_type, payload, created_at, next_attempt_at)"
        f" VALUES ('1', 'x', '{{}}', {NOW}, {NOW}) RETURNING id"
    )

    def execute(sql: str) -> list[tuple[object, ...]]:
        return provisioner.execute(sql, section=migrated_section)

    assert [execute(insert) for _ in range(3)] == [[(1,)], [(2,)], [(3,)]]
    execute("DELETE FROM hook_outbox WHERE id = 3")
    assert execute(insert) == [(4,)]
    execute("DELETE FROM hook_outbox")
    assert execute(insert) == [(5,)]
    assert await db.sessions.count() == 0
