"""What the second process of a test does: `python -m teleclaude.testing.tasks TASK ARGUMENT...`.

Each task says `ready` when it is where the test wants it, and goes on when it reads a line. What it
found out it prints as JSON. Times are of the monotonic clock, which all processes of a machine
share.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from teleclaude import ConflictError, Db, load_config
from teleclaude.migrations import Migrator
from teleclaude.store import utc_now
from teleclaude.store.models import metadata
from teleclaude.testing.outboxes import LEASE, OUTBOXES

if TYPE_CHECKING:
    from teleclaude.store.outbox import Outbox
    from teleclaude.store.records import HookEvent

_DELIVERING = 0.005
"""Seconds that it takes to deliver something, in which others get their share."""


def say(line: object) -> None:
    """Tell the test something."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def ready() -> None:
    """Tell the test, and wait for it."""
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)


async def hold_lock(config: str, name: str) -> None:
    """Hold an instance lock."""
    loaded = load_config(config, environ={})
    async with loaded.backend.instance_lock(loaded.database, name):
        await ready()


async def hold_transaction(config: str, key: str) -> None:
    """Hold a transaction that has written a setting."""
    async with _db(config) as db, db.transaction() as tx:
        await tx.settings.set(key, "held")
        await ready()


async def upgrade(config: str, *versions: str) -> None:
    """Upgrade a database, with directories of revisions instead of TeleClaude's when given."""
    loaded = load_config(config, environ={})
    engine = loaded.backend.create_engine(loaded.database)
    more = {"versions": list(map(Path, versions))} if versions else {}
    migrator = Migrator(loaded.backend, loaded.database, engine, metadata, **more)
    await ready()
    say((await migrator.upgrade()).changed)
    await engine.dispose()


async def update_session(config: str, session_id: str, field: str, times: str) -> None:
    """Set a field of a session again and again."""
    async with _db(config) as db:
        await ready()
        for number in range(int(times)):
            await db.sessions.update(session_id, **{field: str(number)})


async def leave_open(config: str) -> None:
    """Use the store and end without closing it."""
    db = _db(config)
    await db.open()
    await db.settings.set("left", "open")
    say("ended")


async def drain(config: str, name: str, seed: str) -> None:
    """Let some tasks claim and deliver a few rows at a time until all are delivered.

    Prints for each row: its id, its session if it has one, which task held it, and from when until
    when.
    """
    held: list[tuple[object, ...]] = []
    async with _db(config) as db:
        outbox = OUTBOXES[name].of(db)
        await ready()

        async def work(task: str) -> None:
            dice = random.Random(task)
            while (claims := await outbox.claim(dice.randint(1, 6), LEASE)) or await _more(outbox):
                since = monotonic_ns()
                await asyncio.sleep(_DELIVERING)
                for claim in claims:
                    session = getattr(claim, "session_id", None)
                    held.append((claim.id, session, task, since, monotonic_ns()))
                    assert await outbox.delivered(claim)

        await asyncio.gather(*(work(f"{seed}-{number}") for number in range(3)))
    say(json.dumps(held))


async def _more(outbox: Outbox[Any]) -> bool:
    stats = await outbox.stats()
    return bool(stats.pending or stats.claimed)


async def hold_claims(config: str, name: str, limit: str) -> None:
    """Claim rows, print their ids, and keep them."""
    async with _db(config) as db:
        claims = await OUTBOXES[name].of(db).claim(int(limit), LEASE)
        say(json.dumps([claim.id for claim in claims]))
        await ready()


async def report_late(config: str) -> None:
    """Claim two rows of each outbox, wait until that is over, and print what reports count."""
    answers = {}
    async with _db(config) as db:
        claims = {name: await outbox.of(db).claim(2, LEASE) for name, outbox in OUTBOXES.items()}
        await ready()
        for name, (one, other) in claims.items():
            outbox = OUTBOXES[name].of(db)
            delivered = await outbox.delivered(one)
            answers[name] = [delivered, await outbox.failed(other, "late", utc_now())]
    say(json.dumps(answers))


async def stumble(config: str, seed: str) -> None:
    """Let some tasks handle hook events, of which some fail at first, until all are delivered.

    Prints for each report that counted: the event, its session, whether it was delivered, and from
    when until when it was handled.
    """
    handled: list[tuple[object, ...]] = []
    async with _db(config) as db:
        await ready()

        async def handle(event: HookEvent, *, succeeds: bool) -> None:
            since = monotonic_ns()
            await asyncio.sleep(_DELIVERING)
            until = monotonic_ns()
            if succeeds:
                counted = await db.hook_outbox.delivered(event)
            else:
                counted = await db.hook_outbox.failed(event, "bad luck", utc_now())
            if counted:
                handled.append((event.id, event.session_id, succeeds, since, until))

        async def work(task: str) -> None:
            dice = random.Random(task)
            while (events := await db.hook_outbox.claim(5, LEASE)) or await _more(db.hook_outbox):
                for event in events:
                    # An attempt in three, and no more than three in a row.
                    await handle(event, succeeds=event.attempt_count > 2 or dice.random() > 1 / 3)

        await asyncio.gather(*(work(f"{seed}-{number}") for number in range(3)))
    say(json.dumps(handled))


async def write_settings(config: str, name: str, tasks: str) -> None:
    """Let some tasks write settings until a line is read, and print how often each could."""
    turns = [0] * int(tasks)
    async with _db(config) as db:
        await ready()
        stop = asyncio.ensure_future(asyncio.to_thread(sys.stdin.readline))

        async def write(task: int) -> None:
            while not stop.done():
                turns[task] += 1
                await db.settings.set(f"{name} {task}", str(turns[task]))

        await asyncio.gather(*map(write, range(len(turns))))
    say(json.dumps(turns))


async def make_the_same(config: str, count: str) -> None:
    """Create the same things as everybody else, and print which sessions were not there yet."""
    answers = []
    async with _db(config) as db:
        await ready()
        for name in map(str, range(int(count))):
            try:
                await db.sessions.create("mac", None, "api", session_id=name)
            except ConflictError:
                answers.append(False)
            else:
                answers.append(True)
            await db.memory.save("text", project=name)
            await db.memory.save_summary(name)
            await db.settings.set(name, "value")
    say(json.dumps(answers))


async def register_listeners(config: str, count: str) -> None:
    """Register the same listeners as everybody else, and print which were new."""
    async with _db(config) as db:
        await ready()
        answers = [await db.listeners.register(f"{i}", "caller", "tmux") for i in range(int(count))]
    say(json.dumps(answers))


async def pop_listeners(config: str, target: str) -> None:
    """Pop the listeners of a session until the setting `done` says that no more come."""
    callers: list[str] = []
    async with _db(config) as db:
        await ready()
        while True:
            done = await db.settings.get("done")
            popped = await db.listeners.pop_for_target(target)
            callers += [listener.caller_session_id for listener in popped]
            if done and not popped:
                break
    say(json.dumps(callers))


async def upsert_everything(config: str, name: str, times: str) -> None:
    """Store things under ids that everybody else uses too."""
    async with _db(config) as db:
        await ready()
        for number in range(int(times)):
            await db.voices.assign(f"voice {number}", name, name)
            await db.webhook_contracts.upsert(f"contract {number}", {"of": name}, name)
            await db.agents.mark_unavailable(f"agent {number}", None, name)
            await db.pending_deletions.add("session", f"message {number}")
    say(json.dumps(name))


def _db(config: str) -> Db:
    return Db(load_config(config, environ={}))


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](*sys.argv[2:]))
