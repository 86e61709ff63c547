"""Who wants which events sent where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from teleclaude.errors import InvalidValueError
from teleclaude.store.records import Contract
from teleclaude.testing.documents import documents, exactly
from teleclaude.testing.hostile import REFUSED_TEXTS, TEXTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teleclaude.store import Db, Document, Stores
    from teleclaude.testing.clock import MutableClock


def ids(contracts: Sequence[Contract]) -> list[str]:
    return [contract.id for contract in contracts]


async def test_a_contract_is_stored(stores: Stores, clock: MutableClock) -> None:
    """A new contract is active, from the API unless told otherwise, and has its times."""
    await stores.webhook_contracts.upsert("1", {"url": "x"})
    expected = Contract("1", {"url": "x"}, True, "api", clock.now, clock.now)  # noqa: FBT003
    assert await stores.webhook_contracts.list() == [expected]


async def test_a_contract_is_replaced(stores: Stores, clock: MutableClock) -> None:
    """The same id replaces contract, source and time of the change; it stays as old as it is."""
    created = clock.now
    await stores.webhook_contracts.upsert("1", {"url": "x"})
    changed = clock.advance()
    await stores.webhook_contracts.upsert("1", ["new"], "config")
    expected = Contract("1", ["new"], True, "config", created, changed)  # noqa: FBT003
    assert await stores.webhook_contracts.list() == [expected]


async def test_a_contract_is_deactivated(stores: Stores, clock: MutableClock) -> None:
    """A deactivated contract is kept, but listed only when asked for."""
    await stores.webhook_contracts.upsert("1", {})
    await stores.webhook_contracts.upsert("2", {})
    changed = clock.advance()
    assert await stores.webhook_contracts.deactivate("1") is True
    assert ids(await stores.webhook_contracts.list()) == ["2"]
    contracts = await stores.webhook_contracts.list(active_only=False)
    assert [(one.id, one.active, one.updated_at == changed) for one in contracts] == [
        ("1", False, True),
        ("2", True, False),
    ]


async def test_only_an_active_contract_can_be_deactivated(
    stores: Stores, clock: MutableClock
) -> None:
    """Deactivating what is not active, or unknown, says so and changes nothing."""
    await stores.webhook_contracts.upsert("1", {})
    await stores.webhook_contracts.deactivate("1")
    before = await stores.webhook_contracts.list(active_only=False)
    clock.advance()
    assert await stores.webhook_contracts.deactivate("1") is False
    assert await stores.webhook_contracts.deactivate("2") is False
    assert await stores.webhook_contracts.list(active_only=False) == before


async def test_storing_it_again_reactivates_a_contract(stores: Stores) -> None:
    """A contract that was deactivated is active when it is stored again."""
    await stores.webhook_contracts.upsert("1", {})
    await stores.webhook_contracts.deactivate("1")
    await stores.webhook_contracts.upsert("1", {})
    assert ids(await stores.webhook_contracts.list()) == ["1"]


async def test_contracts_come_oldest_first(stores: Stores, clock: MutableClock) -> None:
    """The order is that of creation, ties by id, and not that of the last change."""
    for contract in "cab":
        await stores.webhook_contracts.upsert(contract, {})
    clock.advance()
    await stores.webhook_contracts.upsert("A", {})
    await stores.webhook_contracts.upsert("a", {"changed": True})
    assert ids(await stores.webhook_contracts.list()) == ["a", "b", "c", "A"]
    assert ids(await stores.webhook_contracts.list(active_only=False)) == ["a", "b", "c", "A"]


async def test_hostile_contracts(stores: Stores) -> None:
    """Ids, sources, keys and texts may be anything."""
    for text in TEXTS.values():
        await stores.webhook_contracts.upsert(text, {text: [text]}, text)
    contracts = await stores.webhook_contracts.list()
    assert ids(contracts) == sorted(TEXTS.values())
    assert all(one.contract_json == {one.id: [one.id]} for one in contracts)
    assert all(one.source == one.id for one in contracts)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(document=documents)
async def test_documents_come_back_as_they_were(db: Db, document: Document) -> None:
    """Any JSON document comes back as the same document."""
    await db.webhook_contracts.upsert("1", document)
    [contract] = await db.webhook_contracts.list()
    assert exactly(contract.contract_json) == exactly(document)


@pytest.mark.parametrize(("value", "reason"), REFUSED_TEXTS.values(), ids=REFUSED_TEXTS)
async def test_refused_texts(stores: Stores, value: str, reason: str) -> None:
    """What cannot be stored is refused by table and column, and nothing is stored."""
    with pytest.raises(InvalidValueError, match="must not be null"):
        await stores.webhook_contracts.upsert(None, {})  # type: ignore[arg-type]
    for column, operation in (
        ("id", stores.webhook_contracts.upsert(value, {})),
        ("source", stores.webhook_contracts.upsert("1", {}, value)),
        ("id", stores.webhook_contracts.deactivate(value)),
    ):
        with pytest.raises(InvalidValueError, match=rf"webhook_contracts\.{column} {reason}"):
            await operation
    assert await stores.webhook_contracts.list(active_only=False) == []


@pytest.mark.parametrize("value", ["text", None, 1, {"a": float("inf")}, {"a": "\0"}, [2**63]])
async def test_refused_contracts(stores: Stores, value: Any) -> None:
    """What is no document, or one that an engine cannot keep, does not replace a contract."""
    await stores.webhook_contracts.upsert("1", {})
    with pytest.raises(InvalidValueError, match=r"webhook_contracts\.contract_json"):
        await stores.webhook_contracts.upsert("1", value)
    assert (await stores.webhook_contracts.list())[0].contract_json == {}
