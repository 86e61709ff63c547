"""The voices that sessions speak with."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from teleclaude.errors import InvalidValueError
from teleclaude.store.records import Voice
from teleclaude.testing.hostile import REFUSED_TEXTS, TEXTS

if TYPE_CHECKING:
    from teleclaude.store import Db, Stores
    from teleclaude.testing.clock import MutableClock
    from teleclaude.testing.fixtures import Execute

MINUTE = timedelta(minutes=1)


async def test_a_voice_is_assigned(stores: Stores, clock: MutableClock) -> None:
    """A voice is there once it is assigned, with the time."""
    assert await stores.voices.get("1") is None
    await stores.voices.assign("1", "service", "ann")
    assert await stores.voices.get("1") == Voice("1", "service", "ann", clock.now)
    assert await stores.voices.get("2") is None


async def test_assigning_again_replaces(stores: Stores, clock: MutableClock) -> None:
    """A second assignment replaces service, voice and time; other sessions keep theirs."""
    await stores.voices.assign("1", "service", "ann")
    await stores.voices.assign("2", "service", "bob")
    before = await stores.voices.get("2")
    clock.advance()
    await stores.voices.assign("1", "other", "eve")
    assert await stores.voices.get("1") == Voice("1", "other", "eve", clock.now)
    assert await stores.voices.get("2") == before


async def test_voices_in_use_are_those_of_open_sessions(stores: Stores) -> None:
    """The voices of closed, deleted and unknown sessions are free; each pair comes once."""
    for session in ("open", "headless", "same", "closed", "deleted"):
        await stores.sessions.create("mac", None, "api", session_id=session)
    await stores.sessions.update("headless", lifecycle_status="headless")
    for session, voice in (
        ("open", "ann"),
        ("headless", "bob"),
        ("same", "ann"),
        ("closed", "eve"),
        ("deleted", "joe"),
        ("unknown", "kim"),
    ):
        await stores.voices.assign(session, "service", voice)
    await stores.sessions.close("closed")
    await stores.sessions.delete("deleted")
    assert await stores.voices.in_use() == {("service", "ann"), ("service", "bob")}


async def test_the_same_voice_of_two_services_is_two(stores: Stores) -> None:
    """What is in use is the pair of service and voice."""
    for session in "ab":
        await stores.sessions.create("mac", None, "api", session_id=session)
        await stores.voices.assign(session, f"service {session}", "ann")
    assert await stores.voices.in_use() == {("service a", "ann"), ("service b", "ann")}


async def test_a_voice_of_an_earlier_version_without_service(db: Db, execute: Execute) -> None:
    """A row whose service is null is read as such."""
    await db.sessions.create("mac", None, "api", session_id="1")
    await db.voices.assign("1", "service", "ann")
    sql = "UPDATE voice_assignments SET service_name = NULL, voice = NULL"
    execute(sql)
    assert await db.voices.in_use() == {(None, None)}


async def test_old_voices_are_deleted(stores: Stores, clock: MutableClock) -> None:
    """Voices that were assigned longer ago than the age are deleted, and counted."""
    await stores.voices.assign("1", "service", "ann")
    await stores.voices.assign("2", "service", "ann")
    clock.advance()
    await stores.voices.assign("2", "service", "bob")
    clock.now += MINUTE
    assert await stores.voices.delete_older_than(MINUTE) == 1
    assert await stores.voices.delete_older_than(MINUTE) == 0
    assert await stores.voices.get("1") is None
    assert await stores.voices.get("2") is not None


async def test_hostile_voices(stores: Stores) -> None:
    """Ids, services and voices may be any text."""
    for text in TEXTS.values():
        await stores.voices.assign(text, text, text)
    for text in TEXTS.values():
        voice = await stores.voices.get(text)
        assert voice is not None
        assert voice[:3] == (text, text, text)


@pytest.mark.parametrize(("value", "reason"), REFUSED_TEXTS.values(), ids=REFUSED_TEXTS)
async def test_refused_voices(stores: Stores, value: str, reason: str) -> None:
    """What cannot be stored is refused by table and column, and nothing is stored."""
    voices = stores.voices
    for column, operation in (
        ("id", voices.assign(value, "service", "ann")),
        ("service_name", voices.assign("1", value, "ann")),
        ("voice", voices.assign("1", "service", value)),
        ("id", voices.get(value)),
    ):
        with pytest.raises(InvalidValueError, match=rf"voice_assignments\.{column} {reason}"):
            await operation
    assert await voices.get("1") is None


async def test_nothing_is_no_voice(stores: Stores) -> None:
    """A missing id is refused before the database sees it."""
    with pytest.raises(InvalidValueError, match=r"voice_assignments\.id must not be null"):
        await stores.voices.assign(None, "service", "ann")  # type: ignore[arg-type]
