"""Every public operation of every store: how tests call it, and what it may send.

A test that asks something of all operations goes through `OPERATIONS`. `public_operations` finds
those that really exist, so that a new one without an entry is noticed.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from teleclaude.testing.outboxes import LEASE, OUTBOXES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from teleclaude.store import Db, Stores
    from teleclaude.store.outbox import Outbox
    from teleclaude.testing.clock import MutableClock

DAY: Final = timedelta(days=1)
FAR: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Scene:
    """What is in the database when an operation is called.

    Attributes:
        claims: By outbox, rows that are claimed.
        dead: By outbox, the id of a row that was given up.
        observations: Ids of observations of the project `app`, oldest first.
    """

    claims: Mapping[str, Sequence[Any]]
    dead: Mapping[str, int]
    observations: Sequence[int]


@dataclass(frozen=True)
class Operation:
    """A call of an operation.

    Attributes:
        call: Calls it.
        sends: The first words of what it sends, with BEGIN and COMMIT if it opens a transaction.
    """

    call: Callable[[Stores, Scene], Awaitable[object]]
    sends: Sequence[str]


async def set_the_scene(db: Db, clock: MutableClock) -> Scene:
    """Put something of everything into an empty database.

    Args:
        db: The store.
        clock: Its clock; some time passes.
    """
    await db.agents.mark_unavailable("expired", clock.now, "quota")
    await db.agents.mark_unavailable("away", FAR, "quota")
    claims, dead = {}, {}
    for name, outbox in OUTBOXES.items():
        await outbox.fill(db, 8)
        first, *rest = await outbox.of(db).claim(6, LEASE)
        await outbox.of(db).failed(first, "error", clock.now, max_attempts=1)
        await outbox.of(db).delivered(rest.pop())
        claims[name], dead[name] = rest, first.id
    topic = {"telegram": {"topic": 42}}
    await db.sessions.create("mac", "tmux", "api", session_id="1", adapter_metadata=topic)
    await db.sessions.create("mac", None, "api", session_id="2")
    await db.pending_deletions.add("1", "message")
    await db.voices.assign("1", "service", "ann")
    await db.listeners.register("target", "caller", "tmux")
    await db.settings.set("key", "value")
    await db.webhook_contracts.upsert("contract", {})
    saved = [await db.memory.save(f"Note {number}", project="app") for number in range(3)]
    await db.memory.save_summary("app", learned="much")
    clock.advance()
    return Scene(claims, dead, [one.id for one in saved])


def public_operations(stores: Stores) -> set[str]:
    """Find all public operations, as `store.operation`.

    Args:
        stores: The stores of a transaction, which has nothing but stores.
    """
    return {
        f"{name}.{operation}"
        for name, store in vars(stores).items()
        for operation, method in inspect.getmembers(type(store), inspect.isfunction)
        if not operation.startswith("_")
        and (inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method))
    }


def operation_name(entry: str) -> str:
    """Give the operation that an entry of `OPERATIONS` calls.

    Args:
        entry: Its key: the operation, and after a comma in which case.
    """
    return entry.partition(",")[0]


_SELECT: Final = ("SELECT",)
_INSERT: Final = ("INSERT",)
_UPDATE: Final = ("UPDATE",)
_DELETE: Final = ("DELETE",)
_SAVE: Final = ("BEGIN", "SELECT", "INSERT", "COMMIT")
_SAVE_FIRST: Final = ("BEGIN", "SELECT", "INSERT", "SELECT", "INSERT", "COMMIT")

_NUMBERS: Final = count()
"""For what is another value each time."""


def _update(**fields: object) -> Callable[[Stores, Scene], Awaitable[object]]:
    return lambda stores, _: stores.sessions.update("1", **fields)


_SESSIONS: Final = {
    "create": Operation(lambda s, _: s.sessions.create("mac", None, "api"), _INSERT),
    "create_headless": Operation(lambda s, _: s.sessions.create_headless("mac", "api"), _INSERT),
    "get": Operation(lambda s, _: s.sessions.get("1"), _SELECT),
    "get_field": Operation(lambda s, _: s.sessions.get_field("1", "title"), _SELECT),
    "find_by_field": Operation(
        lambda s, _: s.sessions.find_by_field("tmux_session_name", "tmux"), _SELECT
    ),
    "list": Operation(lambda s, _: s.sessions.list(), _SELECT),
    "list, filtered": Operation(lambda s, _: s.sessions.list(computer_name="mac"), _SELECT),
    "list_all": Operation(lambda s, _: s.sessions.list_all(), _SELECT),
    "count": Operation(lambda s, _: s.sessions.count(), _SELECT),
    "count, of a computer": Operation(lambda s, _: s.sessions.count("mac"), _SELECT),
    "find_by_adapter_metadata": Operation(
        lambda s, _: s.sessions.find_by_adapter_metadata("telegram", "topic", 42), 2 * _SELECT
    ),
    "find_by_adapter_metadata, nothing": Operation(
        lambda s, _: s.sessions.find_by_adapter_metadata("telegram", "topic", 0), _SELECT
    ),
    "find_by_title_prefix": Operation(lambda s, _: s.sessions.find_by_title_prefix("["), _SELECT),
    "update": Operation(_update(title="new", subdir="new"), ("SELECT", "UPDATE")),
    "update, of one field": Operation(
        lambda s, _: s.sessions.update("1", title=f"title {next(_NUMBERS)}"), _UPDATE
    ),
    "update, of a document": Operation(
        _update(adapter_metadata={"new": 1}), ("BEGIN", "SELECT", "UPDATE", "COMMIT")
    ),
    "update, of nothing": Operation(_update(computer_name="mac", closed_at=None), _SELECT),
    "touch": Operation(lambda s, _: s.sessions.touch("1"), _UPDATE),
    "close": Operation(lambda s, _: s.sessions.close("1"), _UPDATE),
    "delete": Operation(lambda s, _: s.sessions.delete("2"), _DELETE),
}

_SMALL: Final = {
    "pending_deletions.list": Operation(lambda s, _: s.pending_deletions.list("1"), _SELECT),
    "pending_deletions.add": Operation(lambda s, _: s.pending_deletions.add("1", "new"), _INSERT),
    "pending_deletions.clear": Operation(lambda s, _: s.pending_deletions.clear("1"), _DELETE),
    "listeners.register": Operation(
        lambda s, _: s.listeners.register("new", "caller", "tmux"), ("BEGIN", *_INSERT, "COMMIT")
    ),
    "listeners.register, known": Operation(
        lambda s, _: s.listeners.register("target", "caller", "other"),
        ("BEGIN", *_INSERT, *_UPDATE, "COMMIT"),
    ),
    "listeners.unregister": Operation(
        lambda s, _: s.listeners.unregister("target", "caller"), _DELETE
    ),
    "listeners.for_target": Operation(lambda s, _: s.listeners.for_target("target"), _SELECT),
    "listeners.for_caller": Operation(lambda s, _: s.listeners.for_caller("caller"), _SELECT),
    "listeners.all": Operation(lambda s, _: s.listeners.all(), _SELECT),
    "listeners.count": Operation(lambda s, _: s.listeners.count(), _SELECT),
    "listeners.pop_for_target": Operation(
        lambda s, _: s.listeners.pop_for_target("target"), _DELETE
    ),
    "listeners.remove_for_caller": Operation(
        lambda s, _: s.listeners.remove_for_caller("caller"), _DELETE
    ),
    "listeners.stale_targets": Operation(lambda s, _: s.listeners.stale_targets(DAY), _SELECT),
    "listeners.reset": Operation(lambda s, _: s.listeners.reset("target", FAR), _UPDATE),
    "voices.assign": Operation(lambda s, _: s.voices.assign("1", "service", "bob"), _INSERT),
    "voices.get": Operation(lambda s, _: s.voices.get("1"), _SELECT),
    "voices.in_use": Operation(lambda s, _: s.voices.in_use(), _SELECT),
    "voices.delete_older_than": Operation(lambda s, _: s.voices.delete_older_than(DAY), _DELETE),
    "agents.get": Operation(lambda s, _: s.agents.get("away"), _SELECT),
    "agents.get, expired": Operation(lambda s, _: s.agents.get("expired"), (*_SELECT, *_UPDATE)),
    "agents.mark_unavailable": Operation(
        lambda s, _: s.agents.mark_unavailable("a", FAR, "quota"), _INSERT
    ),
    "agents.mark_available": Operation(lambda s, _: s.agents.mark_available("a"), _INSERT),
    "agents.mark_degraded": Operation(lambda s, _: s.agents.mark_degraded("a", "slow"), _INSERT),
    "agents.clear_expired": Operation(lambda s, _: s.agents.clear_expired(), _UPDATE),
    "settings.get": Operation(lambda s, _: s.settings.get("key"), _SELECT),
    "settings.set": Operation(lambda s, _: s.settings.set("key", "new"), _INSERT),
    "settings.all": Operation(lambda s, _: s.settings.all(), _SELECT),
    "settings.delete": Operation(lambda s, _: s.settings.delete("key"), _DELETE),
    "webhook_contracts.upsert": Operation(
        lambda s, _: s.webhook_contracts.upsert("contract", {"new": 1}), _INSERT
    ),
    "webhook_contracts.deactivate": Operation(
        lambda s, _: s.webhook_contracts.deactivate("contract"), _UPDATE
    ),
    "webhook_contracts.list": Operation(lambda s, _: s.webhook_contracts.list(), _SELECT),
    "webhook_contracts.list, all": Operation(
        lambda s, _: s.webhook_contracts.list(active_only=False), _SELECT
    ),
}

_MEMORY: Final = {
    "save": Operation(lambda s, _: s.memory.save("Note", project="app"), _SAVE),
    "save, first of a project": Operation(
        lambda s, _: s.memory.save("Note", project="new"), _SAVE_FIRST
    ),
    "save_summary": Operation(lambda s, _: s.memory.save_summary("app"), _SAVE),
    "get": Operation(lambda s, scene: s.memory.get(scene.observations), _SELECT),
    "recent": Operation(lambda s, _: s.memory.recent("app", 2), _SELECT),
    "recent_summaries": Operation(lambda s, _: s.memory.recent_summaries("app", 2), _SELECT),
    "delete": Operation(lambda s, scene: s.memory.delete(scene.observations[0]), _DELETE),
    "search": Operation(lambda s, _: s.memory.search("note", "app"), 2 * _SELECT),
    "search, nothing found": Operation(lambda s, _: s.memory.search("absent"), _SELECT),
    "search, no word": Operation(lambda s, _: s.memory.search("*"), ()),
    "timeline": Operation(lambda s, scene: s.memory.timeline(scene.observations[1]), 4 * _SELECT),
    "timeline, no anchor": Operation(lambda s, _: s.memory.timeline(0), _SELECT),
}


def _outbox(name: str) -> dict[str, Operation]:
    def of(stores: Stores) -> Outbox[Any]:
        return OUTBOXES[name].of(stores)

    return {
        "enqueue": Operation(lambda s, _: OUTBOXES[name].add(s, "new"), _INSERT),
        "claim": Operation(lambda s, _: of(s).claim(2, LEASE), ("WITH",)),
        "delivered": Operation(lambda s, c: of(s).delivered(c.claims[name][0]), _UPDATE),
        "delivered_many": Operation(lambda s, c: of(s).delivered_many(c.claims[name]), _UPDATE),
        "failed": Operation(lambda s, c: of(s).failed(c.claims[name][0], "error", FAR), _UPDATE),
        "failed_many": Operation(
            lambda s, c: of(s).failed_many(c.claims[name], "error", FAR), _UPDATE
        ),
        "peek": Operation(lambda s, _: of(s).peek(2), _SELECT),
        "stats": Operation(lambda s, _: of(s).stats(), _SELECT),
        "dead": Operation(lambda s, _: of(s).dead(), _SELECT),
        "requeue": Operation(lambda s, c: of(s).requeue(c.dead[name]), _UPDATE),
        "prune": Operation(lambda s, _: of(s).prune(timedelta()), _DELETE),
    }


OPERATIONS: Final[Mapping[str, Operation]] = {
    **{f"sessions.{name}": operation for name, operation in _SESSIONS.items()},
    **_SMALL,
    **{f"memory.{name}": operation for name, operation in _MEMORY.items()},
    **{
        f"{outbox}.{name}": operation
        for outbox in OUTBOXES
        for name, operation in _outbox(outbox).items()
    },
}
"""All of them, by operation, with several entries where it depends on the case."""
