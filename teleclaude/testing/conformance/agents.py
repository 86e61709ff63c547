"""Which agents can be used at the moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from teleclaude.errors import InvalidValueError
from teleclaude.store.records import Availability
from teleclaude.testing.hostile import REFUSED_TEXTS, TEXTS

if TYPE_CHECKING:
    from teleclaude.store import Db, Stores
    from teleclaude.testing.clock import MutableClock
    from teleclaude.testing.fixtures import Execute

MINUTE = timedelta(minutes=1)
SQL = "SELECT agent, reason, unavailable_until IS NULL FROM agent_availability ORDER BY agent"


async def test_an_unknown_agent(stores: Stores) -> None:
    """Of an agent that was never mentioned nothing is known."""
    await stores.agents.mark_available("other")
    assert await stores.agents.get("agent") is None


async def test_an_unavailable_agent(stores: Stores, clock: MutableClock) -> None:
    """An agent is unavailable until the time that was given."""
    until = clock.now + MINUTE
    await stores.agents.mark_unavailable("agent", until, "quota")
    expected = Availability("agent", "unavailable", until, "quota")
    assert await stores.agents.get("agent") == expected
    clock.now = until - timedelta(microseconds=1)
    assert await stores.agents.get("agent") == expected
    clock.now = until
    assert await stores.agents.get("agent") == Availability("agent", "available", None, None)


async def test_an_expired_unavailability_is_cleared_by_reading(
    db: Db, clock: MutableClock, execute: Execute
) -> None:
    """Reading an expired unavailability clears it in the database, and no other one."""
    for agent in ("one", "two"):
        await db.agents.mark_unavailable(agent, clock.now + MINUTE, "quota")
    clock.now += MINUTE
    await db.agents.get("one")
    rows = execute(SQL)
    assert rows == [("one", None, True), ("two", "quota", False)]
    clock.now -= MINUTE
    assert await db.agents.get("one") == Availability("one", "available", None, None)


async def test_an_unavailability_without_end_does_not_expire(
    stores: Stores, clock: MutableClock
) -> None:
    """An agent whose return nobody knows stays unavailable."""
    await stores.agents.mark_unavailable("agent", None, "broken")
    clock.now += 10_000 * MINUTE
    assert await stores.agents.clear_expired() == 0
    availability = Availability("agent", "unavailable", None, "broken")
    assert await stores.agents.get("agent") == availability


async def test_an_available_agent(stores: Stores, clock: MutableClock) -> None:
    """Marking an agent available forgets why it was not."""
    await stores.agents.mark_unavailable("agent", clock.now + MINUTE, "quota")
    await stores.agents.mark_available("agent")
    assert await stores.agents.get("agent") == Availability("agent", "available", None, None)


@pytest.mark.parametrize(
    ("reason", "stored"),
    [("slow", "degraded: slow"), ("degraded", "degraded"), ("", "degraded: ")],
)
async def test_a_degraded_agent(
    stores: Stores, clock: MutableClock, reason: str, stored: str
) -> None:
    """A degraded agent is one that can be used; the stored reason begins with `degraded`."""
    await stores.agents.mark_unavailable("agent", clock.now + MINUTE, "quota")
    await stores.agents.mark_degraded("agent", reason)
    assert await stores.agents.get("agent") == Availability("agent", "degraded", None, stored)


async def test_a_degraded_agent_that_becomes_unavailable(
    stores: Stores, clock: MutableClock
) -> None:
    """What was marked last counts, whatever the reason says."""
    await stores.agents.mark_degraded("agent", "slow")
    await stores.agents.mark_unavailable("agent", clock.now + MINUTE, "degraded beyond use")
    availability = await stores.agents.get("agent")
    assert availability is not None
    assert availability.status == "unavailable"


async def test_clearing_what_expired(stores: Stores, clock: MutableClock) -> None:
    """Only what has expired is cleared, and counted."""
    await stores.agents.mark_unavailable("past", clock.now, "quota")
    await stores.agents.mark_unavailable("future", clock.now + MINUTE, "quota")
    await stores.agents.mark_unavailable("unknown", None, "quota")
    await stores.agents.mark_degraded("degraded", "slow")
    await stores.agents.mark_available("available")
    assert await stores.agents.clear_expired() == 1
    assert await stores.agents.clear_expired() == 0
    clock.now -= MINUTE
    statuses = {
        agent: availability.status
        for agent in ("past", "future", "unknown", "degraded", "available")
        if (availability := await stores.agents.get(agent))
    }
    assert statuses == {
        "past": "available",
        "future": "unavailable",
        "unknown": "unavailable",
        "degraded": "degraded",
        "available": "available",
    }


async def test_the_end_may_be_in_any_time_zone(stores: Stores, clock: MutableClock) -> None:
    """The end of an unavailability comes back in UTC."""
    until = clock.now + MINUTE
    text = until.astimezone(None).isoformat()
    await stores.agents.mark_unavailable("agent", text, "quota")  # type: ignore[arg-type]
    availability = await stores.agents.get("agent")
    assert availability is not None
    assert availability.unavailable_until == until
    assert availability.unavailable_until.utcoffset() == timedelta()


async def test_hostile_agents(stores: Stores) -> None:
    """Agents and reasons may be any text."""
    for text in TEXTS.values():
        await stores.agents.mark_unavailable(text, None, text)
    for text in TEXTS.values():
        assert await stores.agents.get(text) == Availability(text, "unavailable", None, text)


@pytest.mark.parametrize(("value", "reason"), REFUSED_TEXTS.values(), ids=REFUSED_TEXTS)
async def test_refused_agents(stores: Stores, value: Any, reason: str) -> None:
    """What cannot be stored is refused by table and column, and nothing is stored."""
    agents = stores.agents
    for column, operation in (
        ("agent", agents.get(value)),
        ("agent", agents.mark_available(value)),
        ("agent", agents.mark_unavailable(value, None, "reason")),
        ("agent", agents.mark_degraded(value, "reason")),
        ("reason", agents.mark_unavailable("agent", None, value)),
    ):
        with pytest.raises(InvalidValueError, match=rf"agent_availability\.{column} {reason}"):
            await operation
    assert await agents.get("agent") is None


@pytest.mark.parametrize(("value", "reason"), REFUSED_TEXTS.values(), ids=REFUSED_TEXTS)
async def test_refused_reasons_of_degraded_agents(stores: Stores, value: Any, reason: str) -> None:
    """A reason that is no text is refused before anything is put in front of it."""
    del reason
    with pytest.raises(InvalidValueError, match=r"agent_availability\.reason"):
        await stores.agents.mark_degraded("agent", value)
    assert await stores.agents.get("agent") is None


async def test_nothing_is_no_agent(stores: Stores) -> None:
    """A missing name is refused before the database sees it."""
    with pytest.raises(InvalidValueError, match=r"agent_availability\.agent must not be null"):
        await stores.agents.mark_available(None)  # type: ignore[arg-type]


async def test_the_end_needs_a_time_zone(stores: Stores) -> None:
    """A time without a zone is refused, and nothing is stored."""
    with pytest.raises(InvalidValueError, match="unavailable_until has no time zone"):
        await stores.agents.mark_unavailable("agent", datetime(2025, 1, 1), "")  # noqa: DTZ001
    assert await stores.agents.get("agent") is None
