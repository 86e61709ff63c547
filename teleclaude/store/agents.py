"""Which agents can be used at the moment: `db.agents`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, null, select, true, update

from teleclaude.store.columns import checked
from teleclaude.store.models import metadata
from teleclaude.store.records import Availability
from teleclaude.store.values import check_text

if TYPE_CHECKING:
    from datetime import datetime

    from teleclaude.store.context import StoreContext

AVAILABLE: Final = "available"
DEGRADED: Final = "degraded"
UNAVAILABLE: Final = "unavailable"

_TABLE = metadata.tables["agent_availability"]
_GET: Final = select(_TABLE).where(_TABLE.c.agent == bindparam("agent_"))
_CLEAR_EXPIRED: Final = (
    update(_TABLE)
    .where(_TABLE.c.available.is_not(true()), _TABLE.c.unavailable_until <= bindparam("now_"))
    .values(available=True, unavailable_until=null(), reason=null())
)
_CLEAR_EXPIRED_AGENT: Final = _CLEAR_EXPIRED.where(_TABLE.c.agent == bindparam("agent_"))


class Agents:
    """Availability by agent."""

    def __init__(self, context: StoreContext) -> None:
        """Make the store; `Db` and `db.transaction()` do."""
        self._executor = context.executor
        self._clock = context.clock
        self._set = context.upsert(_TABLE, ("agent",), ("available", "unavailable_until", "reason"))

    async def get(self, agent: str) -> Availability | None:
        """Say whether an agent can be used.

        An unavailability that has run out reads as available, and is cleared.

        Args:
            agent: The agent.

        Returns:
            What is known, or `None` when nothing was ever said about the agent.
        """
        rows = await self._executor.read(_GET, {"agent_": agent})
        if not rows:
            return None
        _, available, until, reason = rows[0]
        now = self._clock()
        if not available and until is not None and until <= now:
            await self._executor.write(_CLEAR_EXPIRED_AGENT, {"agent_": agent, "now_": now})
            return Availability(agent, AVAILABLE, None, None)
        degraded = reason is not None and reason.startswith(DEGRADED)
        status = UNAVAILABLE if not available else DEGRADED if degraded else AVAILABLE
        return Availability(agent, status, until, reason)

    async def mark_unavailable(self, agent: str, until: datetime | None, reason: str) -> None:
        """Note that an agent cannot be used.

        Args:
            agent: The agent.
            until: When it can be used again; `None` when nobody knows.
            reason: Why.
        """
        await self._mark(agent, available=False, until=until, reason=reason)

    async def mark_available(self, agent: str) -> None:
        """Note that an agent can be used.

        Args:
            agent: The agent.
        """
        await self._mark(agent, available=True, until=None, reason=None)

    async def mark_degraded(self, agent: str, reason: str) -> None:
        """Note that an agent can be used, but not as usual.

        Args:
            agent: The agent.
            reason: Why; it is stored with `degraded` in front, unless it begins with that.
        """
        check_text(reason, "agent_availability.reason")
        stored = reason if reason.startswith(DEGRADED) else f"{DEGRADED}: {reason}"
        await self._mark(agent, available=True, until=None, reason=stored)

    async def clear_expired(self) -> int:
        """Make available again whose unavailability has run out.

        Returns:
            How many agents.
        """
        return (await self._executor.write(_CLEAR_EXPIRED, {"now_": self._clock()})).rowcount

    async def _mark(
        self, agent: str, *, available: bool, until: datetime | None, reason: str | None
    ) -> None:
        row = {
            "agent": agent,
            "available": available,
            "unavailable_until": until,
            "reason": reason,
        }
        await self._executor.write(self._set, checked(_TABLE, row))
