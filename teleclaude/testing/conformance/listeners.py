"""Sessions that wait for another one to stop."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from teleclaude.errors import InvalidValueError
from teleclaude.store.records import Listener
from teleclaude.testing.hostile import REFUSED_TEXTS, TEXTS
from teleclaude.testing.processes import compete, store_process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teleclaude.config import Config
    from teleclaude.store import Db, Stores
    from teleclaude.testing.clock import MutableClock

MINUTE = timedelta(minutes=1)
A_MICROSECOND = timedelta(microseconds=1)


def callers(listeners: Sequence[Listener]) -> list[str]:
    return [listener.caller_session_id for listener in listeners]


async def register(stores: Stores, *pairs: str) -> None:
    """Register a listener for each pair of letters: the target and the caller."""
    for target, caller in map(tuple, pairs):
        await stores.listeners.register(target, caller, f"tmux {caller}")


async def test_register_says_what_is_new(stores: Stores, clock: MutableClock) -> None:
    """A new listener is stored with its terminal and the time."""
    assert await stores.listeners.register("target", "caller", "tmux") is True
    assert await stores.listeners.all() == [Listener("target", "caller", "tmux", clock.now)]


async def test_registering_again_refreshes(stores: Stores, clock: MutableClock) -> None:
    """The second registration is not new; it replaces the terminal and the time."""
    await stores.listeners.register("target", "caller", "old")
    clock.advance()
    assert await stores.listeners.register("target", "caller", "new") is False
    assert await stores.listeners.all() == [Listener("target", "caller", "new", clock.now)]


async def test_a_caller_may_listen_for_many_and_many_for_one(stores: Stores) -> None:
    """What is new is the pair of target and caller."""
    assert await stores.listeners.register("a", "x", "tmux") is True
    assert await stores.listeners.register("b", "x", "tmux") is True
    assert await stores.listeners.register("a", "y", "tmux") is True
    assert await stores.listeners.count() == 3


async def test_unregister_says_whether_there_was_one(stores: Stores) -> None:
    """Unregistering removes exactly that listener, once."""
    await register(stores, "ax", "ay", "bx")
    assert await stores.listeners.unregister("a", "x") is True
    assert await stores.listeners.unregister("a", "x") is False
    assert callers(await stores.listeners.for_target("a")) == ["y"]
    assert callers(await stores.listeners.for_target("b")) == ["x"]


async def test_listeners_come_in_the_order_of_registration(
    stores: Stores, clock: MutableClock
) -> None:
    """Listeners of a target, of a caller and all of them come oldest first, ties by ids."""
    await register(stores, "by", "bx")
    clock.advance()
    await register(stores, "ax", "bz")
    clock.advance(-5)
    await register(stores, "bw", "cx")
    assert callers(await stores.listeners.for_target("b")) == ["w", "x", "y", "z"]
    targets = [one.target_session_id for one in await stores.listeners.for_caller("x")]
    assert targets == ["c", "b", "a"]
    pairs = [one.target_session_id + one.caller_session_id for one in await stores.listeners.all()]
    assert pairs == ["bw", "cx", "bx", "by", "ax", "bz"]


async def test_nobody_listens(stores: Stores) -> None:
    """Where nobody listens there is nothing to list, count, pop or remove."""
    await register(stores, "ax")
    assert await stores.listeners.for_target("x") == []
    assert await stores.listeners.for_caller("a") == []
    assert await stores.listeners.pop_for_target("x") == []
    assert await stores.listeners.remove_for_caller("a") == 0
    assert await stores.listeners.reset("x", datetime.now(UTC)) == 0
    assert await stores.listeners.count() == 1


async def test_pop_removes_and_returns(stores: Stores, clock: MutableClock) -> None:
    """Popping gives the listeners of one target in order, and they are gone."""
    await register(stores, "ay", "bx")
    clock.advance()
    await register(stores, "ax")
    expected = await stores.listeners.for_target("a")
    assert await stores.listeners.pop_for_target("a") == expected
    assert callers(expected) == ["y", "x"]
    assert await stores.listeners.pop_for_target("a") == []
    assert await stores.listeners.count() == 1


async def test_popping_where_delete_returns_nothing(
    stores: Stores, db: Db, clock: MutableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine whose DELETE returns nothing gives the same listeners in the same order."""
    monkeypatch.setattr(db._engine.dialect, "delete_returning", False)
    await register(stores, "ay", "bx")
    clock.advance(-1)
    await register(stores, "ax")
    assert callers(await stores.listeners.pop_for_target("a")) == ["x", "y"]
    assert await stores.listeners.pop_for_target("a") == []
    assert await stores.listeners.count() == 1


async def test_what_was_popped_is_back_after_a_rollback(db: Db) -> None:
    """Listeners popped in a transaction that fails were not popped."""
    await register(db, "ax")
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what fails
        async with db.transaction() as tx:
            assert callers(await tx.listeners.pop_for_target("a")) == ["x"]
            raise ZeroDivisionError
    assert callers(await db.listeners.pop_for_target("a")) == ["x"]


async def test_removing_a_caller(stores: Stores) -> None:
    """A caller that goes away no longer listens for anybody; others do."""
    await register(stores, "ax", "bx", "ay")
    assert await stores.listeners.remove_for_caller("x") == 2
    assert await stores.listeners.remove_for_caller("x") == 0
    assert callers(await stores.listeners.all()) == ["y"]


