"""The voices that sessions speak with: `db.voices`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, select

from teleclaude.store.columns import checked
from teleclaude.store.models import metadata
from teleclaude.store.records import Voice
from teleclaude.store.values import moved

if TYPE_CHECKING:
    from datetime import timedelta

    from teleclaude.store.context import StoreContext

_TABLE = metadata.tables["voice_assignments"]
_SESSIONS = metadata.tables["sessions"]
_GET: Final = select(_TABLE).where(_TABLE.c.id == bindparam("id_"))
_IN_USE: Final = (
    select(_TABLE.c.service_name, _TABLE.c.voice)
    .distinct()
    .join(_SESSIONS, _SESSIONS.c.session_id == _TABLE.c.id)
    .where(_SESSIONS.c.closed_at.is_(None))
)
_DELETE_OLD: Final = delete(_TABLE).where(_TABLE.c.assigned_at < bindparam("before"))


class Voices:
    """Voices by the id of the session they are assigned to."""

    def __init__(self, context: StoreContext) -> None:
        """Make the store; `Db` and `db.transaction()` do."""
        self._executor = context.executor
        self._clock = context.clock
        self._assign = context.upsert(_TABLE, ("id",), ("service_name", "voice", "assigned_at"))

    async def assign(self, voice_id: str, service_name: str, voice: str) -> None:
        """Give a session a voice, in place of the one it may have.

        Args:
            voice_id: The session's id.
            service_name: The text-to-speech service.
            voice: One of its voices.
        """
        row = {
            "id": voice_id,
            "service_name": service_name,
            "voice": voice,
            "assigned_at": self._clock(),
        }
        await self._executor.write(self._assign, checked(_TABLE, row))

    async def get(self, voice_id: str) -> Voice | None:
        """Give the voice of a session, or `None` when it has none."""
        rows = await self._executor.read(_GET, {"id_": voice_id})
        return Voice._make(rows[0]) if rows else None

    async def in_use(self) -> frozenset[tuple[str | None, str | None]]:
        """Give the (service, voice) pairs of sessions that are not closed."""
        return frozenset((row[0], row[1]) for row in await self._executor.read(_IN_USE))

    async def delete_older_than(self, age: timedelta) -> int:
        """Delete voices that were assigned long ago.

        Args:
            age: How long ago.

        Returns:
            How many were deleted.

        Raises:
            InvalidValueError: The age leads out of the years 1 to 9999.
        """
        parameters = {"before": moved(self._clock(), age, "age", back=True)}
        return (await self._executor.write(_DELETE_OLD, parameters)).rowcount
