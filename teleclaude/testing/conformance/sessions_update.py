"""Updating sessions."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest

from teleclaude.errors import InvalidValueError, NotFoundError
from teleclaude.testing.fixtures import async_fixture
from teleclaude.testing.processes import store_process

if TYPE_CHECKING:
    from teleclaude.config import Config
    from teleclaude.store import Db, SessionRecord
    from teleclaude.testing.clock import MutableClock


@async_fixture
async def session(db: Db, clock: MutableClock) -> SessionRecord:
    """A session that was created a minute ago."""
    session = await db.sessions.create(
        "mac", "tmux", "api", session_id="1", adapter_metadata={"a": {"b": 1}}, char_offset=1
    )
    clock.advance(60)
    return session


async def test_update_says_what_changed(db: Db, session: SessionRecord) -> None:
    """The names of the changed fields are given, sorted; everything else stays."""
    names = await db.sessions.update("1", title="new", subdir="sub", computer_name="mac")
    assert names == ("subdir", "title")
    assert await db.sessions.get("1") == session._replace(title="new", subdir="sub")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"title": "[mac] Untitled", "char_offset": 1},
        {"adapter_metadata": {"a": {"b": 1}}, "char_offset": 1, "initiated_by_ai": False},
        {"subdir": None, "closed_at": None},
        {"created_at": "2025-03-01T13:00:00.123456+01:00", "computer_name": "mac"},
    ],
)
async def test_what_is_already_so_is_not_written(
    db: Db, session: SessionRecord, statements: list[str], fields: dict[str, object]
) -> None:
    """Nothing changed: no names are given and no UPDATE is sent."""
    assert await db.sessions.update("1", **fields) == ()
    assert not [sql for sql in statements if "UPDATE sessions" in sql]
    assert await db.sessions.get("1") == session


@pytest.mark.parametrize(
    "field",
    [
        {"title": "[mac] Untitled"},
        {"subdir": None},
        {"char_offset": 1},
        {"initiated_by_ai": False},
        {"created_at": "2025-03-01T13:00:00.123456+01:00"},
        {"adapter_metadata": {"a": {"b": 1}}},
    ],
    ids=str,
)
async def test_one_field_that_is_already_so(
    db: Db, session: SessionRecord, field: dict[str, object]
) -> None:
    """The database sees by itself that a single field of any type is what it should be."""
    assert await db.sessions.update("1", **field) == ()
    assert await db.sessions.get("1") == session


async def test_an_enumeration_is_its_text(db: Db, session: SessionRecord) -> None:
    """A member of a text enumeration is stored as its value and compared as such."""

    class Status(StrEnum):
        ACTIVE = "active"
        PAUSED = "paused"

    assert await db.sessions.update("1", lifecycle_status=Status.ACTIVE) == ()
    assert await db.sessions.update("1", lifecycle_status=Status.PAUSED) == ("lifecycle_status",)
    assert await db.sessions.get("1") == session._replace(lifecycle_status="paused")


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        ({"n": 1}, {"n": 1.0}),
        ({"n": 1}, {"n": True}),
        ({"n": 0}, {"n": False}),
        ({"n": None}, {}),
        ([1, 2], [2, 1]),
        ({}, []),
    ],
)
async def test_documents_differ_where_json_differs(db: Db, stored: object, wanted: object) -> None:
    """What Python calls equal but JSON does not, is a change."""
    await db.sessions.update("1", adapter_metadata=stored)
    assert await db.sessions.update("1", adapter_metadata=wanted) == ("adapter_metadata",)
    found = await db.sessions.get_field("1", "adapter_metadata")
    assert repr(found) == repr(wanted)
    assert await db.sessions.update("1", adapter_metadata=wanted) == ()


@pytest.mark.parametrize(
    ("field", "stamp"),
    [("last_message_sent", "last_message_sent_at"), ("last_output_raw", "last_output_at")],
)
async def test_stamps(
    db: Db, clock: MutableClock, session: SessionRecord, field: str, stamp: str
) -> None:
    """Setting a message or an output notes the time, unless the caller gives one."""
    names = tuple(sorted((field, stamp)))
    set_: dict[str, Any] = {field: "text", stamp: clock.now}
    assert await db.sessions.update("1", **{field: "text"}) == names
    assert await db.sessions.get("1") == session._replace(**set_)
    clock.advance()
    assert await db.sessions.update("1", **{field: "text"}) == (stamp,)
    assert await db.sessions.get_field("1", stamp) == clock.now
    given = datetime(2024, 1, 1, tzinfo=UTC)
    assert await db.sessions.update("1", **{field: "more", stamp: given}) == names
    assert await db.sessions.get_field("1", stamp) == given
    assert await db.sessions.update("1", **{field: None}) == (field,)
    assert await db.sessions.get_field("1", stamp) == given
    assert await db.sessions.update("1", **{field: "again", stamp: None}) == names
    assert await db.sessions.get_field("1", stamp) is None


async def test_iso_text_is_an_instant(db: Db, session: SessionRecord) -> None:
    """Instants may be given as ISO 8601 text with an offset."""
    await db.sessions.update("1", last_tool_use_at="2024-02-29T23:59:59.5-05:30")
    moment = datetime(2024, 3, 1, 5, 29, 59, 500000, tzinfo=UTC)
    assert await db.sessions.get("1") == session._replace(last_tool_use_at=moment)


REFUSED: tuple[tuple[dict[str, object], str], ...] = (
    ({"titel": "x"}, r"no field 'titel'\. Did you mean 'title'\?"),
    ({"id_": "x"}, "no field 'id_'"),
    ({"session_id": "2"}, "The field 'session_id' of a session cannot be changed"),
    ({"computer_name": None}, "sessions.computer_name must not be null"),
    ({"title": 5}, "sessions.title must be text, not int"),
    ({"title": "a\0b"}, "sessions.title contains a NUL"),
    ({"char_offset": True}, "sessions.char_offset must be an integer, not bool"),
    ({"char_offset": 1.0}, "sessions.char_offset must be an integer, not float"),
    ({"initiated_by_ai": 0}, "sessions.initiated_by_ai must be true or false, not int"),
    ({"closed_at": datetime(2024, 1, 1)}, "sessions.closed_at has no time zone"),  # noqa: DTZ001
    ({"closed_at": "2024-01-01"}, "sessions.closed_at has no time zone"),
    ({"adapter_metadata": {"a": float("nan")}}, "sessions.adapter_metadata is not a JSON"),
    ({"adapter_metadata": "{}"}, "must be a JSON object or array, not str"),
)


async def test_a_refused_update_changes_nothing(db: Db, session: SessionRecord) -> None:
    """One field that cannot be set, and none of the others is."""
    for fields, message in REFUSED:
        with pytest.raises(InvalidValueError, match=message):
            await db.sessions.update("1", subdir="x", **fields)
        assert await db.sessions.get("1") == session


async def test_update_of_nobody(db: Db) -> None:
    """An unknown session is an error, whether or not there is something to change."""
    with pytest.raises(NotFoundError, match="There is no session 'nobody'"):
        await db.sessions.update("nobody", title="x")
    with pytest.raises(NotFoundError, match="There is no session 'nobody'"):
        await db.sessions.update("nobody")


async def test_a_closed_session_can_be_updated_and_reopened(db: Db, session: SessionRecord) -> None:
    """Being closed is a state like any other; flags and times are plain fields."""
    await db.sessions.close("1")
    await db.sessions.update("1", notification_sent=True)
    await db.sessions.update("1", closed_at=None, lifecycle_status="active")
    assert await db.sessions.get("1") == session._replace(notification_sent=True)


@pytest.mark.usefixtures("session")
async def test_concurrent_updates_of_different_fields(db: Db) -> None:
    """Of many updates at once, each of its own field, none is lost."""
    fields = ("title", "subdir", "description", "project_path", "tui_log_file", "working_slug")

    async def update(field: str) -> None:
        for number in range(5):
            await db.sessions.update("1", **{field: f"{field} {number}"})

    await asyncio.gather(*map(update, fields))
    stored = await db.sessions.get("1")
    assert stored is not None
    assert [getattr(stored, field) for field in fields] == [f"{field} 4" for field in fields]


@pytest.mark.usefixtures("session")
async def test_two_processes_update_different_fields(db: Db, migrated_config: Config) -> None:
    """Two processes that write the same session lose nothing of each other."""
    path, times = migrated_config.path, 25
    async with (
        store_process("update_session", path, "1", "title", times) as one,
        store_process("update_session", path, "1", "subdir", times) as other,
    ):
        await one.said()
        await other.said()
        await asyncio.gather(one.finish(), other.finish())
    stored = await db.sessions.get("1")
    assert stored is not None
    assert (stored.title, stored.subdir) == ("24", "24")


@pytest.mark.usefixtures("session")
async def test_an_update_sees_what_it_waited_for(db: Db) -> None:
    """An update that waits for a transaction compares with what that has left."""
    async with db.transaction() as tx:
        await tx.sessions.update("1", title="new")
        waiting = asyncio.create_task(db.sessions.update("1", title="new", subdir="sub"))
        await asyncio.wait([waiting], timeout=0.1)
        assert not waiting.done()
    assert await waiting == ("subdir",)


@pytest.mark.usefixtures("session")
async def test_an_update_finds_done_what_it_waited_for(db: Db) -> None:
    """An update of a field that a transaction has set to the same meanwhile changes nothing."""
    async with db.transaction() as tx:
        await tx.sessions.update("1", title="new")
        waiting = asyncio.create_task(db.sessions.update("1", title="new"))
        await asyncio.wait([waiting], timeout=0.1)
        assert not waiting.done()
    assert await waiting == ()


@pytest.mark.usefixtures("session")
async def test_the_last_of_two_updates_of_a_field_wins(db: Db, clock: MutableClock) -> None:
    """Updates of one field happen one after the other, whole."""
    moments = [clock.now + timedelta(seconds=number) for number in range(10)]
    await asyncio.gather(
        *(db.sessions.update("1", title=str(m), last_output_at=m) for m in moments)
    )
    stored = await db.sessions.get("1")
    assert stored is not None
    assert stored.title == str(stored.last_output_at)
