"""The operations of the daemon's loop: how each is called, and what it needs and must have done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from benchmarks.workbench import EVENT, HOOKS, LEASE, MEMORY, NEW, SESSIONS, TEXT, Workbench

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from benchmarks.measuring import Operation

CLAIMED: Final = 10
"""Rows that one claim asks for."""


@dataclass(frozen=True)
class Case:
    """An operation.

    Attributes:
        name: Its name.
        count: How often it is run in a round at scale 1.
        make: Gives the operation on a workbench.
        writes: Whether it changes something.
        prepare: Brings the data into the state that so many operations need.
        lost: Says how many rows are missing or doubled after so many operations, from their
            results.
        remark: What there is to know when reading its numbers.
    """

    name: str
    count: int
    make: Callable[[Workbench], Operation]
    writes: bool = True
    prepare: Callable[[Workbench, int], Awaitable[None]] | None = None
    lost: Callable[[Workbench, Sequence[Any]], Awaitable[int]] | None = None
    remark: str = ""


def session(number: int) -> str:
    """Name one of the open sessions."""
    return f"session {number % SESSIONS}"


# --- what must have been done -------------------------------------------------------------------


async def enqueued(bench: Workbench, ids: Sequence[int]) -> int:
    """Every id that was given is one row."""
    stored = await bench.count(HOOKS, HOOKS.c.event_type == NEW)
    return abs(stored - len(ids)) + len(ids) - len(set(ids))


async def claimed(_bench: Workbench, claims: Sequence[Sequence[Any]]) -> int:
    """Every claim got all it asked for, and no row was handed out twice."""
    ids = [row.id for claim in claims for row in claim]
    return len(claims) * CLAIMED - len(set(ids))


async def counted(_bench: Workbench, answers: Sequence[bool]) -> int:
    """Every answer is yes."""
    return len(answers) - sum(answers)


async def popped(_bench: Workbench, found: Sequence[Sequence[object]]) -> int:
    """Each got both of its listeners."""
    return sum(abs(len(listeners) - 2) for listeners in found)


# --- the operations -----------------------------------------------------------------------------


def _update(bench: Workbench) -> Operation:
    async def operation(number: int) -> object:
        return await bench.db.sessions.update(session(number), title=f"{next(bench.numbers)}")

    return operation


def _fail(bench: Workbench) -> Operation:
    retry = bench.now + timedelta(minutes=1)

    async def operation(number: int) -> object:
        return await bench.db.hook_outbox.failed(bench.claims[number], "no answer", retry)

    return operation


def _create(bench: Workbench) -> Operation:
    async def operation(number: int) -> object:
        place = {"tmux_session_name": f"{NEW} {number}", "session_id": f"{NEW} {number}"}
        return await bench.db.sessions.create("mac", last_input_origin="api", **place)

    return operation


_OUTBOX: Final = (
    Case(
        "hook_outbox.enqueue",
        2000,
        lambda b: lambda n: b.db.hook_outbox.enqueue(f"{n % 50}", NEW, EVENT),
        prepare=Workbench.clear_hooks,
        lost=enqueued,
    ),
    Case(
        "hook_outbox.claim 10",
        300,
        lambda b: lambda _: b.db.hook_outbox.claim(CLAIMED, LEASE),
        prepare=lambda b, number: b.fill_hooks(number * CLAIMED),
        lost=claimed,
    ),
    Case(
        "hook_outbox.delivered",
        2000,
        lambda b: lambda n: b.db.hook_outbox.delivered(b.claims[n]),
        prepare=Workbench.claim_hooks,
        lost=counted,
    ),
    Case(
        "hook_outbox.failed",
        2000,
        _fail,
        prepare=Workbench.claim_hooks,
        lost=counted,
    ),
    Case(
        "hook_outbox.peek 10",
        400,
        lambda b: lambda _: b.db.hook_outbox.peek(CLAIMED),
        writes=False,
        prepare=lambda b, _: b.fill_hooks(100),
    ),
    Case(
        "notification_outbox.enqueue",
        2000,
        lambda b: lambda _: b.db.notification_outbox.enqueue(NEW, "a@example.org", TEXT),
        prepare=Workbench.clear_notifications,
    ),
    Case(
        "notification_outbox.claim 10",
        400,
        lambda b: lambda _: b.db.notification_outbox.claim(CLAIMED, LEASE),
        prepare=lambda b, number: b.fill_notifications(number * CLAIMED),
        lost=claimed,
    ),
)

_SESSIONS: Final = (
    Case("sessions.create", 1500, _create, prepare=Workbench.clear_sessions),
    Case(
        "sessions.get",
        4000,
        lambda b: lambda n: b.db.sessions.get(session(n)),
        writes=False,
    ),
    Case(
        "sessions.get_field",
        4000,
        lambda b: lambda n: b.db.sessions.get_field(session(n), "title"),
        writes=False,
    ),
    Case(
        "sessions.find_by_field",
        2000,
        lambda b: (
            lambda n: b.db.sessions.find_by_field("tmux_session_name", f"tmux {n % SESSIONS}")
        ),
        writes=False,
    ),
    Case(
        "sessions.update", 1500, _update, remark="one field, so the UPDATE looks whether it changes"
    ),
    Case("sessions.touch", 1500, lambda b: lambda n: b.db.sessions.touch(session(n))),
    Case("sessions.list 200", 150, lambda b: lambda _: b.db.sessions.list(), writes=False),
)

_OTHERS: Final = (
    Case(
        "settings.set",
        2000,
        lambda b: lambda n: b.db.settings.set(f"key {n % 500}", f"{n}"),
    ),
    Case(
        "settings.get",
        4000,
        lambda b: lambda n: b.db.settings.get(f"key {n % 500}"),
        writes=False,
    ),
    Case(
        "listeners.register",
        1500,
        lambda b: lambda n: b.db.listeners.register(f"{NEW} {n}", session(n), "tmux"),
        prepare=Workbench.clear_listeners,
        lost=counted,
        remark="a transaction, because a listener that exists is refreshed by a second statement",
    ),
    Case(
        "listeners.pop_for_target",
        1500,
        lambda b: lambda n: b.db.listeners.pop_for_target(f"{NEW} {n}"),
        prepare=Workbench.fill_listeners,
        lost=popped,
    ),
    Case(
        "pending_deletions.add",
        1500,
        lambda b: lambda n: b.db.pending_deletions.add("session 0", f"{n}"),
        prepare=Workbench.clear_deletions,
    ),
    Case(
        "voices.assign",
        1500,
        lambda b: lambda n: b.db.voices.assign(f"voice {n % 50}", "service", f"{n}"),
    ),
    Case(
        "agents.mark_available",
        1500,
        lambda b: lambda n: b.db.agents.mark_available(f"agent {n % 5}"),
        remark="all tasks write the same five rows",
    ),
    Case(
        "agents.get",
        4000,
        lambda b: lambda n: b.db.agents.get(f"agent {n % 5}"),
        writes=False,
    ),
    Case(
        "memory.save",
        800,
        lambda b: lambda n: b.db.memory.save(f"{TEXT} Note word{n}.", project=NEW),
        prepare=Workbench.clear_memory,
        remark="SELECT and INSERT in one transaction",
    ),
    Case(
        "memory.search",
        800,
        lambda b: lambda n: b.db.memory.search(f"daemon word{n % 200}"),
        writes=False,
        prepare=lambda b, _: remember(b),
        remark="two statements: find the ids, then get the best",
    ),
    Case(
        "memory.recent 20",
        600,
        lambda b: lambda _: b.db.memory.recent(NEW, 20),
        writes=False,
        prepare=lambda b, _: remember(b),
    ),
)


async def remember(bench: Workbench) -> None:
    """Make observations that can be found, unless they are there."""
    if await bench.count(MEMORY, MEMORY.c.project == NEW) == SESSIONS:
        return
    await bench.clear_memory()
    for number in range(SESSIONS):
        await bench.db.memory.save(f"{TEXT} Note word{number}.", project=NEW)


CASES: Final = (*_OUTBOX, *_SESSIONS, *_OTHERS)


def case(name: str) -> Case:
    """Find a case by its name."""
    return next(one for one in CASES if one.name == name)
