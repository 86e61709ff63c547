"""No value is lost, whatever it is: it is there, or in quarantine with its row around it."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from teleclaude.backends import LogicalType
from teleclaude_sqlite.adoption.quarantine import as_json, key_of
from teleclaude_sqlite.adoption.reading import UnreadableError, read, read_adapters, read_epoch

from .conftest import DATA, LAST, execute, rows_of, store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@pytest.fixture(autouse=True, scope="module")
def far_from_utc() -> Iterator[None]:
    """A local time that is not UTC: what has no offset is UTC wherever the reader lives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Pacific/Chatham")
        time.tzset()
        yield
    time.tzset()


MOMENTS = st.datetimes(timezones=st.just(UTC))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))

# --- instants -----------------------------------------------------------------------------------


def forms(moment: datetime) -> Mapping[str, datetime]:
    """The formats of the old program, and the instant each stands for."""
    second = moment.replace(microsecond=0)
    milli = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    day = f"{moment.year:04}-{moment:%m-%d}"
    return {
        f"{day} {moment:%H:%M:%S.%f}": moment,
        f"{day} {moment:%H:%M:%S}": second,
        f"{day}T{moment:%H:%M:%S.%f}+00:00": moment,
        f"{day}T{moment:%H:%M:%S}+00:00": second,
        f"{day}T{moment:%H:%M:%S}.{moment.microsecond // 1000:03}Z": milli,
    }


@given(MOMENTS)
def test_every_format_of_an_instant_is_understood(moment: datetime) -> None:
    """What the old program wrote means the same instant, to the microsecond."""
    for text, expected in forms(moment).items():
        assert read(LogicalType.INSTANT, text) == expected


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)), OFFSETS)  # noqa: DTZ001
def test_an_offset_counts(moment: datetime, offset: timezone) -> None:
    """An instant somebody gave with an offset is the same instant in UTC."""
    text = moment.replace(tzinfo=offset).isoformat()
    assert read(LogicalType.INSTANT, text) == moment.replace(tzinfo=offset)


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow 9am",
        "2026-02-30 10:00:00",
        "2026-02-01",
        "2026-02-01 25:00:00",
        "20260201T100000",
        "2026-W05-1",
        "2026-02-01 10:00:00.1234567",
        "2026-02-01 10:00:00+25:00",
        "\u0662026-02-01 10:00:00",
        " 2026-02-01 10:00:00",
        1769940000,
        1769940000.5,
    ],
)
def test_what_is_no_instant(text: object) -> None:
    """What is not a date and time, or would lose digits, is not guessed at."""
    with pytest.raises(UnreadableError, match="is not a date and time"):
        read(LogicalType.INSTANT, text)


@given(st.integers(0, 99_999_999_999))
def test_epochs(seconds: int) -> None:
    """Seconds stay as they are, milliseconds become seconds."""
    assert read_epoch(seconds) == seconds
    if seconds >= 10**8:
        assert read_epoch(seconds * 1000 + 999) == seconds


@pytest.mark.parametrize("number", [-(2**63), -62_135_596_801, 10**14, 2**63 - 1, 1.5, "soon"])
def test_what_is_no_epoch(number: object) -> None:
    """A number that no instant can stand for is not taken for one."""
    with pytest.raises(UnreadableError):
        read_epoch(number)


# --- documents ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("4711", 4711),
        ("-1001234567890", -1001234567890),
        ("0", 0),
        (5, 5),
        (None, None),
        ("", ""),
        ("007", "007"),
        ("general", "general"),
        ("\u0664", "\u0664"),
        ("99999999999999999999", "99999999999999999999"),
        (["1"], ["1"]),
    ],
)
def test_a_topic_becomes_a_number(topic: object, expected: object) -> None:
    """A Telegram topic that is the text of a number becomes that number, and nothing else does."""
    document = {"telegram": {"topic_id": topic, "n": "1"}, "discord": {"topic_id": "1"}}
    found = read_adapters(json.dumps(document))
    assert found == {**document, "telegram": {"topic_id": expected, "n": "1"}}


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', "{", "nothing", "[1,]", "1 2", "\ufeff{}"])
def test_what_is_no_document(text: str) -> None:
    """JSON that is broken, or that would lose a part, is not guessed at."""
    with pytest.raises(UnreadableError):
        read(LogicalType.DOCUMENT, text)


# --- whole databases ----------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
LONG_TEXTS = st.builds(lambda text, n: text * n, TEXTS, st.integers(1, 200))
INSTANTS = MOMENTS.flatmap(lambda moment: st.sampled_from(sorted(forms(moment))))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
).map(json.dumps)
ANYTHING = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=20),
    TEXTS,
    LONG_TEXTS,
    INSTANTS,
    JSON,
)

NULLABLE = {
    "sessions": [
        *("title", "tmux_session_name", "adapter_metadata", "created_at", "last_activity"),
        *("closed_at", "initiated_by_ai", "native_session_id", "last_output_at", "char_offset"),
        *("transcript_files", "lifecycle_status", "visibility", "last_tool_done_at"),
    ],
    "agent_availability": ["available", "unavailable_until", "reason", "mood"],
    "hook_outbox": ["created_at", "next_attempt_at", "attempt_count", "delivered_at", "last_error"],
    "memory_observations": ["title", "facts", "concepts", "prompt_number", "identity_key"],
    "voice_assignments": ["service_name", "voice", "assigned_at"],
    "pending_message_deletions": ["created_at"],
}
"""Columns into which any value fits; the old program had no `mood`."""