async def test_stale_targets_are_listed_once(stores: Stores, clock: MutableClock) -> None:
    """Targets with a listener from before the limit are listed, each once and in order."""
    await register(stores, "cx", "ax", "ay")
    clock.now += A_MICROSECOND
    await register(stores, "bx", "az")
    clock.now += MINUTE
    assert await stores.listeners.stale_targets(MINUTE) == ["a", "c"]
    clock.now -= A_MICROSECOND
    assert await stores.listeners.stale_targets(MINUTE) == []


async def test_reset_sets_the_time_of_all_who_listen_for_a_target(
    stores: Stores, clock: MutableClock
) -> None:
    """After a reset a target is as old as it was told, and no other one is changed."""
    await register(stores, "ax", "ay", "bx")
    clock.now += 2 * MINUTE
    assert await stores.listeners.reset("a", clock.now) == 2
    assert {one.registered_at for one in await stores.listeners.for_target("a")} == {clock.now}
    assert await stores.listeners.stale_targets(MINUTE) == ["b"]


async def test_hostile_names(stores: Stores) -> None:
    """Ids and terminals may be any text."""
    for text in TEXTS.values():
        assert await stores.listeners.register(text, text, text) is True
    for text in TEXTS.values():
        [listener] = await stores.listeners.pop_for_target(text)
        assert listener[:3] == (text, text, text)


@pytest.mark.parametrize(("value", "reason"), REFUSED_TEXTS.values(), ids=REFUSED_TEXTS)
async def test_refused_names(stores: Stores, clock: MutableClock, value: str, reason: str) -> None:
    """What cannot be stored is refused by table and column in every operation, and not stored."""
    listeners = stores.listeners
    for column, operation in (
        ("target_session_id", listeners.register(value, "caller", "tmux")),
        ("caller_session_id", listeners.register("target", value, "tmux")),
        ("caller_tmux_session", listeners.register("target", "caller", value)),
        ("target_session_id", listeners.unregister(value, "caller")),
        ("caller_session_id", listeners.unregister("target", value)),
        ("target_session_id", listeners.for_target(value)),
        ("caller_session_id", listeners.for_caller(value)),
        ("target_session_id", listeners.pop_for_target(value)),
        ("caller_session_id", listeners.remove_for_caller(value)),
        ("target_session_id", listeners.reset(value, clock.now)),
    ):
        with pytest.raises(InvalidValueError, match=rf"session_listeners\.{column} {reason}"):
            await operation
    assert await listeners.count() == 0


async def test_nothing_is_no_name(stores: Stores) -> None:
    """A missing id or terminal is refused before the database sees it."""
    for row in ((None, "caller", "tmux"), ("target", None, "tmux"), ("target", "caller", None)):
        with pytest.raises(InvalidValueError, match=r"session_listeners\.\w+ must not be null"):
            await stores.listeners.register(*row)
    assert await stores.listeners.count() == 0


async def test_a_reset_needs_a_time_zone(stores: Stores) -> None:
    """A time without a zone is refused, and nothing is changed."""
    await register(stores, "ax")
    before = await stores.listeners.all()
    with pytest.raises(InvalidValueError, match="registered_at has no time zone"):
        await stores.listeners.reset("a", datetime(2025, 1, 1))  # noqa: DTZ001
    with pytest.raises(InvalidValueError, match="registered_at must be a date and time"):
        await stores.listeners.reset("a", None)  # type: ignore[arg-type]
    assert await stores.listeners.all() == before


# --- several at once ----------------------------------------------------------------------------


async def test_two_processes_register_the_same_listeners(db: Db, migrated_config: Config) -> None:
    """Of two processes that register the same listener at once, exactly one has a new one."""
    first, second = await compete("register_listeners", 2 * [(migrated_config.path, 100)])
    assert [one + other for one, other in zip(first, second, strict=True)] == [1] * 100
    assert await db.listeners.count() == 100


async def test_tasks_register_the_same_listener(db: Db) -> None:
    """Of many tasks that register the same listener at once, exactly one has a new one."""
    answers = await asyncio.gather(
        *(db.listeners.register("target", "caller", f"{number}") for number in range(32))
    )
    assert answers.count(True) == 1


async def test_tasks_and_processes_pop_each_listener_once(db: Db, migrated_config: Config) -> None:
    """However many pop while others register, each listener is got exactly once."""
    arguments = ("pop_listeners", migrated_config.path, "target")
    async with store_process(*arguments) as one, store_process(*arguments) as other:
        assert [await one.said(), await other.said()] == ["ready", "ready"]
        theirs = asyncio.gather(one.finish(), other.finish())
        mine: list[str] = []

        async def work(number: int) -> None:
            for i in range(10):
                assert await db.listeners.register("target", f"{number}-{i}", "tmux")
            mine.extend(callers(await db.listeners.pop_for_target("target")))

        await asyncio.gather(*map(work, range(16)))
        await db.settings.set("done", "yes")
        popped = [caller for answer in await theirs for caller in json.loads(answer)]
    expected = [f"{number}-{i}" for number in range(16) for i in range(10)]
    assert sorted([*mine, *popped]) == sorted(expected)


async def test_registering_while_others_unregister(db: Db) -> None:
    """A registration that meets the removal of the same listener succeeds either way."""

    async def register_one(number: int) -> bool:
        return await db.listeners.register("target", "caller", f"{number}")

    answers = await asyncio.gather(
        *(
            operation
            for number in range(30)
            for operation in (register_one(number), db.listeners.unregister("target", "caller"))
        )
    )
    added, removed = sum(answers[::2]), sum(answers[1::2])
    assert added - removed == await db.listeners.count()
