"""Sessions that wait for another session to stop: `db.listeners`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, func, select, update

from teleclaude.store.columns import checked
from teleclaude.store.models import metadata
from teleclaude.store.records import Listener
from teleclaude.store.values import check_instant, moved

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import ColumnElement, Select

    from teleclaude.store.context import StoreContext
    from teleclaude.store.executor import Executor
    from teleclaude.store.ways import Row

_TABLE = metadata.tables["session_listeners"]
_KEY: Final = ("target_session_id", "caller_session_id")
_TARGET: Final = _TABLE.c.target_session_id == bindparam("target")
_CALLER: Final = _TABLE.c.caller_session_id == bindparam("caller")


def _select(*conditions: ColumnElement[bool]) -> Select[Any]:
    order = (_TABLE.c.registered_at, _TABLE.c.target_session_id, _TABLE.c.caller_session_id)
    return select(_TABLE).where(*conditions).order_by(*order)


_ALL: Final = _select()
_FOR_TARGET: Final = _select(_TARGET)
_FOR_CALLER: Final = _select(_CALLER)
_FOR_TARGET_LOCKED: Final = _FOR_TARGET.with_for_update()
_COUNT: Final = select(func.count()).select_from(_TABLE)
_REFRESH: Final = (
    update(_TABLE)
    .where(_TARGET, _CALLER)
    .values(caller_tmux_session=bindparam("tmux"), registered_at=bindparam("now"))
)
_UNREGISTER: Final = delete(_TABLE).where(_TARGET, _CALLER)
_REMOVE_TARGET: Final = delete(_TABLE).where(_TARGET)
_POP_TARGET: Final = _REMOVE_TARGET.returning(*_TABLE.c)
_REMOVE_CALLER: Final = delete(_TABLE).where(_CALLER)
# Neither DISTINCT nor ORDER BY: for their sake a planner may read the whole table in the order of
# the ids.
_STALE: Final = select(_TABLE.c.target_session_id).where(
    _TABLE.c.registered_at < bindparam("before")
)
_RESET: Final = update(_TABLE).where(_TARGET).values(registered_at=bindparam("at"))


class Listeners:
    """Who (the caller) wants to hear about whom (the target)."""

    def __init__(self, context: StoreContext) -> None:
        """Make the store; `Db` and `db.transaction()` do."""
        self._executor = context.executor
        self._clock = context.clock
        self._dialect = context.dialect
        self._insert = context.upsert(_TABLE, _KEY, ())

    async def register(
        self, target_session_id: str, caller_session_id: str, caller_tmux_session: str
    ) -> bool:
        """Note that a session listens for another.

        Args:
            target_session_id: Whom it listens for.
            caller_session_id: Who listens.
            caller_tmux_session: The terminal of who listens.

        Returns:
            Whether that is new; otherwise terminal and time were refreshed.
        """
        now = self._clock()
        row = checked(
            _TABLE,
            {
                "target_session_id": target_session_id,
                "caller_session_id": caller_session_id,
                "caller_tmux_session": caller_tmux_session,
                "registered_at": now,
            },
        )
        refresh = {
            "target": target_session_id,
            "caller": caller_session_id,
            "tmux": caller_tmux_session,
            "now": now,
        }

        async def unit(executor: Executor) -> bool:
            while True:
                if (await executor.write(self._insert, row)).rowcount:
                    return True
                if (await executor.write(_REFRESH, refresh)).rowcount:
                    return False
                # Somebody removed it between the two; on most engines that cannot happen.

        return await self._executor.run(unit)

    async def unregister(self, target_session_id: str, caller_session_id: str) -> bool:
        """Note that a session no longer listens for another.

        Returns:
            Whether it did.
        """
        parameters = {"target": target_session_id, "caller": caller_session_id}
        return (await self._executor.write(_UNREGISTER, parameters)).rowcount > 0

    async def for_target(self, target_session_id: str) -> Sequence[Listener]:
        """List who listens for a session, in the order of registration."""
        return _records(await self._executor.read(_FOR_TARGET, {"target": target_session_id}))

    async def for_caller(self, caller_session_id: str) -> Sequence[Listener]:
        """List whom a session listens for, in the order of registration."""
        return _records(await self._executor.read(_FOR_CALLER, {"caller": caller_session_id}))

    async def all(self) -> Sequence[Listener]:
        """List all listeners, in the order of registration."""
        return _records(await self._executor.read(_ALL))

    async def count(self) -> int:
        """Count all listeners."""
        return int((await self._executor.read(_COUNT))[0][0])

    async def pop_for_target(self, target_session_id: str) -> Sequence[Listener]:
        """Remove and return who listens for a session; nobody else gets the same listener.

        Returns:
            The listeners, in the order of registration.
        """
        parameters = {"target": target_session_id}
        if self._dialect.delete_returning:
            rows = (await self._executor.write(_POP_TARGET, parameters)).rows
            return sorted(_records(rows), key=_by_registration)

        async def unit(executor: Executor) -> Sequence[Listener]:
            found = _records(await executor.read(_FOR_TARGET_LOCKED, parameters))
            await executor.write(_REMOVE_TARGET, parameters)
            return found

        return await self._executor.run(unit)

    async def remove_for_caller(self, caller_session_id: str) -> int:
        """Remove all listeners of a session that goes away.

        Returns:
            How many there were.
        """
        parameters = {"caller": caller_session_id}
        return (await self._executor.write(_REMOVE_CALLER, parameters)).rowcount

    async def stale_targets(self, older_than: timedelta) -> Sequence[str]:
        """List the sessions somebody has been listening for too long, each once.

        Args:
            older_than: How long is too long.

        Raises:
            InvalidValueError: That leads out of the years 1 to 9999.
        """
        parameters = {"before": moved(self._clock(), older_than, "age", back=True)}
        return sorted({row[0] for row in await self._executor.read(_STALE, parameters)})

    async def reset(self, target_session_id: str, at: datetime) -> int:
        """Set the time of registration of all who listen for a session.

        Args:
            target_session_id: The session.
            at: The new time.

        Returns:
            How many there are.
        """
        instant = check_instant(at, "session_listeners.registered_at")
        parameters = {"target": target_session_id, "at": instant}
        return (await self._executor.write(_RESET, parameters)).rowcount


def _records(rows: Iterable[Row]) -> list[Listener]:
    return [Listener._make(row) for row in rows]


def _by_registration(listener: Listener) -> tuple[datetime, str, str]:
    return listener.registered_at, listener.target_session_id, listener.caller_session_id
