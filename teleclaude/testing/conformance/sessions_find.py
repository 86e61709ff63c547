"""Finding and listing sessions."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from teleclaude.errors import InvalidValueError
from teleclaude.store.models import metadata
from teleclaude.testing.fixtures import async_fixture
from teleclaude.testing.hostile import TEXTS
from teleclaude.testing.rows import plain_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from teleclaude.store import Db, SessionRecord
    from teleclaude.testing.clock import MutableClock

SESSIONS = metadata.tables["sessions"]

LAST = "\U0010ffff"
BEFORE_SURROGATES = "\ud7ff"


def ids(sessions: Iterable[SessionRecord]) -> list[str]:
    return [session.session_id for session in sessions]


# --- list ---------------------------------------------------------------------------------------


@async_fixture
async def one_of_each(db: Db, clock: MutableClock) -> Sequence[SessionRecord]:
    """Sessions of every combination of computer, origin, status and being closed."""
    combinations = itertools.product(
        ("mac", "pc"),
        ("telegram", "api"),
        ("active", "initializing", "headless", "closed"),
        (None, datetime(2024, 1, 1, tzinfo=UTC)),
    )
    async with db.transaction() as tx:
        sessions = []
        for number, (computer, origin, status, closed_at) in enumerate(combinations):
            clock.advance()
            sessions.append(
                await tx.sessions.create(
                    computer,
                    None,
                    origin,
                    session_id=f"{number:02}",
                    lifecycle_status=status,
                    closed_at=closed_at,
                )
            )
    return sessions[::-1]


async def test_list_filters(db: Db, one_of_each: Sequence[SessionRecord]) -> None:
    """Every combination of filters gives exactly the sessions it describes, newest first."""
    flags = [(False, True)] * 3
    combinations: Iterator[tuple[Any, ...]] = itertools.product(
        (None, "mac", "nowhere"), (None, "api"), *flags
    )
    for computer_name, last_input_origin, closed, headless, initializing in combinations:
        admitted = {"active"}
        admitted |= {"closed"} if closed else set()
        admitted |= {"closed", "initializing"} if initializing else set()
        admitted |= {"headless"} if headless else set()
        expected = [
            session
            for session in one_of_each
            if computer_name in (None, session.computer_name)
            and last_input_origin in (None, session.last_input_origin)
            and (closed or session.closed_at is None)
            and session.lifecycle_status in admitted
        ]
        found = await db.sessions.list(
            computer_name=computer_name,
            last_input_origin=last_input_origin,
            include_closed=closed,
            include_headless=headless,
            include_initializing=initializing,
        )
        assert ids(found) == ids(expected)
        assert found == expected


async def test_initializing_means_every_status_but_headless(db: Db) -> None:
    """`include_initializing` admits a status nobody has thought of, too."""
    await db.sessions.create("mac", None, "api", session_id="1", lifecycle_status="paused")
    assert ids(await db.sessions.list()) == []
    assert ids(await db.sessions.list(include_headless=True)) == []
    assert ids(await db.sessions.list(include_initializing=True)) == ["1"]


async def test_list_all(db: Db, one_of_each: Sequence[SessionRecord]) -> None:
    """`list_all` leaves nothing out, newest first."""
    assert await db.sessions.list_all() == one_of_each


async def test_ties_are_ordered_by_id(db: Db, clock: MutableClock) -> None:
    """Sessions of the same moment come in the order of their ids, by code point."""
    names = ["b", "a", "B", "A", "\u00e4", "_", "1", "\U0001f600", "\uffee", "ab"]
    for name in names:
        await db.sessions.create("mac", None, "api", session_id=name)
    assert ids(await db.sessions.list()) == sorted(names)
    assert ids(await db.sessions.list_all()) == sorted(names)
    clock.advance()
    await db.sessions.touch("_")
    assert ids(await db.sessions.list()) == ["_", *sorted(set(names) - {"_"})]


async def test_a_microsecond_decides(db: Db, clock: MutableClock) -> None:
    """Newest first holds to the microsecond, also around full seconds and before the epoch."""
    moments = [
        datetime(2024, 1, 1, 0, 0, 0, 0, tzinfo=UTC),
        datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        datetime(2023, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(1969, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ]
    for moment in moments:
        clock.now = moment
        await db.sessions.create("mac", None, "api")
    found = [session.last_activity for session in await db.sessions.list()]
    assert found == sorted(moments, reverse=True)


# --- find_by_field ------------------------------------------------------------------------------


async def test_find_by_field(db: Db, clock: MutableClock) -> None:
    """The open, active session with the value that was active last is found."""
    for number in "123":
        clock.advance()
        await db.sessions.create("mac", "tmux", "api", session_id=number)
    await db.sessions.create("mac", "other", "api", session_id="4")
    clock.advance()
    latest = await db.sessions.create("mac", "tmux", "api", session_id="5")
    await db.sessions.close("5")
    await db.sessions.touch("2")
    assert latest.session_id == "5"
    assert ids([await found(db, "tmux_session_name", "tmux")]) == ["2"]
    assert await db.sessions.find_by_field("tmux_session_name", "TMUX") is None
    assert await db.sessions.find_by_field("tmux_session_name", "tmu_") is None


async def found(db: Db, field: str, value: object) -> SessionRecord:
    session = await db.sessions.find_by_field(field, value)
    assert session is not None
    return session


async def test_find_by_field_and_status(db: Db) -> None:
    """Only active sessions count, unless the caller wants every status; closed ones never do."""
    await db.sessions.create("mac", "a", "api", lifecycle_status="initializing")
    await db.sessions.create_headless("mac", "api", native_session_id="b")
    closed = await db.sessions.create("mac", "c", "api")
    await db.sessions.close(closed.session_id)
    for field, value, is_open in (
        ("tmux_session_name", "a", True),
        ("native_session_id", "b", True),
        ("tmux_session_name", "c", False),
    ):
        assert await db.sessions.find_by_field(field, value) is None
        every = await db.sessions.find_by_field(field, value, include_initializing=True)
        assert (every is not None) is is_open


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "it's"),
        ("initiated_by_ai", True),
        ("char_offset", -5),
        ("last_output_at", datetime(2024, 1, 1, tzinfo=UTC)),
        ("last_output_at", "2024-01-01T01:00:00+01:00"),
        ("adapter_metadata", {"b": 1, "a": [True, None]}),
        ("transcript_files", ["x"]),
    ],
)
async def test_find_by_a_field_of_every_type(db: Db, field: str, value: object) -> None:
    """A value is compared as its column stores it, whatever the column's type."""
    await db.sessions.create("mac", None, "api", "other")
    session = await db.sessions.create(
        "mac",
        None,
        "api",
        "it's",
        initiated_by_ai=True,
        char_offset=-5,
        last_output_at=datetime(2024, 1, 1, tzinfo=UTC),
        adapter_metadata={"a": [True, None], "b": 1},
        transcript_files=["x"],
    )
    assert await db.sessions.find_by_field(field, value) == session


