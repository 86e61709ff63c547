"""The store that is measured, with the drivers beside it and what prepares the data.

Several tables are larger in some benchmarks than in others. What an operation needs is put behind
the rows that are there already, and removed again before the next round.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import and_, delete, func, insert, select

from benchmarks.databases import open_store
from benchmarks.floors import FLOORS, Sent
from teleclaude.store.models import metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Table

    from benchmarks.floors import Floor, Section
    from benchmarks.measuring import Operation
    from teleclaude import Db

SESSIONS: Final = 200
"""Open sessions that are there all the time."""

LEASE: Final = timedelta(hours=1)
NEW: Final = "new"
"""What the keys begin with that operations make themselves."""

EVENT: Final[dict[str, object]] = {
    "tool": "Bash",
    "input": {"command": "ls -l", "timeout": 5},
    "n": [1, 2, 3],
}
TEXT: Final = "The daemon keeps its state in one database. It was two files before."

_FIRST_ID: Final = 10**12
"""Ids of the prepared rows: always the same, so that a recorded statement finds them again."""

_BOUNDS: Final = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK")

HOOKS: Final = metadata.tables["hook_outbox"]
NOTIFICATIONS: Final = metadata.tables["notification_outbox"]
_SESSIONS: Final = metadata.tables["sessions"]
_LISTENERS: Final = metadata.tables["session_listeners"]
_DELETIONS: Final = metadata.tables["pending_message_deletions"]
MEMORY: Final = metadata.tables["memory_observations"]


class Claim(NamedTuple):
    """A claim that was prepared."""

    id: int
    claim_token: str | None


class Workbench:
    """Operations of a store and of the drivers, on one database.

    Attributes:
        db: The store.
        floors: The drivers, by name.
        now: When the data was made.
        numbers: Gives a number that was never given before, for values that have to differ.
        claims: The claims that were prepared last.
    """

    def __init__(self, db: Db, floors: Mapping[str, Floor]) -> None:
        """Take an open store and connected drivers."""
        self.db = db
        self.floors = floors
        self.now = datetime.now(UTC)
        self.numbers = count()
        self.claims: Sequence[Claim] = ()
        self._recorded: list[tuple[str, Sequence[object]]] | None = None
        # The store's insides, here and only here: what it sends is what the drivers get.
        self._executor = db._executor  # noqa: SLF001
        if db._lane is not None:  # noqa: SLF001
            db._lane.observers.append(self._note)  # noqa: SLF001

    def _note(self, sql: str, values: Sequence[object]) -> None:
        if self._recorded is not None:
            self._recorded.append((sql, values))

    async def record(self, operation: Operation, times: int) -> list[Sent]:
        """Run an operation and keep what the store sends for it.

        Args:
            operation: An operation of the store.
            times: How often, with the numbers from 0 on.
        """
        sent: list[Sent] = []
        try:
            for number in range(times):
                self._recorded = []
                await operation(number)
                sent.append(_sent(self._recorded))
        finally:
            self._recorded = None
        return sent

    def replay(self, floor: str, sent: Sequence[Sent]) -> Operation:
        """Make the operation that runs on a driver what was recorded."""
        run = self.floors[floor].run

        async def operation(number: int) -> object:
            return await run(sent[number])

        return operation

    async def count(self, table: Table, *conditions: ColumnElement[bool]) -> int:
        """Count rows."""
        statement = select(func.count()).select_from(table).where(*conditions)
        return int((await self._executor.read(statement))[0][0])

    async def tidy(self) -> None:
        """Let no housekeeping be left that would come at some other time."""
        await self.db.maintain()
        for floor in self.floors.values():
            await floor.tidy()

    # --- preparing ------------------------------------------------------------------------------

    async def clear_hooks(self, _count: int = 0) -> None:
        """Remove all events but those that were delivered at the beginning."""
        await self._clear(HOOKS, HOOKS.c.event_type == NEW)

    async def clear_notifications(self, _count: int = 0) -> None:
        """Remove all notifications."""
        await self._clear(NOTIFICATIONS, NOTIFICATIONS.c.channel == NEW)

    async def fill_hooks(self, number: int) -> None:
        """Make so many events that are due, each of a session of its own."""
        await self.clear_hooks()
        await self._insert(HOOKS, (self._hook(place) for place in range(number)))

    async def fill_notifications(self, number: int) -> None:
        """Make so many notifications that are due."""
        await self.clear_notifications()
        times = {"created_at": self.now, "next_attempt_at": self.now}
        row = {**times, "channel": NEW, "recipient_email": "a@example.org", "content": TEXT}
        rows = ({**row, "id": _FIRST_ID + place} for place in range(number))
        await self._insert(NOTIFICATIONS, rows)

    async def claim_hooks(self, number: int) -> None:
        """Make so many events that are claimed, each by a claim of its own."""
        await self.clear_hooks()
        self.claims = [Claim(_FIRST_ID + place, f"claim {place}") for place in range(number)]
        taken = {"locked_at": self.now, "next_attempt_at": self.now + LEASE}
        rows = (
            {**self._hook(place), **taken, "claim_token": claim.claim_token}
            for place, claim in enumerate(self.claims)
        )
        await self._insert(HOOKS, rows)

    async def clear_sessions(self, _count: int = 0) -> None:
        """Remove the sessions that operations made."""
        await self._clear(_SESSIONS, _is_new(_SESSIONS.c.session_id))

    async def clear_listeners(self, _count: int = 0) -> None:
        """Remove the listeners that operations made."""
        await self._clear(_LISTENERS, _is_new(_LISTENERS.c.target_session_id))

    async def fill_listeners(self, number: int) -> None:
        """Make two listeners for each of so many sessions."""
        await self.clear_listeners()
        rows = (
            {
                "target_session_id": f"{NEW} {place}",
                "caller_session_id": f"caller {which}",
                "caller_tmux_session": "tmux",
                "registered_at": self.now,
            }
            for place in range(number)
            for which in range(2)
        )
        await self._insert(_LISTENERS, rows)

    async def clear_deletions(self, _count: int = 0) -> None:
        """Remove the pending deletions."""
        await self._clear(_DELETIONS, _DELETIONS.c.session_id == "session 0")

    async def clear_memory(self, _count: int = 0) -> None:
        """Remove the observations that operations made."""
        await self._clear(MEMORY, MEMORY.c.project == NEW)

    def _hook(self, place: int) -> dict[str, object]:
        return {
            "id": _FIRST_ID + place,
            "session_id": f"{NEW} {place}",
            "event_type": NEW,
            "payload": EVENT,
            "created_at": self.now,
            "next_attempt_at": self.now,
        }

    async def _clear(self, table: Table, condition: ColumnElement[bool]) -> None:
        await self._executor.write(delete(table).where(condition))
        for floor in self.floors.values():
            await floor.tidy(table.name)

    async def _insert(self, table: Table, rows: Iterable[Mapping[str, object]]) -> None:
        await self._executor.write_many(insert(table), rows)


def _is_new(key: ColumnElement[Any]) -> ColumnElement[bool]:
    return and_(key >= NEW, key < f"{NEW}~")  # a range, which an index on the key serves


def _sent(recorded: Sequence[tuple[str, Sequence[object]]]) -> Sent:
    statements = [(sql, values) for sql, values in recorded if not sql.startswith(_BOUNDS)]
    return Sent(statements, in_transaction=len(statements) < len(recorded))


@asynccontextmanager
async def open_workbench(section: Section) -> AsyncIterator[Workbench]:
    """Open a store with its open sessions, and the drivers beside it.

    Args:
        section: An empty database.
    """
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_store(section))
        for number in range(SESSIONS):
            place = {"tmux_session_name": f"tmux {number}", "session_id": f"session {number}"}
            await db.sessions.create("mac", last_input_origin="api", **place)
        floors = {
            name: await stack.enter_async_context(open_floor(section))
            for name, open_floor in FLOORS[str(section["engine"])].items()
        }
        yield Workbench(db, floors)
