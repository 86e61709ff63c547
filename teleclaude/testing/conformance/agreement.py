"""Cases in which engines once answered differently, found by comparing random calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from teleclaude.errors import InvalidValueError
from teleclaude.testing.clock import START
from teleclaude.testing.outboxes import LEASE

if TYPE_CHECKING:
    from collections.abc import Callable

    from teleclaude.store import Db, Stores
    from teleclaude.store.values import Document
    from teleclaude.testing.clock import MutableClock
    from teleclaude.testing.fixtures import Execute
    from teleclaude.testing.outboxes import AnyOutbox

LIMITED = {
    "recent": lambda stores, limit: stores.memory.recent("p", limit),
    "recent_summaries": lambda stores, limit: stores.memory.recent_summaries("p", limit),
    "search": lambda stores, limit: stores.memory.search("word", limit=limit),
    "earlier": lambda stores, limit: stores.memory.timeline(1, limit, 1),
    "later": lambda stores, limit: stores.memory.timeline(1, 1, limit),
    "peek": lambda stores, limit: stores.hook_outbox.peek(limit),
    "dead": lambda stores, limit: stores.hook_outbox.dead(limit),
}


@pytest.mark.parametrize("limit", [-1, True, 1.0, "1", None, 2**63], ids=repr)
@pytest.mark.parametrize("operation", LIMITED.values(), ids=LIMITED)
async def test_a_limit_is_a_number_of_rows(
    stores: Stores, operation: Callable[[Stores, object], Any], limit: object
) -> None:
    """What is no number of rows is refused, and never means "all" or what it looks like."""
    with pytest.raises(InvalidValueError):
        await operation(stores, limit)


@pytest.mark.parametrize("limit", [2**31 - 1, 2**31, 2**63 - 1])
@pytest.mark.parametrize("operation", LIMITED.values(), ids=LIMITED)
async def test_a_limit_may_be_large(
    stores: Stores, operation: Callable[[Stores, object], Any], limit: int
) -> None:
    """Any 64-bit number of rows is a limit."""
    assert await operation(stores, limit) == []


@pytest.mark.parametrize("attempts", [0, float("nan"), 2.0, "2", True, None, 2**63], ids=repr)
async def test_attempts_are_counted_in_integers(
    stores: Stores, outbox: AnyOutbox, attempts: Any
) -> None:
    """A number of attempts that is none is refused, and the claim goes on."""
    await outbox.fill(stores, 1)
    (claim,) = await outbox.of(stores).claim(1, LEASE)
    with pytest.raises(InvalidValueError, match="number of attempts"):
        await outbox.of(stores).failed(claim, "boom", START, max_attempts=attempts)
    assert (await outbox.of(stores).stats()).claimed == 1


async def test_any_number_of_observations_can_be_asked_for(
    stores: Stores, clock: MutableClock
) -> None:
    """More ids than an engine takes parameters are looked up, the newest first and each once."""
    ids = []
    for number in range(3):
        ids.append((await stores.memory.save(f"note {number}")).id)
        clock.advance()
    many = [ids[1], *range(10**6, 10**6 + 70_000), ids[0], ids[2], ids[1]]
    assert [row.id for row in await stores.memory.get(many)] == [ids[2], ids[1], ids[0]]


def _nested(depth: int) -> Document:
    document: Document = []
    for _ in range(depth - 1):
        document = [document, "]]"]
    return document


async def test_how_deep_a_document_may_be(stores: Stores) -> None:
    """The limit does not depend on how deep the stack is that the document is written from."""
    await stores.webhook_contracts.upsert("deep", _nested(100))
    for depth in (101, 300, 900):
        with pytest.raises(InvalidValueError, match="nested more than 100 levels deep"):
            await stores.webhook_contracts.upsert("deeper", _nested(depth))
    (contract,) = await stores.webhook_contracts.list()
    assert contract.contract_json == _nested(100)


async def test_a_document_may_be_wide(stores: Stores) -> None:
    """Only levels are limited, not how many objects and arrays there are."""
    wide: Document = [[{"[": "{" * 200}]] * 200
    await stores.webhook_contracts.upsert("wide", wide)
    (contract,) = await stores.webhook_contracts.list()
    assert contract.contract_json == wide


@pytest.mark.parametrize("field", ["adapter_metadata", "transcript_files"])
async def test_documents_are_found_by_what_they_say(stores: Stores, field: str) -> None:
    """An integer, the same number as a fraction and a flag are three documents everywhere."""
    documents: list[Document] = [[1], [1.0], [True], {"b": [1.0], "a": 1}, {"b": [1], "a": 1}]
    for number, document in enumerate(documents):
        fields: dict[str, Any] = {"session_id": str(number), field: document}
        await stores.sessions.create("mac", None, "api", **fields)
    for number, document in enumerate(documents):
        found = await stores.sessions.find_by_field(field, document)
        assert found is not None
        assert found.session_id == str(number)
    assert await stores.sessions.find_by_field(field, [2]) is None


async def test_a_document_somebody_else_wrote_can_be_replaced(db: Db, execute: Execute) -> None:
    """A stored document that would be refused today differs from every other one."""
    await db.sessions.create("mac", None, "api", session_id="1", adapter_metadata={"a": 1})
    foreign = """UPDATE sessions SET adapter_metadata = '{"a": 100000000000000000000}'"""
    execute(foreign)
    assert await db.sessions.find_by_field("adapter_metadata", {"a": 1}) is None
    assert await db.sessions.update("1", adapter_metadata={"a": 1}) == ("adapter_metadata",)
    assert await db.sessions.get_field("1", "adapter_metadata") == {"a": 1}


LASTING = {
    "lease": lambda stores, time: stores.hook_outbox.claim(1, time),
    "pruned": lambda stores, time: stores.hook_outbox.prune(time),
    "stale": lambda stores, time: stores.listeners.stale_targets(time),
    "deleted": lambda stores, time: stores.voices.delete_older_than(time),
}


@pytest.mark.parametrize("time", [timedelta.max, 5, None], ids=repr)
@pytest.mark.parametrize("operation", LASTING.values(), ids=LASTING)
async def test_a_duration_stays_within_time(
    stores: Stores, operation: Callable[[Stores, object], Any], time: object
) -> None:
    """What is no duration, or leads to where no instant is, is refused."""
    with pytest.raises(InvalidValueError, match=r"^The (lease|age) "):
        await operation(stores, time)


async def test_a_lease_lasts_while_clocks_are_changed(stores: Stores, clock: MutableClock) -> None:
    """A lease has its length also where the wall clock jumps meanwhile."""
    clock.now = datetime(2025, 10, 26, 2, 59, 50, tzinfo=ZoneInfo("Europe/Berlin"))
    await stores.notification_outbox.enqueue("mail", "ann@example.org", "text")
    (claim,) = await stores.notification_outbox.claim(1, LEASE)
    assert claim.next_attempt_at == datetime(2025, 10, 26, 1, 0, 20, tzinfo=UTC)


UNMEMORABLE = {
    "observations.narrative": lambda memory, value: memory.save(value),
    "observations.narrative with title": lambda memory, value: memory.save(value, "title"),
    "observations.title": lambda memory, value: memory.save("text", value),
    "observations.project": lambda memory, value: memory.save("text", project=value),
    "observations.concepts": lambda memory, value: memory.save("text", concepts=[value]),
    "observations.facts": lambda memory, value: memory.save("text", facts=[value]),
    "summaries.project": lambda memory, value: memory.save_summary(value),
    "summaries.learned": lambda memory, value: memory.save_summary(learned=value),
}


@pytest.mark.parametrize("where", UNMEMORABLE)
async def test_what_is_no_text_is_not_remembered(stores: Stores, where: str) -> None:
    """It is refused by its column, before anything happens to a transaction."""
    column = where.partition(".")[2].split()[0]
    with pytest.raises(InvalidValueError, match=rf"memory_\w+\.{column} must be text, not int"):
        await UNMEMORABLE[where](stores.memory, 7)
    assert (await stores.memory.save("text")).title == "text"


@pytest.mark.parametrize("where", ["observations.project", "summaries.project"])
async def test_what_is_remembered_has_a_project(stores: Stores, where: str) -> None:
    """To leave it out on purpose is a refused value, not a conflict."""
    with pytest.raises(InvalidValueError, match=rf"memory_{where} must not be null"):
        await UNMEMORABLE[where](stores.memory, None)
    assert (await stores.memory.save("text")).project == "teleclaude"
