"""What goes into a session comes out of it, or is refused before the database sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from teleclaude.errors import InvalidValueError
from teleclaude.store.models import metadata
from teleclaude.store.types import BigInt, Flag, JsonDocument, Key, LongText, UtcDateTime
from teleclaude.testing.documents import documents, exactly
from teleclaude.testing.fixtures import async_fixture
from teleclaude.testing.hostile import MEGABYTE, REFUSED_TEXTS, TEXTS

if TYPE_CHECKING:
    from teleclaude.store import Db

SESSIONS = metadata.tables["sessions"]


def columns(*kinds: type) -> list[str]:
    return [column.name for column in SESSIONS.columns if type(column.type) in kinds]


TEXT_COLUMNS = columns(Key, LongText)
LONG_COLUMNS = columns(LongText)


@async_fixture
async def session_id(db: Db) -> str:
    return (await db.sessions.create("mac", None, "api")).session_id


# --- text ---------------------------------------------------------------------------------------


async def test_hostile_text_comes_back_unchanged(db: Db) -> None:
    """Unusual text in every text column is stored and found as it is."""
    for text in TEXTS.values():
        await comes_back_unchanged(db, text)


async def comes_back_unchanged(db: Db, text: str) -> None:
    given: dict[str, Any] = dict.fromkeys(TEXT_COLUMNS, text)
    session = await db.sessions.create(**given | {"title": text or "-"})
    assert {field: getattr(session, field) for field in given} == given | {"title": text or "-"}
    assert await db.sessions.get(text) == session
    found = await db.sessions.find_by_field("subdir", text, include_initializing=True)
    assert found == session


async def test_a_megabyte_of_text_comes_back_unchanged(db: Db, session_id: str) -> None:
    """A text column has no limit of its own."""
    assert len(MEGABYTE.encode()) > 2**20
    await db.sessions.update(session_id, **dict.fromkeys(LONG_COLUMNS, MEGABYTE))
    stored = await db.sessions.get(session_id)
    assert stored is not None
    assert all(getattr(stored, field) == MEGABYTE for field in LONG_COLUMNS)
    assert await db.sessions.find_by_title_prefix(MEGABYTE) == [stored]


async def test_refused_text(db: Db) -> None:
    """What is no text that every engine can store is refused by table and column."""
    valid = {"computer_name": "mac", "tmux_session_name": None, "last_input_origin": "api"}
    for field, (value, reason) in product(TEXT_COLUMNS, REFUSED_TEXTS.values()):
        with pytest.raises(InvalidValueError, match=rf"^The value for sessions\.{field} {reason}"):
            await db.sessions.create(**valid | {field: value})  # type: ignore[arg-type]
    assert await db.sessions.count() == 0


async def test_a_key_has_a_limit(db: Db) -> None:
    """A key of 1000 bytes is stored on every engine, and a longer one refused."""
    longest = "\N{SNOWMAN}" * 333 + "x"
    longest_keys: dict[str, Any] = dict.fromkeys(columns(Key), longest)
    session = await db.sessions.create(**longest_keys)
    assert await db.sessions.get(longest) == session
    for field in columns(Key):
        with pytest.raises(InvalidValueError, match=rf"\.{field} takes 1001 bytes; at most 1000"):
            await db.sessions.create(**longest_keys | {"session_id": "1", field: longest + "x"})
    assert await db.sessions.count() == 1


# --- instants -----------------------------------------------------------------------------------

INSTANTS = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(2024, 1, 1, 0, 0, 0, 999999, tzinfo=UTC),
    datetime(2024, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    datetime(2024, 1, 1, tzinfo=timezone(-timedelta(hours=12))),
    datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=53, seconds=28))),
    datetime(2024, 2, 29, 12, tzinfo=UTC),
)


async def test_instants_come_back_in_utc(db: Db, session_id: str) -> None:
    """Every instant column gives the same moment in UTC, however it was written."""
    for instant, written in product(INSTANTS, (datetime, datetime.isoformat)):
        form = instant if written is datetime else instant.isoformat()
        fields = dict.fromkeys(columns(UtcDateTime), form)
        await db.sessions.update(session_id, created_at=datetime(2000, 1, 1, tzinfo=UTC))
        await db.sessions.update(session_id, **fields)
        stored = await db.sessions.get(session_id)
        assert stored is not None
        for field in fields:
            value = getattr(stored, field)
            assert (value, value.utcoffset()) == (instant, timedelta(0))


REFUSED_INSTANTS = (
    (datetime(2024, 1, 1), "has no time zone"),  # noqa: DTZ001
    ("2024-01-01T00:00:00", "has no time zone"),
    ("2024-01-01 00:00:00", "has no time zone"),
    ("yesterday", "is not an ISO 8601 date and time"),
    ("", "is not an ISO 8601 date and time"),
    ("2024-13-01T00:00:00Z", "is not an ISO 8601 date and time"),
    ("10000-01-01T00:00:00Z", "is not an ISO 8601 date and time"),
    (datetime(2024, 1, 1).date(), "must be a date and time, not date"),  # noqa: DTZ001
    (0, "must be a date and time, not int"),
    (1700000000.5, "must be a date and time, not float"),
    (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "lies outside the years 1 to"),
    (datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))), "lies outside the years 1"),
)


async def test_refused_instants(db: Db) -> None:
    """A moment that is not a definite one is refused by table and column."""
    value: Any
    for field, (value, reason) in product(columns(UtcDateTime), REFUSED_INSTANTS):
        with pytest.raises(InvalidValueError, match=rf"^The value for sessions\.{field} {reason}"):
            await db.sessions.create("mac", None, "api", **{field: value})
    assert await db.sessions.count() == 0


# --- integers and flags -------------------------------------------------------------------------


async def test_integers_of_64_bits(db: Db, session_id: str) -> None:
    """Every integer of 64 bits is stored exactly."""
    numbers = (0, -1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63))
    for field, number in product(columns(BigInt), numbers):
        await db.sessions.update(session_id, **{field: number})
        assert await db.sessions.get_field(session_id, field) == number
        assert await db.sessions.find_by_field(field, number) is not None


async def test_refused_integers(db: Db) -> None:
    """What is no integer of 64 bits is refused by table and column."""
    numbers: tuple[Any, ...] = (2**63, -(2**63) - 1, 10**5000, 1.5, "7", True)
    for field, number in product(columns(BigInt), numbers):
        with pytest.raises(InvalidValueError, match=rf"^The value for sessions\.{field} "):
            await db.sessions.create("mac", None, "api", **{field: number})
    assert await db.sessions.count() == 0


async def test_flags(db: Db, session_id: str) -> None:
    """A flag is true or false, and nothing that looks like it is taken for one."""
    for field, flag in product(columns(Flag), (True, False)):
        await db.sessions.update(session_id, **{field: flag})
        assert await db.sessions.get_field(session_id, field) is flag
    for field, value in product(columns(Flag), (0, 1, "true", "", 0.0)):
        with pytest.raises(InvalidValueError, match=rf"sessions\.{field} must be true or false"):
            await db.sessions.update(session_id, **{field: value})


# --- documents ----------------------------------------------------------------------------------

DOCUMENTS: tuple[object, ...] = (
    {},
    [],
    [0.1, 1e16, 1e300, 5e-324, 1.7976931348623157e308, 1e-7, 123456789012345680.0, -1.5],
    [1.0, -2.0, 0.0],
    [2**63 - 1, -(2**63), 2**53 + 1, 0, -1],
    [True, False, None],
    {"a": [{"b": [[[{"c": {}}]]]}]},
    {text: text for text in TEXTS.values()},
    ['{"a": 1e+20}', "99999999999999999999", "1e+400", "\\u0000", '\\"'],
    {"1e+20": "1e+20", "9" * 30: "9" * 30},
    {"b": 1, "a": 2, "B": 3, "\u00e4": 4, "": 5},
    {"key": 1, "KEY": 2},
    {"text": MEGABYTE},
)


async def test_documents_come_back_exactly(db: Db) -> None:
    """A document comes back with the same values of the same types."""
    for document in DOCUMENTS:
        session = await db.sessions.create("mac", None, "api", adapter_metadata=document)
        assert exactly(session.adapter_metadata) == exactly(document)
        stored = await db.sessions.get_field(session.session_id, "adapter_metadata")
        assert exactly(stored) == exactly(document)
        assert await db.sessions.update(session.session_id, adapter_metadata=document) == ()


async def test_negative_zero_is_zero(db: Db) -> None:
    """Not every engine has a negative zero, so it is stored as zero on all of them."""
    session = await db.sessions.create("mac", None, "api", adapter_metadata=[-0.0, "-0.0"])
    stored = await db.sessions.get_field(session.session_id, "adapter_metadata")
    assert exactly(stored) == exactly([0.0, "-0.0"])


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(several=st.lists(documents, min_size=10, max_size=10))
async def test_any_document_comes_back_exactly(db: Db, several: list[object]) -> None:
    """Whatever JSON can say, the database gives it back."""
    async with db.transaction() as tx:
        for document in several:
            session = await tx.sessions.create("mac", None, "api", adapter_metadata=document)
            stored = await tx.sessions.get_field(session.session_id, "adapter_metadata")
            assert exactly(stored) == exactly(document)


REFUSED_DOCUMENTS = (
    ([float("nan")], "is not a JSON document"),
    ([float("inf")], "is not a JSON document"),
    ({"a": {"b": -float("inf")}}, "is not a JSON document"),
    (["a\0"], "contains a NUL character"),
    ({"a\0": 1}, "contains a NUL character"),
    (["\\\0"], "contains a NUL character"),
    (["\ud800"], "contains a lone surrogate"),
    ({"\udfff": 1}, "contains a lone surrogate"),
    ([2**63], "contains an integer that does not fit into 64 bits"),
    ({"a": -(2**63) - 1}, "contains an integer that does not fit into 64 bits"),
    ([10**30], "contains an integer that does not fit into 64 bits"),
    ([10**5000], "is not a JSON document"),
    ([b"bytes"], "is not a JSON document"),
    ([datetime(2024, 1, 1, tzinfo=UTC)], "is not a JSON document"),
    ([{1, 2}], "is not a JSON document"),
    ({(1, 2): 3}, "is not a JSON document"),
    ("text", "must be a JSON object or array, not str"),
    (1, "must be a JSON object or array, not int"),
    (("tuple",), "must be a JSON object or array, not tuple"),
)


async def test_refused_documents_of_sessions(db: Db) -> None:
    """What an engine could not keep is refused by table and column."""
    document: Any
    for field, (document, reason) in product(columns(JsonDocument), REFUSED_DOCUMENTS):
        with pytest.raises(InvalidValueError, match=rf"^The value for sessions\.{field} {reason}"):
            await db.sessions.create("mac", None, "api", **{field: document})
    assert await db.sessions.count() == 0


async def test_documents_nested_too_deeply(db: Db) -> None:
    """A document that refers to itself or has no end in sight is refused."""
    endless: list[object] = []
    endless.append(endless)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for document in (endless, deep):
        with pytest.raises(InvalidValueError, match=r"sessions.adapter_metadata is not a JSON"):
            await db.sessions.create("mac", None, "api", adapter_metadata=document)
    assert await db.sessions.count() == 0
