"""Settings that are changed while the daemon runs: `db.settings`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, select

from teleclaude.store.columns import checked
from teleclaude.store.models import metadata

if TYPE_CHECKING:
    from teleclaude.store.context import StoreContext

_TABLE = metadata.tables["system_settings"]
_BY_KEY = _TABLE.c.key == bindparam("key_")
_GET = select(_TABLE.c.value).where(_BY_KEY)
_ALL = select(_TABLE.c.key, _TABLE.c.value).order_by(_TABLE.c.key)
_DELETE = delete(_TABLE).where(_BY_KEY)


class Settings:
    """Text values by key."""

    def __init__(self, context: StoreContext) -> None:
        """Make the store; `Db` and `db.transaction()` do."""
        self._executor = context.executor
        self._clock = context.clock
        self._set = context.upsert(_TABLE, ("key",), ("value", "updated_at"))

    async def get(self, key: str) -> str | None:
        """Give a value.

        Args:
            key: Its key.

        Returns:
            The value, or `None` when the key was never set.
        """
        rows = await self._executor.read(_GET, {"key_": key})
        return rows[0][0] if rows else None

    async def set(self, key: str, value: str) -> None:
        """Set a value, whether or not the key exists.

        Args:
            key: Its key.
            value: The value.
        """
        row = {"key": key, "value": value, "updated_at": self._clock()}
        await self._executor.write(self._set, checked(_TABLE, row))

    async def all(self) -> dict[str, str]:
        """Give all values by key, in the order of the keys."""
        return {row[0]: row[1] for row in await self._executor.read(_ALL)}

    async def delete(self, key: str) -> bool:
        """Delete a value.

        Args:
            key: Its key.

        Returns:
            Whether it existed.
        """
        return (await self._executor.write(_DELETE, {"key_": key})).rowcount > 0