REQUIRED = {
    "sessions": ["session_id", "computer_name", "last_input_origin"],
    "system_settings": ["key", "value"],
    "hook_outbox": ["session_id", "event_type", "payload"],
    "notification_outbox": ["channel", "content", "status", "created_at", "next_attempt_at"],
    "webhook_outbox": ["event_json", "status", "attempt_count", "target_secret", "locked_at"],
    "webhook_contracts": ["id", "contract_json", "active", "created_at"],
    "memory_manual_sessions": ["project", "created_at_epoch"],
    "memory_observations": ["project", "type", "created_at", "created_at_epoch"],
    "session_listeners": ["caller_session_id", "registered_at"],
}
"""Columns into which anything fits but nothing at all."""

CHANGES = st.lists(
    st.sampled_from([(t, c, True) for t, names in NULLABLE.items() for c in names]).flatmap(
        lambda place: st.tuples(st.just(place), ANYTHING)
    )
    | st.sampled_from([(t, c, False) for t, names in REQUIRED.items() for c in names]).flatmap(
        lambda place: st.tuples(st.just(place), ANYTHING.filter(lambda value: value is not None))
    ),
    min_size=5,
    max_size=40,
)

KEYS = {
    "sessions": ["session_id"],
    "system_settings": ["key"],
    "agent_availability": ["agent"],
    "memory_manual_sessions": ["memory_session_id"],
    "session_listeners": ["target_session_id", "caller_session_id"],
}


def spoil(path: Path, changes: Sequence[tuple[tuple[str, str, bool], object]]) -> None:
    """Put values into rows of an old database, where its constraints admit them."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE agent_availability ADD COLUMN mood TEXT DEFAULT ''")
        for number, ((table, column, _), value) in enumerate(changes):
            statement = (
                f'UPDATE OR IGNORE {table} SET "{column}" = ? WHERE rowid = (SELECT rowid FROM'
                f" {table} LIMIT 1 OFFSET ? % (SELECT count(*) FROM {table}))"
            )
            connection.execute(statement, (value, number))


async def adopt(path: Path) -> None:
    async with store(path) as db:
        report = (await db.migrator.upgrade()).adoption
        assert report is not None
        assert await db.migrator.check() == []


def kept_of(new: Mapping[str, list[dict[str, Any]]]) -> set[tuple[str, str, str | None, str]]:
    return {
        (row["source_table"], row["source_key"], row["source_column"], row["original"])
        for row in new["quarantine"]
    }


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=CHANGES)
@example(changes=[(("sessions", "session_id", False), "a\0b"), (("sessions", "title", True), "\0")])
@example(changes=[(("sessions", "created_at", True), "0001-01-01T00:00:00+14:00")])
@example(changes=[(("hook_outbox", "payload", False), '{"n": 1e999}')])
@example(changes=[(("webhook_contracts", "id", False), b"\xff")])
@example(changes=[(("hook_outbox", "last_error", True), "")] * 8)
@example(
    changes=[
        (("memory_observations", "created_at", False), "long ago"),
        (("memory_observations", "created_at_epoch", False), -(2**63)),
    ]
    * 5
)
@example(changes=[(("sessions", "adapter_metadata", True), '{"\\u0000": "\\ud800"}')])
def test_no_value_is_lost(
    changes: Sequence[tuple[tuple[str, str, bool], object]],
) -> None:
    """Whatever was put into an old database, it can be adopted, and every text and number of it is
    in its row as it was or in quarantine."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "teleclaude.db"
        shutil.copy(DATA / "legacy" / f"{LAST}.db", path)
        spoil(path, changes)
        old = rows_of(path)
        asyncio.run(adopt(path))
        new = rows_of(path)
        assert execute(path, "PRAGMA foreign_key_check") == []
    kept = kept_of(new)
    rejected = {(table, original) for table, _, column, original in kept if column is None}
    for table, columns in {**NULLABLE, **REQUIRED}.items():
        names = KEYS.get(table, ["id"])
        found = {tuple(row[name] for name in names): row for row in new[table]}
        for row in old[table]:
            key = tuple(row[name] for name in names)
            if key not in found:
                assert (table, as_json(row)) in rejected
                continue
            for column in columns:
                value, now = row[column], found[key].get(column)
                if isinstance(value, str | bytes) and now != value:
                    is_kept = (table, key_of(list(key)), column, as_json(value)) in kept
                    assert is_kept or may_differ(column, value, now)


SETTLED = {
    ("lifecycle_status", "active", "closed"),
    ("status", "pending", "dead"),
    *(("type", old, "discovery") for old in ("bugfix", "feature", "refactor", "change")),
}
"""By column: what may have become what."""


def may_differ(column: str, old: object, new: object) -> bool:
    """Whether a text may have become another one without being kept in quarantine."""
    if column == "mood":
        return False
    if old == "" or (column, old, new) in SETTLED:
        return True
    if column == "locked_at":
        return new is None
    if column.endswith(("_at", "_until", "_activity")):
        moment = datetime.fromisoformat(str(old))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment == datetime.fromisoformat(str(new))
    document = json.loads(str(old))
    return document is None or document == json.loads(str(new))
