"""The three outboxes seen as one, for tests of what all of them can do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from teleclaude.store import Stores
    from teleclaude.store.outbox import Outbox

LEASE: Final = timedelta(seconds=30)
"""How long claims last in tests."""


@dataclass(frozen=True)
class AnyOutbox:
    """One of the outboxes.

    Attributes:
        name: Its table, and the attribute of the stores.
        add: Enqueues a row that has nothing to do with any other one; takes a text to put into it.
    """

    name: str
    add: Callable[[Stores, str], Awaitable[int]]

    def of(self, stores: Stores) -> Outbox[Any]:
        """Give the store."""
        outbox: Outbox[Any] = getattr(stores, self.name)
        return outbox

    async def fill(self, stores: Stores, count: int, *, start: int = 0) -> list[int]:
        """Enqueue several rows, and give their ids."""
        return [await self.add(stores, str(start + number)) for number in range(count)]


def ids(rows: Sequence[Any]) -> list[int]:
    """Give the ids of rows."""
    return [row.id for row in rows]


async def _hook(stores: Stores, text: str) -> int:
    return await stores.hook_outbox.enqueue(f"session {text}", "stop", {"text": text})


async def _notification(stores: Stores, text: str) -> int:
    return await stores.notification_outbox.enqueue("mail", "ann@example.org", text)


async def _webhook(stores: Stores, text: str) -> int:
    return await stores.webhook_outbox.enqueue("contract", {"text": text}, "https://example.org")


OUTBOXES: Final = {
    name: AnyOutbox(name, add)
    for name, add in {
        "hook_outbox": _hook,
        "notification_outbox": _notification,
        "webhook_outbox": _webhook,
    }.items()
}
"""All outboxes by name."""
