"""Messages that are still to be deleted for a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from teleclaude.errors import ConflictError, InvalidValueError
from teleclaude.testing.hostile import REFUSED_TEXTS, TEXTS
from teleclaude.testing.processes import compete

if TYPE_CHECKING:
    from teleclaude.config import Config
    from teleclaude.store import Db, Stores


async def create(stores: Stores, *sessions: str) -> None:
    for session in sessions:
        await stores.sessions.create("mac", None, "api", session_id=session)


async def test_messages_are_listed_in_the_order_in_which_they_were_added(stores: Stores) -> None:
    """The messages of a session come as they were added; other sessions have their own."""
    await create(stores, "1", "2")
    for message in ("30", "4", "100"):
        await stores.pending_deletions.add("1", message)
    await stores.pending_deletions.add("2", "5")
    assert await stores.pending_deletions.list("1") == ["30", "4", "100"]
    assert await stores.pending_deletions.list("2") == ["5"]
    assert await stores.pending_deletions.list("3") == []


async def test_the_two_kinds_are_apart(stores: Stores) -> None:
    """User input and feedback are two lists; left out, the kind is user input."""
    await create(stores, "1")
    await stores.pending_deletions.add("1", "a")
    await stores.pending_deletions.add("1", "b", "feedback")
    await stores.pending_deletions.add("1", "a", "feedback")
    assert await stores.pending_deletions.list("1", "user_input") == ["a"]
    assert await stores.pending_deletions.list("1", "feedback") == ["b", "a"]
    assert await stores.pending_deletions.clear("1", "feedback") == 2
    assert await stores.pending_deletions.list("1") == ["a"]
    assert await stores.pending_deletions.clear("1") == 1


async def test_a_duplicate_is_no_error(stores: Stores) -> None:
    """A message that is added again is there once, where it was."""
    await create(stores, "1")
    for message in ("a", "b", "a"):
        await stores.pending_deletions.add("1", message)
    assert await stores.pending_deletions.list("1") == ["a", "b"]


async def test_clear_counts_and_leaves_other_sessions_alone(stores: Stores) -> None:
    """Clearing a session says how many messages there were."""
    await create(stores, "1", "2")
    await stores.pending_deletions.add("1", "a")
    await stores.pending_deletions.add("1", "b")
    await stores.pending_deletions.add("2", "a")
    assert await stores.pending_deletions.clear("1") == 2
    assert await stores.pending_deletions.clear("1") == 0
    assert await stores.pending_deletions.list("2") == ["a"]


async def test_deleting_a_session_takes_its_messages_with_it(stores: Stores) -> None:
    """The messages of a deleted session are gone, also when a session of that id comes back."""
    await create(stores, "1", "2")
    for session in "12":
        await stores.pending_deletions.add(session, "a")
        await stores.pending_deletions.add(session, "b", "feedback")
    assert await stores.sessions.delete("1")
    await create(stores, "1")
    assert await stores.pending_deletions.list("1") == []
    assert await stores.pending_deletions.list("1", "feedback") == []
    assert await stores.pending_deletions.list("2") == ["a"]


async def test_closing_a_session_keeps_its_messages(stores: Stores) -> None:
    """What is to be deleted is still to be deleted after the session was closed."""
    await create(stores, "1")
    await stores.pending_deletions.add("1", "a")
    await stores.sessions.close("1")
    assert await stores.pending_deletions.list("1") == ["a"]


async def test_there_must_be_a_session(db: Db) -> None:
    """A message of a session that does not exist is refused."""
    with pytest.raises(ConflictError):
        await db.pending_deletions.add("1", "a")
    assert await db.pending_deletions.list("1") == []


@pytest.mark.parametrize("kind", ["", "User_Input", "all", None, 1])
async def test_an_unknown_kind_is_refused(stores: Stores, kind: Any) -> None:
    """There are two kinds of messages, and every operation says so."""
    await create(stores, "1")
    for operation in (
        stores.pending_deletions.add("1", "a", kind),
        stores.pending_deletions.list("1", kind),
        stores.pending_deletions.clear("1", kind),
    ):
        with pytest.raises(InvalidValueError, match="must be user_input or feedback, not"):
            await operation
    assert await stores.pending_deletions.list("1") == []


async def test_hostile_messages(stores: Stores) -> None:
    """Ids of messages may be any text."""
    await create(stores, "1")
    for text in TEXTS.values():
        await stores.pending_deletions.add("1", text)
    assert await stores.pending_deletions.list("1") == list(TEXTS.values())


@pytest.mark.parametrize(("value", "reason"), REFUSED_TEXTS.values(), ids=REFUSED_TEXTS)
async def test_refused_values(stores: Stores, value: str, reason: str) -> None:
    """What cannot be stored is refused by table and column, and nothing is stored."""
    await create(stores, "1")
    for column, operation in (
        ("session_id", stores.pending_deletions.add(value, "a")),
        ("message_id", stores.pending_deletions.add("1", value)),
        ("session_id", stores.pending_deletions.list(value)),
        ("session_id", stores.pending_deletions.clear(value)),
    ):
        where = rf"pending_message_deletions\.{column} {reason}"
        with pytest.raises(InvalidValueError, match=where):
            await operation
    assert await stores.pending_deletions.list("1") == []


async def test_nothing_is_no_message(stores: Stores) -> None:
    """A missing session or message is refused before the database sees it."""
    for session, message in ((None, "a"), ("1", None)):
        with pytest.raises(InvalidValueError, match="must not be null"):
            await stores.pending_deletions.add(session, message)  # type: ignore[arg-type]


async def test_processes_that_store_the_same_things_at_once(
    db: Db, migrated_config: Config
) -> None:
    """Upserts of two processes under the same ids all succeed, and each row is of one of them."""
    await create(db, "session")
    names = ["one", "two"]
    await compete("upsert_everything", [(migrated_config.path, name, 50) for name in names])
    assert len(await db.pending_deletions.list("session")) == 50
    contracts = await db.webhook_contracts.list()
    assert len(contracts) == 50
    assert all(contract.contract_json == {"of": contract.source} for contract in contracts)
    for number in range(50):
        voice = await db.voices.get(f"voice {number}")
        agent = await db.agents.get(f"agent {number}")
        assert voice is not None
        assert voice.voice == voice.service_name in names
        assert agent is not None
        assert agent.reason in names