async def test_find_by_field_finds_no_nulls(db: Db) -> None:
    """Looking for nothing finds nothing, even where fields are empty."""
    await db.sessions.create("mac", None, "api")
    assert await db.sessions.find_by_field("tmux_session_name", None) is None


@pytest.mark.parametrize("field", ["nonsense", "title = title OR 1", "id_", "", "c", "Title"])
async def test_find_by_an_unknown_field(db: Db, field: str) -> None:
    """A field that does not exist is a clear error and never becomes SQL."""
    with pytest.raises(InvalidValueError, match="The table sessions has no field"):
        await db.sessions.find_by_field(field, "x")
    with pytest.raises(InvalidValueError, match="The table sessions has no field"):
        await db.sessions.find_by_field(field, None)


@pytest.mark.parametrize(
    ("field", "value"), [("char_offset", "1"), ("title", 1), ("initiated_by_ai", 1)]
)
async def test_find_by_a_value_of_another_type(db: Db, field: str, value: object) -> None:
    """What the column can never hold is an error and not just absent."""
    with pytest.raises(InvalidValueError, match=f"sessions.{field} must be"):
        await db.sessions.find_by_field(field, value)


# --- find_by_adapter_metadata -------------------------------------------------------------------


async def with_metadata(db: Db, *documents: object) -> None:
    for number, document in enumerate(documents):
        await db.sessions.create(
            "mac", None, "api", session_id=str(number), adapter_metadata=document
        )


async def test_find_by_adapter_metadata(db: Db) -> None:
    """Sessions whose document has the value at adapter and key are found, and no others."""
    await with_metadata(
        db,
        {"telegram": {"topic": "a"}},
        {"telegram": {"topic": "b"}},
        {"discord": {"topic": "a"}},
        {"telegram": {"other": "a"}},
        {"topic": "a"},
        {"telegram": "a"},
        ["telegram", "topic", "a"],
        {},
        None,
        {"telegram": {"topic": ["a"]}},
    )
    assert ids(await db.sessions.find_by_adapter_metadata("telegram", "topic", "a")) == ["0"]
    assert await db.sessions.find_by_adapter_metadata("telegram", "topic", "A") == []
    assert await db.sessions.find_by_adapter_metadata("telegram", "", "a") == []


@pytest.mark.parametrize("value", [-1001234567890123, "-1001234567890123"])
async def test_numbers_match_their_text(db: Db, value: str | int) -> None:
    """A chat id is found whether it was stored as a number or as text, and looked for as either."""
    await with_metadata(
        db,
        {"telegram": {"chat": -1001234567890123}},
        {"telegram": {"chat": "-1001234567890123"}},
        {"telegram": {"chat": -1001234567890123.0}},
        {"telegram": {"chat": " -1001234567890123"}},
        {"telegram": {"chat": 1001234567890123}},
    )
    found = await db.sessions.find_by_adapter_metadata("telegram", "chat", value)
    assert ids(found) == ["0", "1"]


