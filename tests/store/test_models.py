"""The tables and the records that hold their rows, without any database."""

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
    check = column.type._checker()
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
