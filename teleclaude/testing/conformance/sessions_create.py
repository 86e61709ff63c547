"""Creating, reading, closing and deleting sessions."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from teleclaude.errors import ConflictError, InvalidValueError, NotFoundError

if TYPE_CHECKING:
    from teleclaude.store import Db
    from teleclaude.testing.clock import MutableClock
    from teleclaude.testing.fixtures import Execute


async def test_a_new_session_is_open_and_active(db: Db, clock: MutableClock) -> None:
    """What `create` was told is stored, and everything else has its default."""
    session = await db.sessions.create("mac", "tmux-1", "telegram", "A title")
    assert session.computer_name == "mac"
    assert session.tmux_session_name == "tmux-1"
    assert session.last_input_origin == "telegram"
    assert session.title == "A title"
    assert session.created_at == session.last_activity == clock.now
    assert session.closed_at is None
    assert session.lifecycle_status == "active"
    assert session.terminal_size == "80x24"
    assert session.visibility == "private"
    assert session.transcript_files == []
    assert session.char_offset == 0
    assert session.initiated_by_ai is False
    assert session.notification_sent is False
    assert session.tui_capture_started is False
    assert session.adapter_metadata is None


async def test_what_create_gives_is_what_is_stored(db: Db) -> None:
    """The record that `create` gives is the one that `get` reads."""
    session = await db.sessions.create(
        "mac",
        "tmux-1",
        "telegram",
        adapter_metadata={"telegram": {"topic": 7, "ratio": 0.5}},
        transcript_files=["a", "b"],
        initiated_by_ai=True,
        char_offset=2**62,
        project_path="/project",
        last_output_at="2024-05-05T05:05:05+02:00",
    )
    stored = await db.sessions.get(session.session_id)
    assert stored == session
    assert type(stored) is type(session)
    assert session.last_output_at == datetime(2024, 5, 5, 3, 5, 5, tzinfo=UTC)


async def test_ids_are_random_uuids(db: Db) -> None:
    """Without an id, each session gets a UUID of version 4 of its own."""
    ids = {(await db.sessions.create("mac", None, "telegram")).session_id for _ in range(3)}
    assert len(ids) == 3
    assert all(UUID(one).version == 4 and str(UUID(one)) == one for one in ids)


async def test_a_given_id_is_kept(db: Db) -> None:
    """An id that the caller chose is used as it is."""
    session = await db.sessions.create("mac", None, "telegram", session_id="my id")
    assert session.session_id == "my id"
    assert await db.sessions.get("my id") == session


async def test_an_existing_id_is_a_conflict(db: Db) -> None:
    """Creating a session with an id that exists fails and leaves the existing one alone."""
    session = await db.sessions.create("mac", None, "telegram", "first", session_id="1")
    with pytest.raises(ConflictError, match="already a session '1'"):
        await db.sessions.create("pc", None, "api", "second", session_id="1")
    assert await db.sessions.list_all() == [session]


async def test_only_one_of_many_gets_an_id(db: Db) -> None:
    """Of those who create the same id at once, one succeeds and the others are told."""
    results = await asyncio.gather(
        *(db.sessions.create(f"pc-{n}", None, "api", session_id="1") for n in range(10)),
        return_exceptions=True,
    )
    winners = [one for one in results if not isinstance(one, BaseException)]
    losers = [one for one in results if isinstance(one, ConflictError)]
    assert (len(winners), len(losers)) == (1, 9)
    assert await db.sessions.list_all() == winners


@pytest.mark.parametrize("title", [None, ""])
async def test_a_session_without_a_title_is_untitled(db: Db, title: str | None) -> None:
    """An empty title becomes one that names the computer."""
    assert (await db.sessions.create("mac", None, "api", title)).title == "[mac] Untitled"
    assert (await db.sessions.create_headless("pc", "api", title)).title == "[pc] Untitled"


async def test_a_headless_session(db: Db) -> None:
    """A headless session has no terminal and keeps its agent, native id and log file."""
    session = await db.sessions.create_headless(
        "mac",
        "api",
        "Title",
        session_id="1",
        active_agent="claude",
        native_session_id="native",
        native_log_file="/log",
        project_path="/project",
    )
    assert session.lifecycle_status == "headless"
    assert session.tmux_session_name is None
    assert session.active_agent == "claude"
    assert session.native_session_id == "native"
    assert session.native_log_file == "/log"
    assert session.project_path == "/project"
    assert await db.sessions.get("1") == session
    with pytest.raises(ConflictError):
        await db.sessions.create_headless("mac", "api", session_id="1")


REFUSED: tuple[tuple[dict[str, object], str], ...] = (
    ({"titel": "x"}, r"The table sessions has no field 'titel'\. Did you mean 'title'\?"),
    ({"zzz": 1}, r"The table sessions has no field 'zzz'\.$"),
    ({"char_offset": None}, "sessions.char_offset must not be null"),
    ({"char_offset": 2**63}, "sessions.char_offset does not fit into 64 bits"),
    ({"char_offset": "1"}, "sessions.char_offset must be an integer, not str"),
    ({"char_offset": True}, "sessions.char_offset must be an integer, not bool"),
    ({"initiated_by_ai": 1}, "sessions.initiated_by_ai must be true or false, not int"),
    ({"closed_at": "soon"}, "sessions.closed_at is not an ISO 8601"),
    ({"closed_at": 1700000000}, "sessions.closed_at must be a date and time, not int"),
    ({"transcript_files": "[]"}, "transcript_files must be a JSON object or array, not str"),
    ({"project_path": "a\0"}, "sessions.project_path contains a NUL"),
)


async def test_a_refused_field_creates_nothing(db: Db) -> None:
    """A field that does not exist or cannot hold the value is named, and there is no session."""
    fields: Any
    for fields, message in REFUSED:
        with pytest.raises(InvalidValueError, match=message):
            await db.sessions.create("mac", None, "telegram", **fields)
    assert await db.sessions.count() == 0


@pytest.mark.parametrize("argument", ["computer_name", "last_input_origin"])
async def test_required_fields_may_not_be_null(db: Db, argument: str) -> None:
    """What every session must have cannot be left empty."""
    given: dict[str, Any] = {"computer_name": "mac", "last_input_origin": "telegram"}
    with pytest.raises(InvalidValueError, match=f"sessions.{argument} must not be null"):
        await db.sessions.create(
            **given | {argument: None},
            tmux_session_name=None,
        )


async def test_an_unknown_session_is_none(db: Db) -> None:
    """Reading a session that does not exist gives nothing and is no error."""
    assert await db.sessions.get("nobody") is None


async def test_one_field(db: Db) -> None:
    """`get_field` gives one value in its own type."""
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    await db.sessions.create(
        "mac", "t", "api", session_id="1", closed_at=moment, adapter_metadata={"a": [1]}
    )
    assert await db.sessions.get_field("1", "tmux_session_name") == "t"
    assert await db.sessions.get_field("1", "closed_at") == moment
    assert await db.sessions.get_field("1", "initiated_by_ai") is False
    assert await db.sessions.get_field("1", "adapter_metadata") == {"a": [1]}
    assert await db.sessions.get_field("1", "subdir") is None


async def test_one_field_of_nobody(db: Db) -> None:
    """A missing session and a missing field are different, clear errors."""
    with pytest.raises(NotFoundError, match="There is no session 'nobody'"):
        await db.sessions.get_field("nobody", "title")
    with pytest.raises(InvalidValueError, match="no field 'title; DROP TABLE sessions'"):
        await db.sessions.get_field("nobody", "title; DROP TABLE sessions")


async def test_touch(db: Db, clock: MutableClock) -> None:
    """`touch` notes the time and nothing else."""
    session = await db.sessions.create("mac", None, "api")
    later = clock.advance(60)
    await db.sessions.touch(session.session_id)
    assert await db.sessions.get(session.session_id) == session._replace(last_activity=later)
    with pytest.raises(NotFoundError, match="'nobody'"):
        await db.sessions.touch("nobody")


async def test_close(db: Db, clock: MutableClock) -> None:
    """A closed session has the time of its closing and the status `closed`."""
    session = await db.sessions.create("mac", None, "api")
    moment = clock.advance(60)
    await db.sessions.close(session.session_id)
    closed = session._replace(closed_at=moment, lifecycle_status="closed")
    assert await db.sessions.get(session.session_id) == closed
    with pytest.raises(NotFoundError, match="'nobody'"):
        await db.sessions.close("nobody")


async def test_closing_twice_changes_nothing(db: Db, clock: MutableClock) -> None:
    """The second `close` is no error and does not move the time of the first."""
    session = await db.sessions.create("mac", None, "api")
    await db.sessions.close(session.session_id)
    closed = await db.sessions.get(session.session_id)
    clock.advance(60)
    await db.sessions.close(session.session_id)
    assert await db.sessions.get(session.session_id) == closed


async def test_deleting_a_session(db: Db) -> None:
    """`delete` says whether there was something to delete, and deletes only that."""
    await db.sessions.create("mac", None, "api", session_id="1")
    other = await db.sessions.create("mac", None, "api", session_id="2")
    assert await db.sessions.delete("1") is True
    assert await db.sessions.delete("1") is False
    assert await db.sessions.list_all() == [other]


async def test_delete_takes_the_pending_deletions_with_it(db: Db, execute: Execute) -> None:
    """The messages that wait to be deleted for a session go with it, and those of others stay."""
    for number in "12":
        await db.sessions.create("mac", None, "api", session_id=number)
        execute(
            "INSERT INTO pending_message_deletions"
            " (session_id, message_id, deletion_type, created_at)"
            f" VALUES ('{number}', 'm', 'feedback', '2024-01-01T00:00:00.000000+00:00')"
        )
    await db.sessions.delete("1")
    left = execute("SELECT session_id FROM pending_message_deletions")
    assert left == [("2",)]


async def test_count(db: Db) -> None:
    """`count` counts every session, or those of one computer."""
    for number, computer in enumerate(("mac", "mac", "pc")):
        await db.sessions.create(computer, None, "api", session_id=str(number))
    await db.sessions.close("2")
    await db.sessions.create_headless("pc", "api")
    assert await db.sessions.count() == 4
    assert await db.sessions.count("mac") == 2
    assert await db.sessions.count("pc") == 2
    assert await db.sessions.count("ma") == 0
    assert await db.sessions.count("MAC") == 0


async def test_the_clock_may_tell_any_zone(db: Db, clock: MutableClock) -> None:
    """The clock's time zone does not matter; what is stored and given is UTC."""
    clock.now = datetime(2024, 1, 1, 2, 0, tzinfo=timezone(timedelta(hours=2)))
    session = await db.sessions.create("mac", None, "api")
    assert session.created_at.isoformat() == "2024-01-01T00:00:00+00:00"
    assert await db.sessions.get(session.session_id) == session