async def test_flags_and_nulls_are_no_numbers(db: Db) -> None:
    """True, false and null match no number and no text."""
    await with_metadata(db, *({"a": {"b": stored}} for stored in (True, False, None)))
    for value in (1, "1", "True", "true", "None", "null", 0, "False"):
        assert await db.sessions.find_by_adapter_metadata("a", "b", value) == []


async def test_any_text_is_only_text_in_a_document(db: Db) -> None:
    """Adapter, key and value may be any text; none of it is a path or a pattern."""
    await with_metadata(db, *({text: {text: text}} for text in TEXTS.values()), {"a": {"b": "c"}})
    for number, text in enumerate(TEXTS.values()):
        found = await db.sessions.find_by_adapter_metadata(text, text, text)
        assert ids(found) == [str(number)]


async def test_metadata_of_closed_sessions(db: Db, clock: MutableClock) -> None:
    """Closed sessions are found when wanted; newest activity first, ties by id."""
    await with_metadata(db, *[{"a": {"b": 1}}] * 4)
    clock.advance()
    await db.sessions.touch("2")
    await db.sessions.close("3")
    assert ids(await db.sessions.find_by_adapter_metadata("a", "b", 1)) == ["2", "0", "1"]
    every = await db.sessions.find_by_adapter_metadata("a", "b", 1, include_closed=True)
    assert ids(every) == ["2", "0", "1", "3"]


@pytest.mark.parametrize(("matches", "reads"), [(2, 1), (1000, 1), (2001, 3)])
async def test_many_sessions_by_metadata(
    db: Db, statements: list[str], matches: int, reads: int
) -> None:
    """One statement finds the sessions, and one reads each thousand of them."""
    position = SESSIONS.columns.keys().index("adapter_metadata")
    rows = (
        (*row[:position], {"a": {"b": int(number < matches)}}, *row[position + 1 :])
        for number, row in enumerate(plain_rows(SESSIONS, matches + 2))
    )
    async with db._executor.loading() as tx:
        await tx.load(SESSIONS, rows)
    statements.clear()
    found = await db.sessions.find_by_adapter_metadata("a", "b", 1, include_closed=True)
    assert len(set(ids(found))) == len(found) == matches
    assert [sent.split()[0] for sent in statements] == ["SELECT"] * (1 + reads)


# --- find_by_title_prefix -----------------------------------------------------------------------


async def with_titles(db: Db, *titles: str) -> None:
    async with db.transaction() as tx:
        for title in titles:
            await tx.sessions.create("mac", None, "api", title, session_id=title)


PREFIXES = (
    *filter(None, TEXTS.values()),
    "%",
    "\\",
    "a",
    "A",
    LAST,
    f"a{LAST}",
    LAST * 3,
    BEFORE_SURROGATES,
    f"a{BEFORE_SURROGATES}",
    f"{BEFORE_SURROGATES}{LAST}",
    "\x7f",
    "\uffff",
    "z" * 500,
)


async def test_title_prefixes(db: Db) -> None:
    """Every prefix finds exactly the titles that begin with it, letter by letter."""
    titles = {variant for text in PREFIXES for variant in variants(text)}
    await with_titles(db, *titles)
    for prefix in PREFIXES:
        found = await db.sessions.find_by_title_prefix(prefix)
        assert ids(found) == sorted(title for title in titles if title.startswith(prefix))


def variants(text: str) -> set[str]:
    """A title that is the text, some that begin with it, and neighbours that do not."""
    return {
        text,
        f"{text}x",
        f"{text}{LAST}",
        f"{text}\x01",
        f"x{text}",
        text.swapcase(),
        text[:-1] or "-",
    }


async def test_the_empty_prefix(db: Db) -> None:
    """Every title begins with nothing; a session without a title has none."""
    await with_titles(db, "a", LAST)
    await db.sessions.update("a", title=None)
    assert ids(await db.sessions.find_by_title_prefix("")) == [LAST]


async def test_title_prefix_order_and_status(db: Db, clock: MutableClock) -> None:
    """Newest created first, ties by id; never headless; closed ones when wanted."""
    await with_titles(db, "t2", "t1")
    clock.advance()
    await with_titles(db, "t3", "t4")
    await db.sessions.create_headless("mac", "api", "t5")
    clock.advance()
    await db.sessions.touch("t1")
    await db.sessions.close("t4")
    assert ids(await db.sessions.find_by_title_prefix("t")) == ["t3", "t1", "t2"]
    every = await db.sessions.find_by_title_prefix("t", include_closed=True)
    assert ids(every) == ["t3", "t4", "t1", "t2"]


async def test_a_prefix_that_no_title_can_have(db: Db) -> None:
    """A prefix that cannot be stored is refused, as the title would be."""
    for prefix in ("a\0", "\ud800"):
        with pytest.raises(InvalidValueError, match=r"sessions.title contains"):
            await db.sessions.find_by_title_prefix(prefix)
